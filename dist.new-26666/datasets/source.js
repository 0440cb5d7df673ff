/**
 * Makes a source from its definition. `open` lists what there is; `read` gives the fields of one sample, whose types the compiler takes
 * from here. A bare value stands for the option `shorthand`.
 */
export function defineSource(definition) {
    const factory = (options = {}) => {
        const written = typeof options === 'object' || definition.shorthand === undefined ? options : { [definition.shorthand]: options };
        return {
            source: { name: definition.name, options: written, definition: definition },
        };
    };
    return Object.assign(factory, { definition: Object.freeze(definition) });
}
//# sourceMappingURL=source.js.map