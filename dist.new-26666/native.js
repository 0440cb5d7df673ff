import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { fail, firstLine, messageOf } from "./errors.js";
/** dtypes as `native/torch` numbers them. */
export const torchDtypes = { float32: 0, int32: 1, bool: 2 };
/** What becomes of jobs, as `native/dlib` numbers them. */
export const dlibOutcomes = { done: 0, cancelled: 1, memory: 2, failed: 3, model: 4 };
/** Kinds of sources, and what becomes of jobs, as `native/image` numbers them. */
export const imageKinds = { jpeg: 0, grey: 1, rgb: 2 };
export const imageOutcomes = { done: 0, broken: 1, foreign: 2, cancelled: 3, memory: 4, read: 5, unread: 6 };
const require = createRequire(import.meta.url);
let torch;
let image;
let dlib;
/** The addon over libtorch, or why it is not there. Looks for it once. */
export function torchAddon() {
    torch ??= load('torch');
    return torch;
}
/** The addon over libjpeg-turbo, or why it is not there. Looks for it once. */
export function imageAddon() {
    image ??= load('image');
    return image;
}
/** The addon over dlib in the form that suits the machine best, or why it is not there. Looks for it once. */
export function dlibAddon() {
    dlib ??= bestDlib();
    return dlib;
}
function bestDlib() {
    const plain = load('dlib');
    if (isAbsent(plain) || !plain.info().avx2)
        return plain;
    try {
        return require(fileURLToPath(new URL('../native/dlib/build/dlib-avx2.node', import.meta.url)));
    }
    catch {
        // Half as fast.
        return plain;
    }
}
/**
 * Has the threads of libtorch's OpenMP sleep soon when they wait for one another. By default they spin for milliseconds, and where other work has a
 * core (the loader of the same run), a training took eight times as long. libgomp reads this once, when libtorch is loaded, from the process's
 * environment, which only the main thread can change: so it is called before a worker loads the addon, too. What the user has set, stays.
 */
export function shortenOpenmpWaits() {
    if (process.env.OMP_WAIT_POLICY === undefined)
        process.env.GOMP_SPINCOUNT ??= '1000';
}
/** Whether an addon was not found. */
export function isAbsent(addon) {
    return 'remedy' in addon;
}
function load(name) {
    const folder = new URL(`../native/${name}/build/`, import.meta.url);
    const path = fileURLToPath(new URL(`${name}.node`, folder));
    const remedy = 'Run `npx patchstream doctor --build`, which builds it or says why not.';
    if (name === 'torch')
        shortenOpenmpWaits();
    try {
        return require(path);
    }
    catch (cause) {
        const reason = reasonOfBuild(folder);
        if (reason !== undefined)
            return { found: `its addon was not built (${reason})`, remedy };
        if (cause.code === 'MODULE_NOT_FOUND')
            return { found: 'its addon is not built', remedy };
        return { found: `its addon does not load (${firstLine(messageOf(cause))})`, remedy };
    }
}
/** What the build wrote down when it failed. */
function reasonOfBuild(folder) {
    try {
        const outcome = JSON.parse(readFileSync(new URL('build.json', folder), 'utf8'));
        const { built, reason } = outcome;
        return built === false && typeof reason === 'string' ? firstLine(reason) : undefined;
    }
    catch {
        return undefined;
    }
}
/**
 * Calls into the addon, and turns what it throws for want of memory into our own error. Everything else it throws is a mistake of the caller, told
 * by libtorch's own words.
 *
 * @throws BACKEND_MEMORY when memory could not be had.
 */
export function guarded(device, call) {
    try {
        return call();
    }
    catch (cause) {
        throw outOfMemory(device, cause) ?? cause;
    }
}
/** BACKEND_MEMORY for an addon's error about memory, else undefined. */
export function outOfMemory(device, cause) {
    if (!(cause instanceof Error) || cause.code !== 'OUT_OF_MEMORY')
        return undefined;
    const bytes = /allocate (\d+) bytes/.exec(cause.message)?.[1];
    const needed = bytes === undefined ? 'more' : `${Math.ceil(Number(bytes) / 2 ** 20)} MiB more`;
    return fail('BACKEND_MEMORY', { backend: 'torch', needed, memory: `the memory of ${device}` }, { cause });
}
//# sourceMappingURL=native.js.map