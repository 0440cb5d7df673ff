import * as tf from '../../backends/tf.ts';
import { uploadAll } from '../../backends/upload.ts';
import { fail } from '../../errors.ts';
import type { Trained } from '../../inference/trained.ts';
import { watchAttention } from '../../models/layers/attention-watch.ts';
import { isClassifier, isEncoder, isRestorer, type Model, type Params } from '../../models/model.ts';
import { hiddenInWindow, hiddenOnGrid } from '../../vision/masks.ts';
import { type Corner, fieldsOf, maskOf, openFigureModel } from './model.ts';
import { type Photo, photosOf } from './photos.ts';

/** Whose blocks are looked at: of the encoder on the whole picture, nothing hidden, or of the decoder that restores hidden patches. */
export type AttentionPart = 'encoder' | 'decoder';

/** A patch of the picture's grid, from 0. */
export interface PatchPlace {
  readonly row: number;
  readonly column: number;
}

/** What one patch attends to in one block. */
export interface AttentionMap {
  /** The block, from 1. */
  readonly layer: number;
  /** float32 [h, side²]: the weight of each patch of the grid that attends; with `others` a head's add up to 1. */
  readonly heads: readonly Float32Array[];
  /** Of each head, what goes to tokens in front of the patches: cls. */
  readonly others: readonly number[];
}

export interface AttendedPhoto extends Pick<Photo, 'path' | 'pixels'> {
  /** The window of a decoder that works on windows; the picture's corner elsewhere. */
  readonly corner: Corner;
  /** Of the decoder: uint8 [side²], 1 hidden. */
  readonly mask?: Uint8Array;
  readonly maps: readonly AttentionMap[];
}

export interface Attended {
  readonly model: string;
  readonly part: AttentionPart;
  /** Blocks of that part. */
  readonly depth: number;
  /** Side of a patch in pixels, and of the grid of patches that attend to each other: the picture's, or a window's. */
  readonly patch: number;
  readonly side: number;
  readonly target: PatchPlace;
  readonly photos: readonly AttendedPhoto[];
}

export interface AttendOptions {
  /** Default: the decoder's where the model has one. */
  readonly part?: AttentionPart | undefined;
  /** Blocks from 1. Default: four at equal distances, the last among them, or all where there are fewer. */
  readonly layers?: readonly number[] | undefined;
  /** From 0. Default: the patch in the middle. */
  readonly target?: PatchPlace | undefined;
  /** Share of the patches that is hidden from the decoder. Default: that of the training. */
  readonly ratio?: number | undefined;
  readonly note: (text: string) => void;
}

/**
 * What a patch of photographs attends to, block by block. For a decoder the patch is one that is hidden, with others by the mask of the photograph (`maskOf`), and the weights are those by which it is
 * restored (LoMaR, figure 1); for an encoder nothing is hidden.
 *
 * @throws ATTENTION_DECODER, ATTENTION_MODEL, ATTENTION_LAYER, ATTENTION_PATCH; MASK_COUNT; FIGURE_PICTURE; what opens the model.
 */
export async function attendPhotos(
  trained: Trained,
  paths: readonly string[],
  options: AttendOptions,
): Promise<Attended> {
  const photos = await photosOf(trained, paths);
  const { model, params, dispose } = await openFigureModel(trained, options.note);
  try {
    const part = options.part ?? (depthOf(model, 'decoder') > 0 ? 'decoder' : 'encoder');
    const looked = lookedAt(trained, model, part);
    const { patch, side, grid } = looked;
    const target = placeIn(grid, options.target);
    const layers = layersOf(looked.depth, part, options.layers);
    const hidden = part === 'decoder' ? hiddenOf(looked, options.ratio, trained) : 0;
    const of = looked.isWindowed ? 'window' : 'picture';
    const made: AttendedPhoto[] = [];
    for (const photo of photos) {
      const corner = cornerOf(target, grid, side);
      const own = (target.row - corner.topPatch) * side + target.column - corner.leftPatch;
      const mask = part === 'decoder' ? maskWith(own, maskOf(photo.path, { side, hidden, of }, trained)) : undefined;
      const given = { photo, corner, ...(mask && { mask }) };
      const maps = await mapsOf({ model, params, part, layers, side, own }, given);
      made.push({ path: photo.path, pixels: photo.pixels, corner, ...(mask && { mask }), maps });
    }
    return { model: trained.model.name, part, depth: looked.depth, patch, side, target, photos: made };
  } finally {
    dispose();
  }
}

