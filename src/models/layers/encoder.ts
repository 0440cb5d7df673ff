import type { Constants } from '../../backends/constants.ts';
import { gatherTokens } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import type { Paths } from '../classifier/drop-path.ts';
import type { Params } from '../model.ts';
import type { EncoderShape } from './encoder.options.ts';
import type { TransformerShape } from './parameters.ts';
import { normalised } from './pixels.ts';
import { gridPositions } from './positions.ts';
import { block, norm, parameter, project, type Relative } from './vit.ts';

/** The two transformers of asymmetric masked models: an encoder of visible patches, and a light decoder of all of them. Source: He et al. 2022. */

/** Rows and columns of patches. */
export type Grid = readonly [rows: number, columns: number];

/** The fixed positions of a grid, `cls` rows of zeros in front: [cls + n, D]. A constant, not the caller's to dispose. */
export function positions([rows, columns]: Grid, width: number, constants: Constants, cls = 1): tf.Tensor2D {
  const make = () => tf.tensor2d(gridPositions(rows, columns, width, cls), [cls + rows * columns, width]);
  return constants.get(`positions ${cls} + ${rows} × ${columns}, ${width}`, make) as tf.Tensor2D;
}

/**
 * The encoder: patches are embedded, positions added, c cls tokens put in front, then blocks and the last normalisation.
 *
 * @param patches [N, n, p·p·3], values 0–255, in raster order. @param keep [N, k] int32, the places of the visible patches; all of them
 * where it is left out. @param paths of each block, where some are dropped.
 * @returns [N, c + k, D], cls first.
 */
export function encodePatches(
  params: Params,
  patches: tf.Tensor3D,
  grid: Grid,
  { width: D, depth, heads, clsTokens = 1 }: EncoderShape,
  constants: Constants,
  keep?: tf.Tensor2D,
  paths?: readonly (Paths | undefined)[],
): tf.Tensor3D {
  const places = positions(grid, D, constants, 0);
  const N = patches.shape[0];
  // Embedding is linear patch by patch, so picking the visible ones first is equal, and less work.
  const visible = keep === undefined ? patches : gatherTokens(patches, keep);
  const ofVisible = keep === undefined ? places : tf.gather(places, keep.flatten()).reshape([N, -1, D]);
  const tokens = project(params, 'patch_embed.proj', normalised(visible, constants)).add(ofVisible);
  // Added to zeros rather than tiled: a tile's gradient is a slice per picture. The position of cls is zero.
  const cls = tf.zeros([N, clsTokens, D]).add(parameter(params, 'cls_token'));
  let x: tf.Tensor = tf.concat([cls, tokens], 1);
  for (let i = 0; i < depth; i++) x = block(params, `blocks.${i}`, x, heads, undefined, paths?.[i]);
  return norm(params, 'norm', x) as tf.Tensor3D;
}

/** Tokens of whole pictures [N, c + n, D] with the mean of their cls tokens in the place of them: [N, 1 + n, D]. */
export function withOneCls(tokens: tf.Tensor3D, { clsTokens = 1 }: EncoderShape): tf.Tensor3D {
  if (clsTokens === 1) return tokens;
  const cls = tokens.slice([0, 0, 0], [-1, clsTokens, -1]).mean(1, true);
  return tf.concat([cls, tokens.slice([0, clsTokens, 0])], 1) as tf.Tensor3D;
}

/**
 * The decoder's blocks, its normalisation and its head, on tokens that have their positions.
 *
 * @param x [N, cls + n, D'], the cls tokens first. @param relative positions, for blocks that have a table of them.
 * @returns [N, n, p·p·3], without cls.
 */
export function decodeTokens(
  params: Params,
  x: tf.Tensor,
  { depth, heads }: TransformerShape,
  { cls = 1, relative }: { readonly cls?: number | undefined; readonly relative?: Relative | undefined } = {},
): tf.Tensor3D {
  let tokens = x;
  for (let i = 0; i < depth; i++) tokens = block(params, `decoder_blocks.${i}`, tokens, heads, relative);
  // cls is dropped before the last normalisation, which acts on each token alone.
  return project(params, 'decoder_pred', norm(params, 'decoder_norm', tokens.slice([0, cls, 0]))) as tf.Tensor3D;
}
