import { Constants } from '../../backends/constants.ts';
import { gatherTokens, pairBuckets } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import { type BlockPaths, pathInputs, pathsOf } from '../classifier/drop-path.ts';
import type { EncoderShape } from '../layers/encoder.options.ts';
import { field, input, learned } from '../layers/learned.ts';
import { hiddenPatchLoss, normalised, patchesOf, shownPixels, targetOf } from '../layers/pixels.ts';
import { bucketCount, gridBuckets } from '../layers/relative.ts';
import { block, norm, parameter, project } from '../layers/vit.ts';
import type { Encoder, HostBatch, HostTensor, Params, RandomSource, Restorer } from '../model.ts';
import { type LomarShape, lomarParameters } from './options.ts';

/**
 * A micro-batch on the backend: `picture` [N, H, W, 3], values 0–255; `tokens` [N, M·K²] int32, the windows' places in the grid; `masks`
 * [N, M, K²], 1 hidden; with drop path also `paths` [N, M, 2L]. float32 but for the places.
 */
export type LomarInputs = Readonly<Record<string, tf.Tensor>>;

/** LoMaR: masked reconstruction inside small windows, by a plain encoder with relative positions and one linear head. */
export interface Lomar extends Restorer, Encoder {
  readonly shape: LomarShape;
}

/**
 * Makes LoMaR. Source: arXiv 2206.00790, sections 3.1–3.3, and what its text leaves out: a cls token in front of every window, one linear
 * head, queries unscaled in the relative term.
 */
export function lomar(shape: LomarShape): Lomar {
  const constants = new Constants();
  return {
    name: 'lomar',
    shape,
    fields: ['picture', 'windows', 'masks'],
    ...learned(lomarParameters(shape)),
    inputs: (batch, chance) => lomarInputs(batch, shape, chance),
    loss: (params, inputs) => {
      const pixels = windowPixels(inputs, shape, constants);
      const masks = input(inputs, 'masks').reshape([-1, shape.K ** 2]);
      const made = predict(params, pixels, masks, shape, constants, pathsOf(inputs, shape));
      return hiddenPatchLoss(made, targetOf(pixels, shape.target), masks);
    },
    reconstruct: (params, inputs) =>
      tf.tidy(() => {
        const pixels = windowPixels(inputs, shape, constants);
        const masks = input(inputs, 'masks').reshape([-1, shape.K ** 2]);
        const shown = shownPixels(predict(params, pixels, masks, shape, constants), pixels, shape.target);
        return shown.reshape([...input(inputs, 'masks').shape, -1]);
      }),
    encode: (params, inputs) =>
      tf.tidy(() => {
        const pictures = input(inputs, 'picture');
        const patches = normalised(patchesOf(pictures, shape.patch), constants);
        const tokens = project(params, 'patch_embed.proj', patches);
        const [rows, columns] = [pictures.shape[1]! / shape.patch, pictures.shape[2]! / shape.patch];
        return norm(params, 'norm', encoded(params, tokens, [rows, columns], shape, constants)) as tf.Tensor3D;
      }),
    dispose: () => constants.dispose(),
  };
}

/** Predictions [N·M, K², p²·3] of all tokens of all windows. */
function predict(
  params: Params,
  pixels: tf.Tensor,
  masks: tf.Tensor,
  shape: LomarShape,
  constants: Constants,
  paths?: BlockPaths,
): tf.Tensor {
  const hidden = masks.expandDims(-1);
  const embedded = project(params, 'patch_embed.proj', pixels);
  const tokens = embedded.mul(tf.sub(1, hidden)).add(parameter(params, 'mask_token').mul(hidden));
  // Added to zeros rather than tiled: a tile's gradient is a slice per window.
  const sequence = encoded(params, tokens, [shape.K, shape.K], shape, constants, paths);
  // cls is dropped before the last normalisation, which acts on each token alone.
  return project(params, 'decoder_pred', norm(params, 'norm', sequence.slice([0, 1, 0], [-1, -1, -1])));
}

/** Tokens of a grid [B, rows·columns, D], a cls token in front, through the blocks: [B, rows·columns + 1, D], not yet normalised. */
export function encoded(
  params: Params,
  tokens: tf.Tensor,
  grid: readonly [number, number],
  { width: D, depth, heads, rpeScaled }: EncoderShape & Pick<LomarShape, 'rpeScaled'>,
  constants: Constants,
  paths?: BlockPaths,
): tf.Tensor {
  // Added to zeros rather than tiled: a tile's gradient is a slice per window.
  const cls = tf.zeros([tokens.shape[0]!, 1, D]).add(parameter(params, 'cls_token'));
  const buckets = pairBuckets(constants, grid.join(' × '), bucketCount, () => gridBuckets(...grid));
  let x: tf.Tensor = tf.concat([cls, tokens], 1);
  for (let i = 0; i < depth; i++) {
    x = block(params, `blocks.${i}`, x, heads, { buckets, scaled: rpeScaled }, paths?.[i]);
  }
  return x;
}

/** The windows' patches in normalised pixels, [N·M, K², p²·3]. Embedding is linear patch by patch, so cutting the windows first is equal, and less work. */
function windowPixels(inputs: LomarInputs, { patch, K }: LomarShape, constants: Constants): tf.Tensor {
  const patches = patchesOf(input(inputs, 'picture'), patch);
  const cut = gatherTokens(patches, input(inputs, 'tokens') as tf.Tensor2D);
  return normalised(cut.reshape([-1, K * K, patch * patch * 3]), constants);
}

/** Pictures as they are, and the place of every window's patches in the picture's grid. */
function lomarInputs(batch: HostBatch, shape: LomarShape, chance?: RandomSource): HostBatch {
  const { patch, K } = shape;
  const picture = field(batch, 'picture', 'uint8', 4);
  const windows = field(batch, 'windows', 'int32', 3);
  const masks = field(batch, 'masks', 'uint8', 3);
  const [N, M] = windows.shape as [number, number];
  const [rows, columns] = [Math.floor(picture.shape[1]! / patch), Math.floor(picture.shape[2]! / patch)];
  const tokens = new Int32Array(N * M * K * K);
  for (let view = 0, to = 0; view < N * M; view++) {
    const [top, left] = [windows.data[2 * view]!, windows.data[2 * view + 1]!];
    if (top < 0 || left < 0 || top + K > rows || left + K > columns) {
      throw fail('WINDOW_OUTSIDE', { K, rows, columns, top, left });
    }
    for (let row = top; row < top + K; row++)
      for (let column = left; column < left + K; column++) tokens[to++] = row * columns + column;
  }
  const ids: HostTensor = { dtype: 'int32', shape: [N, M * K * K], data: tokens };
  return { picture, tokens: ids, masks, ...pathInputs(chance, shape, N, M) };
}
