import { fused, hasFused } from '../fused.ts';
import { type Forward, withGradient } from '../gradient.ts';
import * as tf from '../tf.ts';
import { composedForward, weightsOf } from './composed.ts';
import type { Positions, RelativePositions } from './positions.ts';

/**
 * Multi-head self-attention between the fused projection and the output projection: with P = softmax(q·kᵀ/√d + positions), P·v + Σⱼ P[i, j]·V[id(i, j)]. Positions are
 * q[i]·R[id(i, j)], with tables of queries too k[j]·Q[id(j, i)], or a bias; V is there where values have a table.
 * Sources: Vaswani et al. 2017; Wu et al. 2021 for the contextual terms on keys, queries and values; Bao et al. 2021 for a bias by head and pair.
 *
 * @param qkv [B, T, 3·h·d], the three parts one after another. @param heads h.
 * @returns [B, T, h·d].
 */
export function attention(qkv: tf.Tensor3D, heads: number, positions?: Positions): tf.Tensor3D {
  if (positions !== undefined && 'bias' in positions) {
    const forward = (given: tf.Tensor, bias: tf.Tensor) => composedForward(given, [], heads, { bias });
    return withGradient([qkv as tf.Tensor, positions.bias] as [tf.Tensor, tf.Tensor], forward) as tf.Tensor3D;
  }
  const { table, queryTable, valueTable } = positions ?? {};
  const tables = [table, queryTable, valueTable].filter((one) => one !== undefined);
  const forward = (...[given, ...own]: tf.Tensor[]) =>
    (own.length < 2 ? fusedForward(given!, own[0], heads, positions) : undefined) ??
    composedForward(given!, own, heads, positions);
  return withGradient([qkv, ...tables] as tf.Tensor[], forward) as tf.Tensor3D;
}

/**
 * What `attention` weighs values by, for those who look at it: softmax(q·kᵀ/√d + positions). It has no gradient, and a training step has no use for it.
 *
 * @param qkv [B, T, 3·h·d], as `attention` takes it.
 * @returns [B, h, T, T], query first; each row adds up to 1.
 */
export function attentionWeights(qkv: tf.Tensor3D, heads: number, positions?: Positions): tf.Tensor4D {
  return tf.tidy(() => weightsOf(qkv, heads, positions));
}

function fusedForward(
  qkv: tf.Tensor,
  table: tf.Tensor | undefined,
  heads: number,
  relative: RelativePositions | undefined,
): Forward<tf.Tensor[]> | undefined {
  const attrs = { heads, scaled: relative?.scaled === true };
  const positions = (table?: tf.Tensor, own?: tf.Tensor): Readonly<Record<string, tf.Tensor>> =>
    table === undefined || relative === undefined ? {} : { table, bucketIds: own ?? relative.buckets.ids() };
  if (!hasFused('PatchstreamAttention')) return undefined;
  const [value, saved] = fused('PatchstreamAttention', { qkv, ...positions(table) }, attrs)!;
  const ofStep = relative?.buckets.own === true ? [relative.buckets.ids()] : [];
  return {
    value: value!,
    saved: [qkv, value!, saved!, ...(table === undefined ? [] : [table, ...ofStep])],
    backward: (dy, [qkv, y, saved, table, own]) =>
      fused('PatchstreamAttentionGrad', { dy, qkv: qkv!, y: y!, saved: saved!, ...positions(table, own) }, attrs)!,
  };
}
