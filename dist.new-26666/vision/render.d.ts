import type { Picture, Pixels } from './picture.ts';
import { type Place, type Rendering } from './render-native.ts';
export type { Place, Rendering } from './render-native.ts';
/** Renders `picture` into `out`, uint8 RGB [height, width, 3]. @throws PICTURE_ROOM, PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED */
export declare function render(picture: Picture, out: Uint8Array): Promise<void>;
/**
 * Renders several pictures of one sample: by native/image what it can, the rest by sharp. What they share up to a `settle` is rendered once: the
 * low-resolution twin is made from the pixels of the crop, not from the file again. Nothing is written after a failure has been reported, or
 * after `place` was taken back (the sample was late and its cell is another's).
 * @throws PICTURE_ROOM, PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
 */
export declare function renderAll(renderings: readonly Rendering[], place?: Place): Promise<void>;
/**
 * Renders a picture's luma (JPEG's: 0.299 R + 0.587 G + 0.114 B) into memory of its own: uint8 [height, width]. Of a JPEG at its full size they are the
 * very values in the file; no colours are made on the way.
 * @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
 */
export declare function renderGrey(picture: Picture): Promise<Uint8Array>;
/** Renders a picture into memory of its own. @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED */
export declare function renderPixels(picture: Picture): Promise<Pixels>;
