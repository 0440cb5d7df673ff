import { isAbsent } from '../../../src/native.ts';
import type { Picture, Pixels } from '../../../src/vision/picture.ts';
import { nativeRenderer } from '../../../src/vision/render/native.ts';
import { renderWithSharp } from '../../../src/vision/render/sharp.ts';

/** What sharp makes of a picture. */
export async function bySharp(picture: Picture): Promise<Pixels> {
  const { width, height } = picture;
  const data = new Uint8Array(width * height * 3);
  await renderWithSharp([{ picture, out: data }]);
  return { width, height, data };
}

/** What native/image makes of it alone; fails where it leaves the picture to sharp. */
export async function natively(picture: Picture): Promise<Pixels> {
  const native = nativeRenderer();
  if (isAbsent(native)) throw new Error(native.found);
  const { width, height } = picture;
  const data = new Uint8Array(width * height * 3);
  await native.render([{ picture, out: data }], undefined, () => Promise.reject(new Error('left to sharp')));
  return { width, height, data };
}
