import { fail } from '../../errors.ts';
import { uncounted } from '../../external-memory.ts';
import { isAbsent } from '../../native.ts';
import type { LazyPicture, Pixels } from '../geometry.ts';
import { rgbToGrey } from '../pixels.ts';
import { nativeRenderer } from './native.ts';
import { renderWithSharp } from './sharp.ts';
import type { Place, Rendering } from './waiting.ts';

export type { Place, Rendering } from './waiting.ts';

/** Renders `picture` into `out`, uint8 RGB [height, width, 3]. @throws PICTURE_ROOM, PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED */
export function render(picture: LazyPicture, out: Uint8Array): Promise<void> {
  return renderAll([{ picture, out }]);
}

/**
 * Renders several pictures of one sample: by native/image what it can, the rest by sharp. What they share up to a `settle` is rendered once: the
 * low-resolution copy is made from the pixels of the crop, not from the file again. Nothing is written after a failure has been reported, or
 * after `place` was taken back (the sample was late and its cell is another's).
 * @throws PICTURE_ROOM, PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
 */
export function renderAll(renderings: readonly Rendering[], place?: Place): Promise<void> {
  if (renderings.length === 0) return Promise.resolve();
  for (const { picture, out } of renderings) {
    const needed = picture.width * picture.height * 3;
    if (out.length !== needed) {
      const error = fail('PICTURE_ROOM', { width: picture.width, height: picture.height, needed, found: out.length });
      return Promise.reject(error);
    }
  }
  const native = nativeRenderer();
  const bySharp = () => renderWithSharp(renderings, place);
  return isAbsent(native) ? bySharp() : native.render(renderings, place, bySharp);
}

/**
 * Renders a picture's luma (JPEG's: 0.299 R + 0.587 G + 0.114 B) into memory of its own: uint8 [height, width]. Of a JPEG at its full size they are the
 * very values in the file; no colours are made on the way.
 * @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
 */
export async function renderGrey(picture: LazyPicture): Promise<Uint8Array> {
  const out = uncounted(new Uint8Array(picture.width * picture.height));
  const native = nativeRenderer();
  const fromColours = async () => out.set(rgbToGrey((await renderPixels(picture)).data));
  await (isAbsent(native) ? fromColours() : native.render([{ picture, out, grey: true }], undefined, fromColours));
  return out;
}

/** Renders a picture into memory of its own. @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED */
export async function renderPixels(picture: LazyPicture): Promise<Pixels> {
  const { width, height } = picture;
  const data = uncounted(new Uint8Array(width * height * 3));
  await render(picture, data);
  return { width, height, data };
}
