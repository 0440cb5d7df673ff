import { Constants } from '../backends/constants.ts';
import * as tf from '../backends/tf.ts';
import { fail, nearest } from '../errors.ts';
import { channelMean, channelStd, cutWindow } from '../vision/patches.ts';
import { type LomarShape, lomarParameters } from './lomar.options.ts';
import type { HostBatch, HostTensor, Model, Params } from './model.ts';
import { decays, drawParameter, type Parameter, storedForm } from './parameters.ts';
import { bucketCount, windowBuckets } from './relative.ts';
import { block, norm, parameter, project } from './vit.ts';

/** A micro-batch on the backend: `patches` [N, M, K², p²·3], values 0–255, and `masks` [N, M, K²], 1 hidden. float32. */
export type LomarInputs = Readonly<Record<string, tf.Tensor>>;

/** LoMaR: masked reconstruction inside small windows, by a plain encoder with relative positions and one linear head. */
export interface Lomar extends Model {
  readonly shape: LomarShape;
  /**
   * The pixels that the model makes of a micro-batch, all tokens, hidden or not, in normalised pixels (with the target `patchNorm`, by the
   * true patch's mean and spread). The caller owns the result.
   *
   * @returns [N, M, K², p²·3] float32.
   */
  reconstruct(params: Params, inputs: LomarInputs): tf.Tensor;
}

/**
 * Makes LoMaR. Source: arXiv 2206.00790, sections 3.1–3.3, and what its text leaves out: a cls token in front of every window, one linear
 * head, queries unscaled in the relative term.
 */
