import sharp from 'sharp';
import type { Colour, Pixels } from '../picture.ts';
import { blankPixels, pastePixels, repeatPixels } from '../pixels.ts';
import { drawText, fitText, lineHeight, textWidth } from './font.ts';

const paper: Colour = [250, 250, 248];
const ink: Colour = [38, 38, 42];
const faint: Colour = [128, 128, 134];
const hiddenGrey: Colour = [136, 136, 140];
const hiddenEdge: Colour = [152, 152, 156];
const margin = 24;
const gap = 14;

/** Colours that stay apart on photographs and for colour-blind eyes. Source: Okabe and Ito, Color Universal Design, 2008. */
export const windowColours: readonly Colour[] = [
  [255, 176, 0],
  [86, 200, 255],
  [240, 90, 40],
  [0, 200, 140],
  [255, 120, 190],
  [245, 235, 70],
  [60, 120, 255],
];

export interface SheetRow {
  /** One tile for each column, all of one size; undefined leaves the place empty. */
  readonly tiles: readonly (Pixels | undefined)[];
  /** A line under the row, such as the sample's key. */
  readonly caption?: string;
}

/**
 * A page with a heading over each column and a row of tiles for each sample. Tiles are placed as they are; enlarge them before
 * (`enlarge`). Text is drawn with a font of our own, so the page looks the same on every machine.
 */
export function drawSheet(headings: readonly string[], rows: readonly SheetRow[]): Pixels {
  const tiles = rows.flatMap((row) => row.tiles.filter((tile) => tile !== undefined));
  const tileWidth = Math.max(1, ...tiles.map(({ width }) => width));
  const tileHeight = Math.max(1, ...tiles.map(({ height }) => height));
  const headingScale = tileWidth >= 150 ? 2 : 1;
  const captionHeight = rows.some(({ caption }) => caption !== undefined) ? lineHeight + 8 : 0;
  const headingHeight = lineHeight * headingScale + 10;
  const width = 2 * margin + headings.length * (tileWidth + gap) - gap;
  const height = 2 * margin + headingHeight + rows.length * (tileHeight + captionHeight + gap) - gap;
  const page = blankPixels(width, height, paper);
  for (const [column, heading] of headings.entries()) {
    const text = fitText(heading, tileWidth, headingScale);
    const left = margin + column * (tileWidth + gap) + Math.floor((tileWidth - textWidth(text, headingScale)) / 2);
    drawText(page, text, { left, top: margin, scale: headingScale, colour: ink });
  }
  for (const [i, { tiles: placed, caption }] of rows.entries()) {
    const top = margin + headingHeight + i * (tileHeight + captionHeight + gap);
    for (const [column, tile] of placed.entries()) {
      if (tile !== undefined) pastePixels(page, tile, margin + column * (tileWidth + gap), top);
    }
    if (caption === undefined) continue;
    const text = fitText(caption, width - 2 * margin, 1);
    drawText(page, text, { left: margin, top: top + tileHeight + 6, scale: 1, colour: faint });
  }
  return page;
}

/** The page as a PNG file. */
export async function encodePng({ width, height, data }: Pixels): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .png({ compressionLevel: 6 })
    .toBuffer();
}

/** Pixels made `scale` times larger, each a square. */
export function enlarge(pixels: Pixels, scale: number): Pixels {
  return repeatPixels(pixels, pixels.width * scale, pixels.height * scale);
}

/** Windows on a grid: int32 [M, 2] tops and lefts and the sides in patches, a patch's side in pixels of the tile. */
export interface WindowGrid {
  readonly windows: Int32Array;
  /** Side of a window in patches. */
  readonly K: number;
  /** Side of a patch in pixels of the tile. */
  readonly patch: number;
}

/** The tile with a coloured frame around each window, a dark line beside it so that it stands out on every ground. */
export function outlineWindows(tile: Pixels, { windows, K, patch }: WindowGrid): Pixels {
  const page = { ...tile, data: tile.data.slice() };
  const thick = Math.max(2, Math.round(tile.width / 64));
  for (let i = 0; i < windows.length / 2; i++) {
    const box = { top: windows[2 * i]! * patch, left: windows[2 * i + 1]! * patch, side: K * patch };
    frame(page, box, 0, thick, windowColours[i % windowColours.length]!);
    frame(page, box, thick, 1, [20, 20, 20]);
  }
  return page;
}

