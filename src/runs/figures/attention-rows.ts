import { counted } from '../../counts.ts';
import { enlarge, markPatch, maskPatches, outlineWindows, type SheetRow } from '../../vision/draw/sheet.ts';
import type { Pixels } from '../../vision/picture.ts';
import { cropPixels } from '../../vision/pixels.ts';
import { type Attended, type AttendedPhoto, type AttentionMap, meanDistance, meanOf } from './attend.ts';

/** What the panels of an attention figure show, from left to right. */
export function attentionColumns({ photos, part, side, patch }: Attended): readonly string[] {
  const [first] = photos;
  if (first === undefined) return [];
  const window = isWindow(first, { side, patch }) ? ['window'] : [];
  const hidden = part === 'decoder' ? ['hidden'] : [];
  return ['picture', ...window, ...hidden, ...first.maps.map(({ layer }) => `layer ${layer}`)];
}

/**
 * Photographs in panels, as LoMaR's figure 1 has them: the picture and what is hidden of it, the patch that attends framed, and a map for each layer: the lighter a patch, the more it is attended to, the
 * most in white. A row for each photograph, the mean over the heads; with `heads` a row for each head too.
 *
 * @param least small pictures are enlarged by repetition until they are at least so many pixels wide.
 */
export function attentionRows(attended: Attended, { heads, least = 200 }: AttentionRowOptions): readonly SheetRow[] {
  return attended.photos.flatMap((photo) => {
    const place = drawnAt(attended, photo, least);
    const given = givenTiles(attended, photo, place);
    const rowOf = (what: string, weightsOf: (map: AttentionMap) => Float32Array, first: boolean): SheetRow => ({
      tiles: [
        ...(first ? given : given.map(() => undefined)),
        ...photo.maps.map((map) => mapTile(weightsOf(map), place)),
      ],
      caption: [photo.path, what, distanceText(photo.maps, weightsOf, place)].join(' · '),
    });
    const all = photo.maps[0]?.heads ?? [];
    const name = `patch ${attended.target.row + 1},${attended.target.column + 1} of the ${attended.part}`;
    const each = heads ? all.map((_, h) => rowOf(`head ${h + 1}`, (map) => map.heads[h]!, false)) : [];
    return [rowOf(`${name}, mean over ${counted(all.length, 'head')}`, (map) => meanOf(map).weights, true), ...each];
  });
}

export interface AttentionRowOptions {
  readonly heads: boolean;
  readonly least?: number;
}

interface Place {
  readonly side: number;
  /** Side of a patch in pixels of a tile. */
  readonly patch: number;
  /** How often the picture is enlarged, and the part of it whose patches attend to each other. */
  readonly scale: number;
  readonly inside: number;
  readonly target: { readonly row: number; readonly column: number };
}

function drawnAt({ patch, side, target }: Attended, { pixels, corner }: AttendedPhoto, least: number): Place {
  const scale = Math.max(1, Math.ceil(least / Math.max(pixels.width, pixels.height)));
  const inside = Math.max(1, Math.round((pixels.width * scale) / (side * patch)));
  const own = { row: target.row - corner.topPatch, column: target.column - corner.leftPatch };
  return { side, patch: patch * inside, scale, inside, target: own };
}

function isWindow({ pixels }: AttendedPhoto, { side, patch }: Pick<Attended, 'side' | 'patch'>): boolean {
  return side * patch < Math.min(pixels.width, pixels.height);
}

/** What the model is given, with the patch framed. */
function givenTiles(attended: Attended, photo: AttendedPhoto, place: Place): readonly Pixels[] {
  const { patch, side, target } = attended;
  const { pixels, corner, mask } = photo;
  const whole = enlarge(pixels, place.scale);
  const box = {
    left: corner.leftPatch * patch,
    top: corner.topPatch * patch,
    width: side * patch,
    height: side * patch,
  };
  const window = enlarge(cropPixels(pixels, box), place.inside);
  const frame = { windows: Int32Array.of(corner.topPatch, corner.leftPatch), K: side, patch: patch * place.scale };
  const framed = isWindow(photo, attended)
    ? [outlineWindows(whole, frame), markPatch(window, place.target, place.patch)]
    : [markPatch(whole, target, patch * place.scale)];
  if (mask === undefined) return framed;
  return [...framed, markPatch(maskPatches(window, mask, place), place.target, place.patch)];
}

/** A map as a tile: black for nothing, white for the most. */
function mapTile(weights: Float32Array, { side, patch, target }: Place): Pixels {
  const most = Math.max(...weights);
  const data = new Uint8Array(side * side * 3);
  for (const [i, weight] of weights.entries())
    data.fill(most > 0 ? Math.round((255 * weight) / most) : 0, 3 * i, 3 * i + 3);
  return markPatch(enlarge({ width: side, height: side, data }, patch), target, patch);
}

/** `patches away: layer 2 4.1, layer 4 2.3 (spread evenly 5.3)` */
function distanceText(
  maps: readonly AttentionMap[],
  weightsOf: (map: AttentionMap) => Float32Array,
  { side, target }: Place,
): string {
  const own = target.row * side + target.column;
  const away = (weights: Float32Array) => meanDistance(weights, own, side).toFixed(1);
  const each = maps.map((map) => `layer ${map.layer} ${away(weightsOf(map))}`);
  return `patches away: ${each.join(', ')} (spread evenly ${away(new Float32Array(side ** 2).fill(1))})`;
}
