import type * as tf from '../../backends/tf.ts';
import type { EncoderShape } from '../layers/encoder.options.ts';
import type { HostBatch, RandomSource } from '../model.ts';

/**
 * Drop path (stochastic depth): in training a branch of a block is left out of some samples, and counts for more in the others, so that its mean
 * stays. Source: Huang et al. 2016 (arXiv 1603.09382), with the rates that rise evenly over the depth, as in fine-tuning after MAE.
 */

/** What the two branches of a block count for: [B, 1, 1] each, 1 / (1 − rate) for a row that keeps it and 0 for one that drops it. */
export interface Paths {
  readonly attention: tf.Tensor;
  readonly mlp: tf.Tensor;
}

/** Of each block; undefined for one that drops nothing. */
export type BlockPaths = readonly (Paths | undefined)[];

type Dropping = Pick<EncoderShape, 'depth' | 'dropPath'>;

/** The share of samples for which each block's branches are dropped: evenly from 0 in the first block to `dropPath` in the last; 0 in a single one. */
export function dropRates({ depth, dropPath = 0 }: Dropping): number[] {
  return Array.from({ length: depth }, (_, i) => (i === 0 ? 0 : (dropPath * i) / (depth - 1)));
}

/** What the coins of a sample are drawn for, in its key's generator. */
const stage = 'drop-path';

/**
 * The input `paths`, float32 [N, views, 2L]: for each block what its attention counts for, then its MLP. One word for each in this order,
 * whatever the rate; a branch is dropped when `uniform()` is below it. Nothing where no path is dropped, or without chance.
 *
 * @param views sequences of one sample, each with coins of its own.
 */
export function pathInputs(chance: RandomSource | undefined, shape: Dropping, N: number, views = 1): HostBatch {
  const { depth, dropPath = 0 } = shape;
  if (chance === undefined || dropPath === 0) return {};
  const rates = dropRates(shape);
  const coins = views * 2 * depth;
  const data = new Float32Array(N * coins);
  for (let n = 0; n < N; n++) {
    const random = chance.row(n, stage);
    for (let i = 0; i < coins; i++) {
      const rate = rates[(i >> 1) % depth]!;
      data[n * coins + i] = random.uniform() < rate ? 0 : 1 / (1 - rate);
    }
  }
  return { paths: { dtype: 'float32', shape: [N, views, 2 * depth], data } };
}

/** The paths of each block, a row for each sequence, from the input `paths`; undefined where there is none. */
export function pathsOf(inputs: Readonly<Record<string, tf.Tensor>>, shape: Dropping): BlockPaths | undefined {
  const { paths } = inputs;
  if (paths === undefined) return undefined;
  const rows = paths.reshape([-1, 1, 2 * shape.depth]);
  const column = (i: number) => rows.slice([0, 0, i], [-1, -1, 1]);
  return dropRates(shape).map((rate, i) =>
    rate === 0 ? undefined : { attention: column(2 * i), mlp: column(2 * i + 1) },
  );
}