/** A square frame `thick` pixels wide, `inset` pixels inside the box. */
function frame(
  page: Pixels,
  box: { top: number; left: number; side: number },
  inset: number,
  thick: number,
  colour: Colour,
): void {
  const side = box.side - 2 * inset;
  const horizontal = blankPixels(side, thick, colour);
  const vertical = blankPixels(thick, side, colour);
  const [top, left] = [box.top + inset, box.left + inset];
  pastePixels(page, horizontal, left, top);
  pastePixels(page, horizontal, left, top + side - thick);
  pastePixels(page, vertical, left, top);
  pastePixels(page, vertical, left + side - thick, top);
}

/**
 * The tile as a model sees it. Hidden patches are grey; where windows overlap, a patch that is hidden in some and visible in others is
 * grey below its diagonal; patches in no window are dimmed. Without windows, `masks` is uint8 [n] over the whole grid.
 */
export function maskPatches(
  tile: Pixels,
  masks: Uint8Array,
  grid: { readonly side: number; readonly patch: number; readonly windows?: WindowGrid },
): Pixels {
  const page = { ...tile, data: tile.data.slice() };
  const seen = new Uint8Array(grid.side ** 2);
  const hidden = new Uint8Array(grid.side ** 2);
  if (grid.windows === undefined) {
    seen.fill(1);
    hidden.set(masks);
  } else {
    const { windows, K } = grid.windows;
    for (let i = 0; i < masks.length; i++) {
      const view = Math.floor(i / (K * K));
      const row = windows[2 * view]! + Math.floor((i % (K * K)) / K);
      const at = row * grid.side + windows[2 * view + 1]! + (i % K);
      seen[at]!++;
      hidden[at]! += masks[i]!;
    }
  }
  for (let at = 0; at < seen.length; at++) {
    const box = { top: Math.floor(at / grid.side) * grid.patch, left: (at % grid.side) * grid.patch, side: grid.patch };
    if (seen[at] === 0) shade(page, box, pale);
    else if (hidden[at]! > 0) {
      const half = hidden[at]! < seen[at]!;
      shade(page, box, (_, channel) => hiddenGrey[channel]!, half);
      // A lighter edge, so that one sees single patches where many are hidden.
      if (!half) frame(page, box, 0, 1, hiddenEdge);
    }
  }
  return page;
}

/** The tile with its hidden patches alone: the visible ones of a grid of `side` patches are pale. @param masks uint8 [side²], 1 hidden. @param patch a patch's side in pixels of the tile. */
export function fadeVisible(tile: Pixels, masks: Uint8Array, { side, patch }: { side: number; patch: number }): Pixels {
  const page = { ...tile, data: tile.data.slice() };
  for (const [at, hidden] of masks.entries())
    if (hidden === 0) shade(page, { top: Math.floor(at / side) * patch, left: (at % side) * patch, side: patch }, pale);
  return page;
}

/** A pixel that has no part in what is shown. */
const pale = (value: number) => Math.round(210 + value * 0.15);

/** The tile with a frame around one patch, in the first of the colours. @param patch a patch's side in pixels of the tile. */
export function markPatch(tile: Pixels, place: { row: number; column: number }, patch: number): Pixels {
  return outlineWindows(tile, { windows: Int32Array.of(place.row, place.column), K: 1, patch });
}

/** Changes the pixels of a square, or of the half of it below the diagonal. */
function shade(
  page: Pixels,
  { top, left, side }: { top: number; left: number; side: number },
  change: (value: number, channel: number) => number,
  half = false,
): void {
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (half && x + y < side) continue;
      const at = ((top + y) * page.width + left + x) * 3;
      for (let channel = 0; channel < 3; channel++) page.data[at + channel] = change(page.data[at + channel]!, channel);
    }
  }
}
