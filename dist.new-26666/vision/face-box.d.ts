import type { Box } from './picture.ts';
export declare const faceShapes: readonly ["square", "found"];
export declare const faceBorders: readonly ["move", "pad"];
export interface FaceBoxOptions {
    /** Added on each side, as a share of the box's longer side. */
    readonly margin: number;
    readonly shape: (typeof faceShapes)[number];
    readonly border: (typeof faceBorders)[number];
}
/** The sides of a picture or a part of one, in pixels. */
export interface Extent {
    readonly width: number;
    readonly height: number;
}
/**
 * What to cut out for a face at `box`: larger by the margin, square or as it is, around the same middle. With `move` it lies in the picture: it is shifted,
 * and where it is longer than a side of the picture it becomes shorter, and stays square if it is to be. With `pad` it may jut out, but some of it always
 * lies in the picture. Whole pixels; at least one.
 */
export declare function boxAround(box: Box, picture: Extent, { margin, shape, border }: FaceBoxOptions): Box;
