import type { Constants } from '../../backends/constants.ts';
import { pairBuckets } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import type { BlockPaths } from '../classifier/drop-path.ts';
import type { EncoderShape } from '../layers/encoder.options.ts';
import { type Grid, positions } from '../layers/encoder.ts';
import { input } from '../layers/learned.ts';
import { bucketCount, gridBuckets } from '../layers/relative.ts';
import { block, norm, parameter, project, type Relative } from '../layers/vit.ts';
import type { Params } from '../model.ts';
import type { LomarShape } from './options.ts';

/**
 * A micro-batch on the backend: `picture` [N, H, W, 3], values 0–255; `tokens` [N, M·K²] int32, the windows' places in the grid; `masks`
 * [N, M, K²], 1 hidden; with drop path also `paths` [N, M, 2L]; where the encoder sees visible patches first also what `visible.ts` reads.
 * float32 but for the places.
 */
export type LomarInputs = Readonly<Record<string, tf.Tensor>>;

/** Masks [N·M, K²]. */
export function windowMasks(inputs: LomarInputs, { K }: LomarShape): tf.Tensor {
  return input(inputs, 'masks').reshape([-1, K * K]);
}

/** The head on what the last block gives [B, K² + 1, D], cls first: [B, K², p²·3]. */
export function headed(params: Params, sequence: tf.Tensor): tf.Tensor {
  // cls is dropped before the last normalisation, which acts on each token alone.
  return project(params, 'decoder_pred', norm(params, 'norm', sequence.slice([0, 1, 0], [-1, -1, -1])));
}

/** Tokens of a grid [B, rows·columns, D], a cls token in front, through the blocks: [B, rows·columns + 1, D], not yet normalised. */
export function encoded(
  params: Params,
  tokens: tf.Tensor,
  grid: Grid,
  shape: EncoderShape & Pick<LomarShape, 'rpeScaled'>,
  constants: Constants,
  paths?: BlockPaths,
): tf.Tensor {
  const relative = gridRelative(grid, shape, constants);
  return throughBlocks(params, withCls(params, tokens), shape, { relative, paths });
}

/** Relative positions of a grid with a cls token in front. */
export function gridRelative(grid: Grid, { rpeScaled }: Pick<LomarShape, 'rpeScaled'>, constants: Constants): Relative {
  const buckets = pairBuckets(constants, grid.join(' × '), bucketCount, () => gridBuckets(...grid));
  return { buckets, scaled: rpeScaled };
}

/** Tokens [B, T, D] with the cls token in front: [B, T + 1, D]. */
export function withCls(params: Params, tokens: tf.Tensor): tf.Tensor {
  const token = parameter(params, 'cls_token');
  // Added to zeros rather than tiled: a tile's gradient is a slice per window.
  const cls = tf.zeros([tokens.shape[0]!, 1, token.shape[2]!]).add(token);
  return tf.concat([cls, tokens], 1);
}

/** Tokens [B, T, D] through the encoder's blocks, or those from `from` up to before `to`. Same shape. */
export function throughBlocks(
  params: Params,
  tokens: tf.Tensor,
  { depth, heads }: EncoderShape,
  {
    from = 0,
    to = depth,
    relative,
    paths,
  }: {
    readonly from?: number;
    readonly to?: number;
    readonly relative?: Relative | undefined;
    readonly paths?: BlockPaths | undefined;
  },
): tf.Tensor {
  let x = tokens;
  for (let i = from; i < to; i++) x = block(params, `blocks.${i}`, x, heads, relative, paths?.[i]);
  return x;
}

/** The fixed positions of places in the picture's grid, for D numbers each: [N·M, places, D]. @param name of the input with the places [N, M·places]. */
export function placesOf(
  inputs: LomarInputs,
  name: string,
  { absolute: side }: LomarShape,
  D: number,
  constants: Constants,
): tf.Tensor {
  const M = input(inputs, 'masks').shape[1]!;
  const ids = input(inputs, name);
  const table = positions([side!, side!], D, constants, 0);
  return tf.gather(table, ids.flatten()).reshape([-1, ids.shape[1]! / M, D]);
}
