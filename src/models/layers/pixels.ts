import type { Constants } from '../../backends/constants.ts';
import * as tf from '../../backends/tf.ts';
import { channelMean, channelStd } from '../../vision/patches.ts';
import type { Loss, Target } from '../model.ts';

/** What masked models have in common before the first layer and after the last: pictures to patches, targets, and the error over what was hidden. */

/**
 * Cuts pictures into patches, in raster order, each flattened row by row with the channel fastest.
 *
 * @param pictures [N, H, W, 3], sides multiples of `patch`.
 * @returns [N, n, p·p·3].
 */
export function patchesOf(pictures: tf.Tensor, patch: number): tf.Tensor3D {
  const [N, height, width] = pictures.shape as [number, number, number];
  const [rows, columns] = [height / patch, width / patch];
  // A row of a patch stays one piece, so rank 4 is enough: backends are slow at transposing more.
  // [N, H, W, 3] -> [N·rows, p, columns, p·3] -> [N·rows, columns, p, p·3]
  const lines = pictures.reshape([N * rows, patch, columns, patch * 3]).transpose([0, 2, 1, 3]);
  return lines.reshape([N, rows * columns, patch * patch * 3]);
}

/** Pixels 0–255 in normalised units: (x − mean)/std by channel, the channel fastest on the last axis. Same shape. */
export function normalised(pixels: tf.Tensor, constants: Constants): tf.Tensor {
  const values = pixels.shape[pixels.rank - 1]!;
  const perValue = (of: (channel: number) => number) =>
    tf.tensor1d(Array.from({ length: values }, (_, i) => of(i % 3)));
  const scale = constants.get(`scale ${values}`, () => perValue((c) => 1 / channelStd[c]!));
  const shift = constants.get(`shift ${values}`, () => perValue((c) => -channelMean[c]! / channelStd[c]!));
  return pixels.toFloat().mul(scale).add(shift);
}

/** Mean and spread of each patch over its own values, the variance unbiased and with 1e-6 added: [..., 1]. Source: MAE's per-patch target. */
export function patchStatistics(patches: tf.Tensor): { mean: tf.Tensor; spread: tf.Tensor } {
  const values = patches.shape[patches.rank - 1]!;
  const mean = patches.mean(-1, true);
  const variance = patches
    .sub(mean)
    .square()
    .sum(-1, true)
    .div(values - 1);
  return { mean, spread: variance.add(1e-6).sqrt() };
}

/** What is to be predicted of patches in normalised pixels: [..., p·p·3], same shape. */
export function targetOf(patches: tf.Tensor, target: Target): tf.Tensor {
  if (target === 'pixels') return patches;
  const { mean, spread } = patchStatistics(patches);
  return patches.sub(mean).div(spread);
}

/** A prediction of `target` as normalised pixels; standardised ones by the true patches' own mean and spread. Same shape. */
export function shownPixels(prediction: tf.Tensor, patches: tf.Tensor, target: Target): tf.Tensor {
  if (target === 'pixels') return prediction;
  const { mean, spread } = patchStatistics(patches);
  return prediction.mul(spread).add(mean);
}

/**
 * Squared error over hidden patches: each sequence counts by the mean over its hidden patches and their values, one with nothing hidden
 * counts zero. As many patches are hidden in each, so Σ sum / Σ count is MAE's mean over all hidden patches.
 *
 * @param prediction and @param target [B, n, p·p·3]. @param masks [B, n] float32, 1 hidden.
 */
export function hiddenPatchLoss(prediction: tf.Tensor, target: tf.Tensor, masks: tf.Tensor): Loss {
  const perPatch = prediction.squaredDifference(target).mean(-1);
  const weights = masks.div(masks.sum(-1, true).maximum(1));
  return { sum: perPatch.mul(weights).sum(), count: prediction.shape[0]! };
}
