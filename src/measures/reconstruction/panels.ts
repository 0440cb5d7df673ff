import { enlarge, fadeVisible, maskPatches, outlineWindows, type SheetRow } from '../../vision/draw/sheet.ts';
import { cropPixels } from '../../vision/pixels.ts';
import type { RestoredImage } from './errors.ts';
import { joined } from './figure.ts';

/** What the panels of an image show, from left to right. */
export function restorationColumns({ whole, low }: RestoredImage): readonly string[] {
  const given = low === undefined ? [] : ['low-res'];
  return ['picture', ...(whole ? [] : ['window']), ...given, 'hidden', 'restored', 'both joined'];
}

/**
 * One image with one window, or masked as a whole, in panels, as LoMaR's figures 7 to 10 have them: the picture, the window enlarged to its size, what is hidden of it, what the model makes of
 * that, and that among the visible patches. A model that is given a picture at low resolution has a panel of it too.
 *
 * @param least small images are enlarged by repetition until they are at least so many pixels wide.
 */
export function restorationRow(image: RestoredImage, caption: string, least = 200): SheetRow {
  const { width, height, picture, windows, shape, whole, low } = image;
  const { topPatch, leftPatch, mask } = windows[0]!;
  const { p, K } = shape;
  const scale = Math.max(1, Math.ceil(least / Math.max(width, height)));
  const box = { left: leftPatch * p, top: topPatch * p, width: K * p, height: K * p };
  const inside = Math.max(1, Math.round((width * scale) / box.width));
  const cut = (data: Uint8Array) => enlarge(cropPixels({ width, height, data }, box), inside);
  const grid = { side: K, patch: p * inside };
  const plain = enlarge({ width, height, data: picture }, scale);
  const framed = { windows: Int32Array.of(topPatch, leftPatch), K, patch: p * scale };
  const [window, made] = [cut(picture), cut(joined(image).data)];
  const tiles = [
    ...(whole ? [plain] : [outlineWindows(plain, framed), window]),
    ...(low === undefined ? [] : [cut(low.nearest.data)]),
    maskPatches(window, mask, grid),
    fadeVisible(made, mask, grid),
    made,
  ];
  return { tiles, caption };
}
