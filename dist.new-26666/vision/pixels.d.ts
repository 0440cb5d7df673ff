import type { Box, Colour, Pixels } from './picture.ts';
/** The part of the pixels in `box`: [box.height, box.width, 3], copied. */
export declare function cropPixels({ width, data }: Pixels, { left, top, width: w, height: h }: Box): Pixels;
/** The pixels mirrored left to right, copied. */
export declare function mirrorPixels({ width, height, data }: Pixels): Pixels;
/** A page of width × height pixels in one colour. */
export declare function blankPixels(width: number, height: number, [red, green, blue]: Colour): Pixels;
/** Copies `pixels` onto `page` with its corner at (left, top); what juts out is left away. Writes into `page`. */
export declare function pastePixels(page: Pixels, pixels: Pixels, left: number, top: number): void;
/** The pixels inside a larger page: [height, width, 3], with `background` around. */
export declare function padPixels(pixels: Pixels, { width, height, left, top, background, }: {
    width: number;
    height: number;
    left: number;
    top: number;
    background: Colour;
}): Pixels;
/** Enlarges by repetition, or picks: source index ⌊i · from / to⌋, so that every pixel stays one flat square where the factor is whole. */
export declare function repeatPixels(pixels: Pixels, width: number, height: number): Pixels;
/** Grey [H · W] repeated to RGB [H · W · 3]. */
export declare function greyToRgb(grey: Uint8Array): Uint8Array;
/** The luma of RGB [H · W · 3] as JPEG defines it, in libjpeg's integers: [H · W]. */
export declare function rgbToGrey(rgb: Uint8Array): Uint8Array;