/** The parameters that every block of a part has, by which it is counted. */
const blockName = { encoder: 'blocks', decoder: 'decoder_blocks' } as const;

function depthOf({ parameters }: Model, part: AttentionPart): number {
  const pattern = new RegExp(`^${blockName[part]}\\.(\\d+)\\.attn\\.qkv\\.weight$`);
  return parameters.filter((name) => pattern.test(name)).length;
}

interface LookedAt {
  readonly depth: number;
  /** Side of a patch in pixels. */
  readonly patch: number;
  /** Side of the grid of patches that attend to each other, and of the picture's grid. */
  readonly side: number;
  readonly grid: number;
  readonly isWindowed: boolean;
}

/** @throws ATTENTION_DECODER, ATTENTION_MODEL */
function lookedAt({ model: named, size, where }: Trained, model: Model, part: AttentionPart): LookedAt {
  const depth = depthOf(model, part);
  const { patch: given } = named.options as { readonly patch?: number };
  const patch = isRestorer(model) ? model.shape.patch : (given ?? named.spec.grid?.patch);
  if (part === 'decoder' && (depth === 0 || !isRestorer(model)))
    throw fail('ATTENTION_DECODER', { model: named.name }, { where });
  if (depth === 0 || patch === undefined || (part === 'encoder' && !isEncoder(model) && !isClassifier(model)))
    throw fail('ATTENTION_MODEL', { model: named.name }, { where });
  const grid = Math.floor(size[0] / patch);
  const isWindowed = part === 'decoder' && model.fields.includes('windows');
  const side = isWindowed && isRestorer(model) ? model.shape.K : grid;
  return { depth, patch, side, grid, isWindowed };
}

/** @throws ATTENTION_PATCH */
function placeIn(grid: number, target: PatchPlace | undefined): PatchPlace {
  const middle = Math.floor(grid / 2);
  if (target === undefined) return { row: middle, column: middle };
  const { row, column } = target;
  if (row < grid && column < grid) return target;
  throw fail('ATTENTION_PATCH', { grid, found: `${row + 1},${column + 1}` });
}

/** @throws ATTENTION_LAYER */
function layersOf(depth: number, part: AttentionPart, layers: readonly number[] | undefined): readonly number[] {
  const shown = Math.min(4, depth);
  const own = layers ?? Array.from({ length: shown }, (_, i) => Math.round(((i + 1) * depth) / shown));
  const wrong = own.find((layer) => layer < 1 || layer > depth);
  if (wrong !== undefined) throw fail('ATTENTION_LAYER', { depth, part, found: wrong });
  return own;
}

/** The corner of the window whose middle is nearest to a patch. */
function cornerOf({ row, column }: PatchPlace, grid: number, side: number): Corner {
  const at = (place: number) => Math.min(grid - side, Math.max(0, place - Math.floor(side / 2)));
  return { topPatch: at(row), leftPatch: at(column) };
}

/** Patches that are hidden from the decoder: as in the training, unless a ratio is given. @throws MASK_COUNT */
function hiddenOf({ side, isWindowed }: LookedAt, ratio: number | undefined, { model }: Trained): number {
  const n = side ** 2;
  if (ratio === undefined && model.spec.hidden !== undefined) return model.spec.hidden;
  const share = ratio ?? 0.75;
  const hidden = isWindowed ? hiddenInWindow(side, share) : hiddenOnGrid(n, share);
  if (hidden > 0 && hidden < n) return hidden;
  throw fail('MASK_COUNT', { n, ratio: share, hidden });
}

