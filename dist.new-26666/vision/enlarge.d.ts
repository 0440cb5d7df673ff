import type { Kernel, Pixels } from './picture.ts';
/**
 * Resizes pixels one side after the other, as Pillow does. For pictures that get larger, which sharp moves by half a pixel on the way (libvips 8.17);
 * for others sharp is faster.
 */
export declare function enlarge({ width, height, data }: Pixels, to: {
    width: number;
    height: number;
    kernel: Kernel;
}): Pixels;
