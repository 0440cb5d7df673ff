import type { Box, Extent, Pixels } from '../geometry.ts';

/** What EXIF's orientation, 1–8, does to a picture as it lies in its file: it is mirrored, and then its sides change places. As in native/image. */
function turnOf(orientation: number) {
  return {
    mirroredX: [2, 3, 6, 7].includes(orientation),
    mirroredY: [3, 4, 7, 8].includes(orientation),
    transposed: orientation > 4,
  };
}

/** Where a box of the upright picture of that size lies in the file. */
export function lyingBox(box: Box, { width, height }: Extent, orientation: number): Box {
  const { mirroredX, mirroredY, transposed } = turnOf(orientation);
  const left = mirroredX ? width - box.left - box.width : box.left;
  const top = mirroredY ? height - box.top - box.height : box.top;
  if (!transposed) return { left, top, width: box.width, height: box.height };
  return { left: top, top: left, width: box.height, height: box.width };
}

/** Pixels as they lie in the file, turned upright: copied, but for the orientation 1. */
export function uprightPixels(lying: Pixels, orientation: number): Pixels {
  if (orientation === 1) return lying;
  const { mirroredX, mirroredY, transposed } = turnOf(orientation);
  const [width, height] = transposed ? [lying.height, lying.width] : [lying.width, lying.height];
  const data = new Uint8Array(lying.data.length);
  // Steps in the file, in bytes, for a step across and one down the upright picture.
  const [across, down] = transposed ? [lying.width * 3, 3] : [3, lying.width * 3];
  for (let y = 0, to = 0; y < height; y++) {
    const line = (mirroredY ? height - 1 - y : y) * down;
    for (let x = 0; x < width; x++, to += 3) {
      const from = line + (mirroredX ? width - 1 - x : x) * across;
      data[to] = lying.data[from]!;
      data[to + 1] = lying.data[from + 1]!;
      data[to + 2] = lying.data[from + 2]!;
    }
  }
  return { width, height, data };
}
