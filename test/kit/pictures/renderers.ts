import { imageAddon, isAbsent } from '../../../src/native.ts';
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

/** What libjpeg, libpng and libwebp alone make of a picture, or say of it, where native/image would decode most without them. */
export async function byLibraries<T>(work: () => Promise<T>): Promise<T> {
  const addon = imageAddon();
  if (isAbsent(addon)) throw new Error(addon.found);
  addon.setPortable(1);
  try {
    return await work();
  } finally {
    addon.setPortable(0);
  }
}
