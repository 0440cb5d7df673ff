import { drawSheet, encodePng, enlarge, maskPatches, outlineWindows, type SheetRow } from '../../vision/draw/sheet.ts';
import { denormalisePixels } from '../../vision/patches.ts';
import type { Pixels } from '../../vision/picture.ts';
import type { RestoredImage } from './errors.ts';

/** What a tile of a row shows. */
type Column = 'image' | 'windows' | 'low-res' | 'masked' | 'restored' | 'original';

/** What the tiles of a row show, from left to right: what the model is given first, then what it makes of it. */
export function reconstructionColumns({ whole, unmasked, low }: RestoredImage): readonly Column[] {
  if (unmasked) return ['restored', 'original'];
  if (!whole) return ['image', 'windows', 'masked', 'restored'];
  return [...(low === undefined ? [] : (['low-res'] as const)), 'masked', 'restored', 'original'];
}

/**
 * `reconstruction.png` as bytes: a row per held-out image.
 * @param least small images are enlarged by repetition until they are at least so many pixels wide.
 */
export async function reconstructionFigure(images: readonly RestoredImage[], least = 160): Promise<Uint8Array> {
  const [first] = images;
  return encodePng(
    drawSheet(
      first === undefined ? [] : reconstructionColumns(first),
      images.map((image) => reconstructionRow(image, least)),
    ),
  );
}

/**
 * One image as tiles: as it is; with its windows outlined; what the model is given of it at low resolution; as the model sees it, hidden
 * patches grey; and with the hidden patches restored by the model. Patches of no window are dimmed in the last two, for the model has no
 * part in them.
 */
export function reconstructionRow(image: RestoredImage, least = 160): SheetRow {
  const { width, height, picture, key, windows, shape, whole, low } = image;
  const plain: Pixels = { width, height, data: picture };
  const scale = Math.max(1, Math.ceil(least / Math.max(width, height)));
  const patch = shape.p * scale;
  const corners = Int32Array.from(windows.flatMap(({ topPatch, leftPatch }) => [topPatch, leftPatch]));
  const framed = { windows: corners, K: shape.K, patch };
  const grid = { side: width / shape.p, patch, ...(whole ? {} : { windows: framed }) };
  const masks = Uint8Array.from(windows.flatMap(({ mask }) => [...mask]));
  const tile = enlarge(plain, scale);
  const draw: Readonly<Record<Column, () => Pixels | undefined>> = {
    image: () => tile,
    original: () => tile,
    windows: () => outlineWindows(tile, framed),
    'low-res': () => low && enlarge(low.nearest, scale),
    masked: () => maskPatches(tile, masks, grid),
    restored: () => maskPatches(enlarge(joined(image), scale), new Uint8Array(masks.length), grid),
  };
  return { caption: key, tiles: reconstructionColumns(image).map((column) => draw[column]()) };
}

/** The image with its hidden patches as the model restored them; where several windows hide a patch, the mean of what they made of it. */
export function joined({ width, height, picture, windows, shape: { p, K } }: RestoredImage): Pixels {
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
