import { drawSheet, encodePng, enlarge } from '../../vision/draw/sheet.ts';
import type { WorstAnswer } from './worst.ts';

const across = 4;

/** `classify.png` as bytes: the pictures in their order, four in a row. @param least as wide as they are made at least, in pixels. */
export async function worstFigure(worst: readonly WorstAnswer[], least = 160): Promise<Uint8Array> {
  const tiles = worst.map(({ pixels }) => enlarge(pixels, Math.max(1, Math.ceil(least / pixels.width))));
  const rows = Array.from({ length: Math.ceil(tiles.length / across) }, (_, row) => ({
    tiles: tiles.slice(row * across, (row + 1) * across),
    caption: `${row * across + 1} to ${Math.min(tiles.length, (row + 1) * across)}`,
  }));
  return encodePng(drawSheet(new Array<string>(Math.min(across, Math.max(1, tiles.length))).fill(''), rows));
}