export function lomar(shape: LomarShape): Lomar {
  const constants = new Constants();
  const parameters = new Map(lomarParameters(shape).map((each) => [each.name, each]));
  const find = (name: string): Parameter => {
    const found = parameters.get(name);
    if (found === undefined)
      throw fail('MODEL_PARAMETER', { name, suggestion: nearest(name, parameters.keys()) ?? 'cls_token' });
    return found;
  };
  return {
    name: 'lomar',
    shape,
    fields: ['picture', 'windows', 'masks'],
    parameters: [...parameters.keys()],
    init: (random) => {
      const fresh: Record<string, tf.Variable> = {};
      for (const [name, each] of parameters) {
        fresh[name] = tf.tidy(() => tf.variable(tf.tensor(drawParameter(each, random(name)), [...each.shape])));
      }
      return fresh;
    },
    inputs: (batch) => windowPatches(batch, shape),
    loss: (params, inputs) => {
      const pixels = normalised(inputs, shape, constants);
      const masks = input(inputs, 'masks').reshape([-1, shape.K ** 2]);
      const prediction = predict(params, pixels, masks, shape, constants);
      const target = shape.target === 'patchNorm' ? standardised(pixels) : pixels;
      const perToken = prediction.squaredDifference(target).mean(-1);
      // Each window counts by the mean over its hidden tokens; a window with nothing hidden counts zero.
      const weights = masks.div(masks.sum(-1, true).maximum(1));
      return { sum: perToken.mul(weights).sum(), count: pixels.shape[0]! };
    },
    reconstruct: (params, inputs) =>
      tf.tidy(() => {
        const pixels = normalised(inputs, shape, constants);
        const masks = input(inputs, 'masks').reshape([-1, shape.K ** 2]);
        const prediction = predict(params, pixels, masks, shape, constants);
        const { mean, spread } = patchStatistics(pixels);
        const shown = shape.target === 'patchNorm' ? prediction.mul(spread).add(mean) : prediction;
        return shown.reshape(input(inputs, 'patches').shape);
      }),
    stored: (name) => storedForm(find(name)),
    decays: (name) => decays(find(name)),
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
): tf.Tensor {
  const { width: D, depth, heads, K } = shape;
  const hidden = masks.expandDims(-1);
  const embedded = project(params, 'patch_embed.proj', pixels);
  const tokens = embedded.mul(tf.sub(1, hidden)).add(parameter(params, 'mask_token').mul(hidden));
  // Added to zeros rather than tiled: a tile's gradient is a slice per window.
  const cls = tf.zeros([pixels.shape[0]!, 1, D]).add(parameter(params, 'cls_token'));
  const relative = { buckets: constants.get('buckets', () => oneHotBuckets(K)), scaled: shape.rpeScaled };
  let x: tf.Tensor = tf.concat([cls, tokens], 1);
  for (let i = 0; i < depth; i++) x = block(params, `blocks.${i}`, x, heads, relative);
  // cls is dropped before the last normalisation, which acts on each token alone.
  return project(params, 'decoder_pred', norm(params, 'norm', x.slice([0, 1, 0], [-1, -1, -1])));
}

function oneHotBuckets(K: number): tf.Tensor {
  const T = K * K + 1;
  return tf.oneHot(tf.tensor(Int32Array.from(windowBuckets(K)), [T, T], 'int32'), bucketCount).toFloat();
}

/** Patches in normalised pixels, [N·M, K², p²·3]. */
function normalised(inputs: LomarInputs, { patch, K }: LomarShape, constants: Constants): tf.Tensor {
  const values = patch * patch * 3;
  const perValue = (of: (channel: number) => number) =>
    tf.tensor1d(Array.from({ length: values }, (_, i) => of(i % 3)));
  const scale = constants.get('scale', () => perValue((c) => 1 / channelStd[c]!));
  const shift = constants.get('shift', () => perValue((c) => -channelMean[c]! / channelStd[c]!));
  return input(inputs, 'patches')
    .toFloat()
    .reshape([-1, K * K, values])
    .mul(scale)
    .add(shift);
}

/** Mean and spread of each patch over its own values, the variance unbiased and with 1e-6 added: [..., 1]. Source: MAE's per-patch target. */
function patchStatistics(pixels: tf.Tensor): { mean: tf.Tensor; spread: tf.Tensor } {
  const values = pixels.shape[pixels.rank - 1]!;
  const mean = pixels.mean(-1, true);
  const variance = pixels
    .sub(mean)
    .square()
    .sum(-1, true)
    .div(values - 1);
  return { mean, spread: variance.add(1e-6).sqrt() };
}

function standardised(pixels: tf.Tensor): tf.Tensor {
  const { mean, spread } = patchStatistics(pixels);
  return pixels.sub(mean).div(spread);
}

function input(inputs: LomarInputs, name: string): tf.Tensor {
  const found = inputs[name];
  if (found === undefined) throw fail('MODEL_FIELD', { field: name, expected: 'given', found: 'nothing' });
  return found;
}

/** The windows' patches, cut on the host: embedding is linear patch by patch, so cutting first is equal and needs no gather on the backend. */
function windowPatches(batch: HostBatch, { patch, K }: LomarShape): HostBatch {
  const picture = field(batch, 'picture', 'uint8', 4);
  const windows = field(batch, 'windows', 'int32', 3);
  const masks = field(batch, 'masks', 'uint8', 3);
  const [N, height, width] = picture.shape as [number, number, number];
  const M = windows.shape[1]!;
  const values = K * K * patch * patch * 3;
  const patches = new Uint8Array(N * M * values);
  for (let view = 0; view < N * M; view++) {
    const start = Math.floor(view / M) * height * width * 3;
    const pixels = (picture.data as Uint8Array).subarray(start, start + height * width * 3);
    const [topPatch, leftPatch] = [windows.data[2 * view]!, windows.data[2 * view + 1]!];
    const [rows, columns] = [Math.floor(height / patch), Math.floor(width / patch)];
    if (topPatch < 0 || leftPatch < 0 || topPatch + K > rows || leftPatch + K > columns) {
      throw fail('WINDOW_OUTSIDE', { K, rows, columns, top: topPatch, left: leftPatch });
    }
    cutWindow(pixels, { widthPx: width, patch, K, topPatch, leftPatch }, patches, view * values);
  }
  return { patches: { dtype: 'uint8', shape: [N, M, K * K, patch * patch * 3], data: patches }, masks };
}

function field(batch: HostBatch, name: string, dtype: HostTensor['dtype'], rank: number): HostTensor {
  const found = batch[name];
  if (found === undefined || found.dtype !== dtype || found.shape.length !== rank) {
    const what = found === undefined ? 'nothing' : `${found.dtype} [${found.shape.join(', ')}]`;
    throw fail('MODEL_FIELD', { field: name, expected: `${dtype} of rank ${rank}`, found: what });
  }
  return found;
}
