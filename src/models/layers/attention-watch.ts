import { attentionWeights, type Positions } from '../../backends/ops.ts';
import type * as tf from '../../backends/tf.ts';

/**
 * Hears of each block of a forward pass, by the prefix of its parameters (`blocks.0`), before it attends.
 *
 * @param weights computes what it attends by, [B, h, T, T], query first. The block frees them at its end: read them at once, or `tf.keep` them.
 */
export type AttentionWatcher = (prefix: string, weights: () => tf.Tensor4D) => void;

let watcher: AttentionWatcher | undefined;

/**
 * Runs a forward pass, whose blocks are watched. Where nobody watches, nothing of it is computed. Not for passes that are recorded for replay.
 *
 * @param forward synchronous.
 */
export function watchAttention<T>(watch: AttentionWatcher, forward: () => T): T {
  const outer = watcher;
  watcher = watch;
  try {
    return forward();
  } finally {
    watcher = outer;
  }
}

/** Called by a block that is about to attend. Arguments as of `attention`. */
export function showAttention(prefix: string, qkv: tf.Tensor3D, heads: number, positions?: Positions): void {
  watcher?.(prefix, () => attentionWeights(qkv, heads, positions));
}
