import { denormalisePixels } from '../vision/patches.ts';
import type { Pixels } from '../vision/picture.ts';
import { drawSheet, encodePng, enlarge, maskPatches, outlineWindows, type SheetRow } from '../vision/sheet.ts';
import type { RestoredImage } from './evaluate.ts';

/** What the tiles of a row show, from left to right. */
export const reconstructionColumns = ['image', 'windows', 'masked', 'restored'] as const;

/**
 * `reconstruction.png` as bytes: a row per held-out image.
 * @param least small images are enlarged by repetition until they are at least so many pixels wide.
 */
export async function reconstructionFigure(images: readonly RestoredImage[], least = 160): Promise<Uint8Array> {
  return encodePng(
    drawSheet(
      reconstructionColumns,
      images.map((image) => reconstructionRow(image, least)),
    ),
  );
}

/**
 * One image as tiles: as it is; with its windows outlined; as the model sees it, hidden patches grey; and with the hidden patches
 * restored by the model. In the last two, patches of no window are dimmed, for the model has no part in them.
 */
export function reconstructionRow(image: RestoredImage, least = 160): SheetRow {
  const { width, height, picture, key, windows, shape } = image;
  const plain: Pixels = { width, height, data: picture };
  const scale = Math.max(1, Math.ceil(least / Math.max(width, height)));
  const patch = shape.p * scale;
  const corners = Int32Array.from(windows.flatMap(({ topPatch, leftPatch }) => [topPatch, leftPatch]));
  const grid = { side: width / shape.p, patch, windows: { windows: corners, K: shape.K, patch } };
  const masks = Uint8Array.from(windows.flatMap(({ mask }) => [...mask]));
  const tile = enlarge(plain, scale);
  return {
    caption: key,
    tiles: [
      tile,
      outlineWindows(tile, grid.windows),
      maskPatches(tile, masks, grid),
      maskPatches(enlarge(restore(image), scale), new Uint8Array(masks.length), grid),
    ],
  };
}

/** The image with its hidden patches as the model restored them; where several windows hide a patch, the mean of what they made of it. */
function restore({ width, height, picture, windows, shape: { p, K } }: RestoredImage): Pixels {
  const sums = new Float64Array(picture.length);
  const counts = new Uint8Array(picture.length);
  const size = p * p * 3;
  for (const { topPatch, leftPatch, mask, restored } of windows) {
    const pixels = denormalisePixels(restored);
    for (let i = 0; i < pixels.length; i++) {
      const k = Math.floor(i / size);
      if (mask[k] === 0) continue;
      const row = (topPatch + Math.floor(k / K)) * p + Math.floor((i % size) / (p * 3));
      const at = (row * width + (leftPatch + (k % K)) * p) * 3 + (i % (p * 3));
      sums[at]! += pixels[i]!;
      counts[at]! += 1;
    }
  }
  const data = picture.map((value, at) => (counts[at] === 0 ? value : Math.round(sums[at]! / counts[at]!)));
  return { width, height, data };
}
