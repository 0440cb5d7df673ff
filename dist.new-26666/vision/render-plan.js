import { drawnFrom } from "./turn.js";
/** Fits `Kernel` of native/image/job.h. */
const kernelNumbers = { bilinear: 0, bicubic: 1 };
const longestSide = 2 ** 30;
/** Ints of a step as `writeStep` writes it. */
export const stepInts = 27;
/**
 * Writes a step at `at` of `ints`, as native/image/job.h reads it. `output` is the number of the output that gets its page; −1: none. `channels` of the
 * page: 3, or 1 for luma.
 */
export function writeStep(ints, at, step, output, channels = 3) {
    const { box, size, window, page } = step;
    ints[at] = step.source;
    ints[at + 1] = output;
    ints[at + 2] = box.left;
    ints[at + 3] = box.top;
    ints[at + 4] = box.width;
    ints[at + 5] = box.height;
    ints[at + 6] = size.width;
    ints[at + 7] = size.height;
    ints[at + 8] = kernelNumbers[step.kernel];
    ints[at + 9] = window.left;
    ints[at + 10] = window.top;
    ints[at + 11] = window.width;
    ints[at + 12] = window.height;
    ints[at + 13] = step.mirrored ? 1 : 0;
    ints[at + 14] = page.width;
    ints[at + 15] = page.height;
    ints[at + 16] = page.left;
    ints[at + 17] = page.top;
    ints[at + 18] = page.background;
    ints[at + 19] = channels;
    ints[at + 20] = step.matrix === undefined ? 0 : 1;
    if (step.matrix !== undefined)
        new Float32Array(ints.buffer, ints.byteOffset).set(step.matrix, at + 21);
}
/**
 * The steps that render pictures, which have one origin. What they share up to a `settle` is one step. A chain that does more than a step can
 * (two resizes, a crop of a border) is several, with pixels rounded in between as they are everywhere.
 * Nothing when a kernel is one that only sharp has.
 */
export function planOf(renderings) {
    const steps = [];
    // Of one picture no part comes twice.
    const done = renderings.length > 1 ? new Map() : undefined;
    const outputs = [];
    for (const { picture } of renderings) {
        const step = stepOf(picture, steps, done);
        // A page is written once: a picture that is asked for twice gets a second step.
        const again = step !== undefined && outputs.includes(step) ? copyOf(step, picture, steps) : step;
        if (again === undefined)
            return undefined;
        outputs.push(again);
    }
    return { steps, outputs };
}
/** The number of the step that makes the picture, added to `steps` with all that it needs. */
function stepOf(picture, steps, done) {
    const known = done?.get(picture);
    if (known !== undefined)
        return known;
    const operations = [];
    let at = picture;
    while (at.from !== undefined && at.from.operation.kind !== 'settle') {
        operations.push(at.from.operation);
        at = at.from.picture;
    }
    let step;
    if (at.from === undefined)
        step = -1;
    else {
        const source = stepOf(at.from.picture, steps, done);
        if (source === undefined)
            return undefined;
        step = source;
    }
    let drawn = new Drawing(step, at.width, at.height);
    // They were met from the last to the first.
    for (const operation of drawnFrom(operations.reverse(), at)) {
        // `cover` of a line of pixels can describe billions of them, of which it then cuts out a few.
        if (operation.kind === 'resize' && Math.max(operation.width, operation.height) > longestSide)
            return undefined;
        if (operation.kind === 'resize' && !(operation.kernel in kernelNumbers))
            return undefined;
        if (drawn.add(operation))
            continue;
        steps.push(drawn.step());
        drawn = new Drawing(steps.length - 1, drawn.width, drawn.height);
        drawn.add(operation);
    }
    if (step < 0 || operations.length > 0)
        step = steps.push(drawn.step()) - 1;
    done?.set(picture, step);
    return step;
}
function copyOf(step, { width, height }, steps) {
    return steps.push(new Drawing(step, width, height).step()) - 1;
}
/** A step while operations are added to it. */
class Drawing {
    #source;
    #whole;
    #box;
    #size;
    #window;
    #mirrored = false;
    #matrix;
    #outside = 0;
    #page;
    constructor(source, width, height) {
        this.#source = source;
        this.#whole = { left: 0, top: 0, width, height };
        this.#box = this.#whole;
    }
    get width() {
        return (this.#page ?? this.#window ?? this.#box).width;
    }
    get height() {
        return (this.#page ?? this.#window ?? this.#box).height;
    }
    /** Adds what is to be done next; false, with nothing done, when the step cannot do it after what it does already. */
    add(operation) {
        switch (operation.kind) {
            case 'settle':
                return true;
            case 'flip':
                this.#mirrored = !this.#mirrored;
                if (this.#page !== undefined) {
                    const { width, left } = this.#page;
                    this.#page = { ...this.#page, left: width - left - (this.#window ?? this.#box).width };
                }
                return true;
            case 'pad': {
                if (this.#page !== undefined || this.#matrix !== undefined)
                    return false;
                const { width, height, left, top } = operation;
                this.#page = { width, height, left, top, background: numberOf(operation.background) };
                return true;
            }
            case 'crop': {
                if (this.#page !== undefined)
                    return false;
                const box = this.#upright(operation.box);
                if (this.#window === undefined)
                    this.#box = inside(this.#box, box);
                else
                    this.#window = inside(this.#window, box);
                return true;
            }
            case 'resize': {
                if (this.#size !== undefined || this.#page !== undefined)
                    return false;
                const { width, height, kernel } = operation;
                this.#size = { width, height, kernel: kernel };
                this.#window = { left: 0, top: 0, width, height };
                return true;
            }
            case 'warp': {
                // Of all of a page, and first of all.
                const fresh = this.#box === this.#whole && !this.#mirrored && (this.#size ?? this.#page) === undefined;
                if (this.#source < 0 || !fresh)
                    return false;
                const { width, height } = operation;
                this.#size = { width, height, kernel: 'bicubic' };
                this.#window = { left: 0, top: 0, width, height };
                this.#matrix = operation.matrix;
                this.#outside = numberOf(operation.background);
                return true;
            }
        }
    }
    step() {
        const { width, height } = this.#size ?? this.#box;
        const window = this.#window ?? { left: 0, top: 0, width, height };
        return {
            source: this.#source,
            box: this.#box,
            size: { width, height },
            kernel: this.#size?.kernel ?? 'bicubic',
            window,
            mirrored: this.#mirrored,
            matrix: this.#matrix,
            page: this.#page ?? { width: window.width, height: window.height, left: 0, top: 0, background: this.#outside },
        };
    }
    /** A box of the mirrored picture, in the picture before it was mirrored: mirroring is done last. */
    #upright(box) {
        return this.#mirrored ? { ...box, left: this.width - box.left - box.width } : box;
    }
}
/** 0xRRGGBB */
const numberOf = ([red, green, blue]) => (red << 16) | (green << 8) | blue;
const inside = (outer, { left, top, width, height }) => ({
    left: outer.left + left,
    top: outer.top + top,
    width,
    height,
});
//# sourceMappingURL=render-plan.js.map