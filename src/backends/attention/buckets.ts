import type { Constants } from '../constants.ts';
import { hasFused } from '../fused.ts';
import * as tf from '../tf.ts';

/** Which bucket a query and a key have, in the two forms that backends want; each is made when it is first asked for. */
export interface PairBuckets {
  /** [T, T] int32, query first; [B, T, T] where each sequence has its own. */
  ids(): tf.Tensor;
  /** [T, T, buckets] float32, one-hot in the last axis; [B·T, T, buckets]. */
  oneHot(): tf.Tensor;
  /** True for those of a step, which gradients have to keep; constants stay by themselves. */
  readonly own?: true;
}

/**
 * The buckets of all pairs of a sequence.
 *
 * @param constants keeps the tensors. @param name tells the sequence from others in `constants`.
 * @param ids [T, T] row by row, query first, each 0 … count − 1.
 */
export function pairBuckets(
  constants: Constants,
  name: string,
  count: number,
  ids: () => ArrayLike<number>,
): PairBuckets {
  const matrix = () => {
    const values = Int32Array.from(ids());
    const T = Math.round(Math.sqrt(values.length));
    return tf.tensor(values, [T, T], 'int32');
  };
  return {
    ids: () => constants.get(`bucket ids ${name}`, matrix),
    oneHot: () => constants.get(`buckets ${name}`, () => tf.oneHot(matrix(), count).toFloat()),
  };
}

/**
 * The buckets of sequences that have each their own. Made inside of what differentiates the step.
 *
 * @param ids [B, T, T] int32, query first, each 0 … count − 1.
 */
export function rowBuckets(ids: tf.Tensor, count: number): PairBuckets {
  const oneHot = () => tf.oneHot(ids.reshape([-1, ids.shape[2]!]) as tf.Tensor2D, count).toFloat();
  // Made here, for all blocks: each tidies up what it makes.
  const made = hasFused('PatchstreamAttention') ? undefined : oneHot();
  return { ids: () => ids, oneHot: () => made ?? oneHot(), own: true };
}

/**
 * A value per (query, bucket) to one per (query, key): [h·B·T, buckets] -> [h·B, T, T]. A product with the one-hot buckets of each
 * query's row: picking by index is slower on wasm, and its gradient would be a scatter.
 *
 * @param buckets one-hot [Q, T, buckets]: Q is T, or B·T where each sequence has its own.
 */
export function toKeys(perBucket: tf.Tensor, buckets: tf.Tensor): tf.Tensor {
  const [Q, T, count] = buckets.shape as [number, number, number];
  const byQuery = perBucket.reshape([-1, Q, count]).transpose([1, 0, 2]);
  return tf.matMul(byQuery, buckets, false, true).transpose([1, 0, 2]).reshape([-1, T, T]);
}

/** The gradient of `toKeys`, a sum over the keys of each bucket: [h·B, T, T] -> [h·B·T, buckets]. */
export function toBuckets(perKey: tf.Tensor, buckets: tf.Tensor): tf.Tensor {
  const [Q, T, count] = buckets.shape as [number, number, number];
  const byQuery = perKey.reshape([-1, Q, T]).transpose([1, 0, 2]);
  return tf.matMul(byQuery, buckets).transpose([1, 0, 2]).reshape([-1, count]);
}
