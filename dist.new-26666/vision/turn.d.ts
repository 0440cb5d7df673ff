import type { Extent } from './face-box.ts';
import type { Box, Colour, Operation, Pixels } from './picture.ts';
/** A rectangle that may stand at an angle, in pixels of the picture. None of its numbers need be whole. */
export interface Frame {
    /** Its middle, from the upper left corner of the picture. */
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    /** How far its upper side is turned from the picture's, clockwise as one sees it, in radians. */
    readonly angle: number;
}
type Turn = Operation & {
    readonly kind: 'turn';
};
/**
 * Pixels looked up in those before, where they lie: place (u, v) of the page, whose pixels have their middles at halves, is place (a·u + b·v + c, d·u + e·v + f) of
 * the source. Bicubic; what lies outside of the source has the colour of the background.
 */
export interface Warp {
    readonly kind: 'warp';
    readonly width: number;
    readonly height: number;
    readonly matrix: readonly [a: number, b: number, c: number, d: number, e: number, f: number];
    readonly background: Colour;
}
/** What renderers do: turning is done as an upright cut of what is needed, in about the size that is wanted, and a warp of that. */
export type Drawn = Exclude<Operation, Turn> | Warp;
/** The upright rectangle around a frame. */
export declare function boundsOf({ x, y, width, height, angle }: Frame): Box;
/** The operations as renderers do them, on a picture of that size. */
export declare function drawnFrom(operations: readonly Operation[], start: Extent): readonly Drawn[];
/** Does a warp. What native/image does in the same way. */
export declare function warpPixels({ width, height, data }: Pixels, { matrix, background, ...page }: Warp): Pixels;
export {};