/** A mask that hides the patch that is looked at: where it does not, in the place of the first that it hides. */
function maskWith(own: number, mask: Uint8Array): Uint8Array {
  if (mask[own] === 1) return mask;
  const moved = mask.slice();
  moved[mask.indexOf(1)] = 0;
  moved[own] = 1;
  return moved;
}

interface Looking {
  readonly model: Model;
  readonly params: Params;
  readonly part: AttentionPart;
  readonly layers: readonly number[];
  readonly side: number;
  /** The patch that attends, in its grid. */
  readonly own: number;
}

interface Given {
  readonly photo: Photo;
  readonly corner: Corner;
  readonly mask?: Uint8Array;
}

async function mapsOf(
  { model, params, part, layers, side, own }: Looking,
  { photo, corner, mask }: Given,
): Promise<readonly AttentionMap[]> {
  const n = side ** 2;
  const window = model.fields.includes('windows') ? corner : undefined;
  const fields = fieldsOf(photo, mask ?? new Uint8Array(n), window);
  const inputs = uploadAll(mask === undefined ? { picture: fields.picture! } : model.inputs(fields));
  const rows = new Map<string, tf.Tensor>();
  const wanted = layers.map((layer) => `${blockName[part]}.${layer - 1}`);
  try {
    const made = watchAttention(
      (prefix, weights) => {
        if (!wanted.includes(prefix)) return;
        const all = weights();
        const [, heads, T] = all.shape;
        // What stands in front of the patches is no patch: cls.
        rows.set(prefix, tf.keep(all.slice([0, 0, T - n + own, 0], [1, heads, 1, T]).reshape([heads, T])));
      },
      () => forward(model, part, params, inputs),
    );
    made.dispose();
    const maps: AttentionMap[] = [];
    for (const [i, layer] of layers.entries()) {
      const row = rows.get(wanted[i]!);
      // Blocks of a user's own, which are not ours, are heard by nobody.
      if (row === undefined) throw fail('ATTENTION_MODEL', { model: model.name });
      const [heads, T] = row.shape as [number, number];
      const values = (await row.data()) as Float32Array;
      const all = Array.from({ length: heads }, (_, h) => values.slice(h * T, (h + 1) * T));
      const others = all.map((weights) => weights.subarray(0, T - n).reduce((sum, weight) => sum + weight, 0));
      maps.push({ layer, heads: all.map((weights) => weights.slice(T - n)), others });
    }
    return maps;
  } finally {
    tf.dispose([...rows.values(), ...Object.values(inputs)]);
  }
}

function forward(
  model: Model,
  part: AttentionPart,
  params: Params,
  inputs: Readonly<Record<string, tf.Tensor>>,
): tf.Tensor {
  if (part === 'decoder' && isRestorer(model)) return model.reconstruct(params, inputs);
  if (isEncoder(model)) return model.encode(params, inputs);
  if (isClassifier(model)) return model.classify(params, inputs);
  throw fail('ATTENTION_MODEL', { model: model.name });
}

/** The mean of a map over its heads: float32 [side²], and what goes to other tokens. */
export function meanOf({ heads, others }: Pick<AttentionMap, 'heads' | 'others'>): {
  readonly weights: Float32Array;
  readonly other: number;
} {
  const weights = Float32Array.from(heads[0]!, (_, i) => heads.reduce((sum, one) => sum + one[i]!, 0) / heads.length);
  return { weights, other: others.reduce((sum, one) => sum + one, 0) / others.length };
}

/** How far away, in patches, what is attended to lies: the mean of the distances weighed by a map's share of the patches. @param own the patch that attends. @param side of the grid. */
export function meanDistance(weights: ArrayLike<number>, own: number, side: number): number {
  let [sum, whole] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    const down = Math.floor(i / side) - Math.floor(own / side);
    sum += weights[i]! * Math.hypot(down, (i % side) - (own % side));
    whole += weights[i]!;
  }
  return whole === 0 ? 0 : sum / whole;
}
