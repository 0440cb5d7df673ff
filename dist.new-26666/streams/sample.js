/** A stage's word that a sample ends here, without being a failure. Made by `drop`. */
export class Drop {
    reason;
    constructor(reason) {
        this.reason = reason;
    }
}
/** What a stage returns to let a sample go: it is counted under `reason`, its permit returns, the next sample takes its place. */
export function drop(reason) {
    return new Drop(reason);
}
/** True for an object that can travel on: it has the fields of `Sample`. */
export function isSample(value) {
    if (typeof value !== 'object' || value === null)
        return false;
    const { key, position, epoch } = value;
    return typeof key === 'string' && typeof position === 'number' && typeof epoch === 'number';
}
/** The sample with fields added or replaced: `{ ...sample, ...fields }`, for which V8 takes ten times as long where a field is new. */
export function withFields(sample, fields) {
    return Object.assign({}, sample, fields);
}
//# sourceMappingURL=sample.js.map