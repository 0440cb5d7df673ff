import type { Box, Picture } from './picture.ts';
import { type Warp } from './turn.ts';
/** Fits `Kernel` of native/image/job.h. */
declare const kernelNumbers: {
    readonly bilinear: 0;
    readonly bicubic: 1;
};
/**
 * What the native renderer does in one go: cuts `box` out of a source, resizes it to `size`, cuts `window` out of that, mirrors it, and lays it on
 * a page. With `matrix` (that of a warp) it looks up the pixels of `size` in the whole page of another step instead of resizing, and `page.background` is the
 * colour of what lies outside of that.
 */
export interface Step {
    /** The step whose page is the source; −1: the picture's origin. */
    readonly source: number;
    readonly box: Box;
    readonly size: {
        readonly width: number;
        readonly height: number;
    };
    readonly kernel: keyof typeof kernelNumbers;
    readonly window: Box;
    readonly mirrored: boolean;
    readonly matrix: Warp['matrix'] | undefined;
    readonly page: {
        readonly width: number;
        readonly height: number;
        readonly left: number;
        readonly top: number;
        /** 0xRRGGBB */
        readonly background: number;
    };
}
/** Ints of a step as `writeStep` writes it. */
export declare const stepInts = 27;
/**
 * Writes a step at `at` of `ints`, as native/image/job.h reads it. `output` is the number of the output that gets its page; −1: none. `channels` of the
 * page: 3, or 1 for luma.
 */
export declare function writeStep(ints: Int32Array, at: number, step: Step, output: number, channels?: 1 | 3): void;
/** The steps of one sample's pictures: `outputs[i]` is the step whose page is picture i. */
export interface Plan {
    readonly steps: readonly Step[];
    readonly outputs: readonly number[];
}
/**
 * The steps that render pictures, which have one origin. What they share up to a `settle` is one step. A chain that does more than a step can
 * (two resizes, a crop of a border) is several, with pixels rounded in between as they are everywhere.
 * Nothing when a kernel is one that only sharp has.
 */
export declare function planOf(renderings: readonly {
    readonly picture: Picture;
}[]): Plan | undefined;
export {};
