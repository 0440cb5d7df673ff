import { dataErrors } from "./errors/data.js";
import { pipelineErrors } from "./errors/pipeline.js";
import { streamsErrors } from "./errors/streams.js";
import { trainErrors } from "./errors/train.js";
/**
 * Every error that patchstream makes on purpose: one code, one message. A message says what was expected, what was found and what
 * to do; `where` says the place (file:line:column, stage, sample). `{slots}` are filled and escaped by `fail`.
 * A code is never reused after its removal. `docs/errors.md` is made from this list, and a test holds the two together.
 */
export const catalogue = { ...streamsErrors, ...trainErrors, ...pipelineErrors, ...dataErrors };
/** An error of the catalogue. `code` is stable and for programs, `message` is for people, `where` names the place, `cause` keeps the original. */
export class PatchstreamError extends Error {
    code;
    where;
    /** The message without code and place. */
    text;
    /** True where it ends the run, whatever may fail: a sample of a source that is told to stop at the first damage. */
    ends;
    constructor(code, text, where, cause, ends = false) {
        super(`${code}: ${where === undefined ? '' : `${where}: `}${text}`, cause === undefined ? undefined : { cause });
        this.name = 'PatchstreamError';
        this.ends = ends;
        this.code = code;
        this.where = where;
        this.text = text;
    }
}
/** Makes the error of `code`; does not throw it, so that call sites read `throw fail(…)`. Slot values are escaped by `printable`. */
export function fail(code, slots, { where, cause, ends } = {}) {
    const values = slots;
    const text = catalogue[code].replace(/\{(\w+)\}/g, (whole, name) => name in values ? printable(String(values[name])) : whole);
    return new PatchstreamError(code, text.trim(), where === undefined ? undefined : printable(where), cause, ends);
}
// Control characters, line and paragraph separators, zero-width and bidirectional overrides: all that can move a cursor or lie about order.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** Text from outside (a file name, a key, a value) made safe to show in a terminal, log or label: what does not print becomes \u{…}. */
export function printable(text) {
    return text.replace(unprintable, (char) => (char === '\n' ? '\\n' : `\\u{${char.codePointAt(0)?.toString(16)}}`));
}
/** The message of anything thrown, in one line that is safe to show. */
export function messageOf(error) {
    if (error instanceof PatchstreamError)
        return error.message;
    if (error instanceof Error)
        return printable(error.message || error.name);
    return printable(String(error));
}
/** A message up to its first line end, real or as `messageOf` shows it: parsers and loaders append excerpts and stacks. */
export function firstLine(message) {
    return message.split(/\n|\\n/, 1)[0];
}
/** The nearest of `names` to `name` by edit distance when it is near enough to be a slip, for suggestions. */
export function nearest(name, names) {
    let best;
    let least = Math.max(1, Math.floor(name.length / 3)) + 1;
    for (const candidate of names) {
        const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
        if (distance < least)
            [best, least] = [candidate, distance];
    }
    return best;
}
// Two neighbours that changed places are one slip: `trian`, `winodws`.
function editDistance(a, b) {
    let before = [];
    let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 1; i <= a.length; i++) {
        const row = [i];
        for (let j = 1; j <= b.length; j++) {
            row[j] = Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
            const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
            if (swapped)
                row[j] = Math.min(row[j], before[j - 2] + 1);
        }
        [before, previous] = [previous, row];
    }
    return previous[b.length];
}
//# sourceMappingURL=errors.js.map