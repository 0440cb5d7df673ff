import type * as tf from '../tf.ts';
import type { PairBuckets } from './buckets.ts';

/** Relative positions of a sequence: which row of the tables stands between a query and a key. */
export interface RelativePositions {
  /** R [d, buckets]: what a query looks for in keys, one vector per bucket, shared by all heads. */
  readonly table: tf.Tensor;
  /** Q [d, buckets]: the same of a key in queries. Attention with one is composed of tfjs' operations on every backend. */
  readonly queryTable?: tf.Tensor | undefined;
  /** V [buckets, d]: what is added to the values. Likewise; there is a query table where there is one. */
  readonly valueTable?: tf.Tensor | undefined;
  /** The bucket of (query i, key j). A constant of the model, or of the step where sequences have their own. */
  readonly buckets: PairBuckets;
  /** Scale the query, and the key, by 1/√d in these terms too, as iRPE does; LoMaR does not. */
  readonly scaled: boolean;
}

/** Relative positions as numbers that are added for each head and pair, BEiT's: [h, T, T], query first, the same for all sequences. */
export interface PositionBias {
  readonly bias: tf.Tensor;
}

export type Positions = RelativePositions | PositionBias;
