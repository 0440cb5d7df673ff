import type { Constants } from './constants.ts';
import { fused, hasFused } from './fused.ts';
import { type Forward, withGradient } from './gradient.ts';
import * as tf from './tf.ts';

/** Relative positions of a sequence: which row of the table stands between a query and a key. */
export interface RelativePositions {
  /** [d, buckets]: one vector per bucket, shared by all heads. */
  readonly table: tf.Tensor;
  /** The bucket of (query i, key j). A constant of the model, or of the step where sequences have their own. */
  readonly buckets: PairBuckets;
  /** Scale the query by 1/√d in this term too, as iRPE does; LoMaR does not. */
  readonly scaled: boolean;
}

/** Relative positions as numbers that are added for each head and pair, BEiT's: [h, T, T], query first, the same for all sequences. */
export interface PositionBias {
  readonly bias: tf.Tensor;
}

export type Positions = RelativePositions | PositionBias;

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
 * Multi-head self-attention between the fused projection and the output projection: softmax(q·kᵀ/√d + q·R[id(i, j)] + bias)·v.
 * Sources: Vaswani et al. 2017; Wu et al. 2021 for the contextual relative term on keys; Bao et al. 2021 for a bias by head and pair.
 *
 * Composed, the heads go in front of the batch, so that one transpose of rank 4 serves q, k and v and each is one piece of memory. The gradient is
 * written out: tfjs' own would transpose operands inside products and pad slices.
 *
 * @param qkv [B, T, 3·h·d], the three parts one after another. @param heads h.
 * @returns [B, T, h·d].
 */
export function attention(qkv: tf.Tensor3D, heads: number, positions?: Positions): tf.Tensor3D {
  if (positions !== undefined && 'bias' in positions) {
    const forward = (given: tf.Tensor, bias: tf.Tensor) => composedForward(given, undefined, heads, { bias });
    return withGradient([qkv as tf.Tensor, positions.bias] as [tf.Tensor, tf.Tensor], forward) as tf.Tensor3D;
  }
  const inputs: tf.Tensor[] = positions === undefined ? [qkv] : [qkv, positions.table];
  const forward = (...[given, table]: tf.Tensor[]) =>
    fusedForward(given!, table, heads, positions) ?? composedForward(given!, table, heads, positions);
  return withGradient(inputs, forward) as tf.Tensor3D;
}

/**
 * What `attention` weighs values by, for those who look at it: softmax(q·kᵀ/√d + q·R[id(i, j)] + bias). It has no gradient, and a training step has no use for it.
 *
 * @param qkv [B, T, 3·h·d], as `attention` takes it.
 * @returns [B, h, T, T], query first; each row adds up to 1.
 */
export function attentionWeights(qkv: tf.Tensor3D, heads: number, positions?: Positions): tf.Tensor4D {
  return tf.tidy(() => {
    const sizes = sizesOf(qkv, heads);
    const { B, T } = sizes;
    const [q, k] = thirds(partsOf(qkv, sizes), sizes);
    const table = positions !== undefined && 'table' in positions ? positions.table : undefined;
    const shares = sharesOf(q, k, table, positions, sizes);
    return shares.reshape([heads, B, T, T]).transpose([1, 0, 2, 3]) as tf.Tensor4D;
  });
}

type MaybeTable = tf.Tensor | undefined;

/** What a gradient keeps for the relative term: the table, and buckets of the step. */
function tableAnd(own: tf.Tensor | undefined, table: MaybeTable): tf.Tensor[] {
  if (table === undefined) return [];
  return own === undefined ? [table] : [table, own];
}

function fusedForward(
  qkv: tf.Tensor,
  table: MaybeTable,
  heads: number,
  relative: RelativePositions | undefined,
): Forward<tf.Tensor[]> | undefined {
  const attrs = { heads, scaled: relative?.scaled === true };
  const positions = (table: MaybeTable, own?: tf.Tensor): Readonly<Record<string, tf.Tensor>> =>
    table === undefined || relative === undefined ? {} : { table, bucketIds: own ?? relative.buckets.ids() };
  if (!hasFused('PatchstreamAttention')) return undefined;
  const [value, saved] = fused('PatchstreamAttention', { qkv, ...positions(table) }, attrs)!;
  return {
    value: value!,
    saved: [qkv, value!, saved!, ...tableAnd(relative?.buckets.own && relative.buckets.ids(), table)],
    backward: (dy, [qkv, y, saved, table, own]) =>
      fused('PatchstreamAttentionGrad', { dy, qkv: qkv!, y: y!, saved: saved!, ...positions(table, own) }, attrs)!,
  };
}

function composedForward(
  given: tf.Tensor,
  table: MaybeTable,
  heads: number,
  positions: Positions | undefined,
): Forward<tf.Tensor[]> {
  const { shape } = given;
  const sizes = sizesOf(given, heads);
  const { B, T, d } = sizes;
  const relative = positions !== undefined && 'buckets' in positions ? positions : undefined;
  const scale = d ** -0.5;
  const tableScale = relative?.scaled === true ? scale : 1;
  const parts = partsOf(given, sizes);
  const [q, k, v] = thirds(parts, sizes);
  const shares = sharesOf(q, k, table, positions, sizes);
  const mixed = tf.matMul(shares, v);
  return {
    value: join(mixed, sizes),
    saved: [parts, shares, mixed, ...tableAnd(relative?.buckets.own && relative.buckets.oneHot(), table)],
    backward: (dy, [parts, shares, mixed, table, own]) => {
      const [q, k, v] = thirds(parts!, sizes);
      // [B, T, hd] -> [hB, T, d]
      const dMixed = dy
        .reshape([B, T, heads, d])
        .transpose([2, 0, 1, 3])
        .reshape([heads * B, T, d]);
      const dv = tf.matMul(shares!, dMixed, true, false);
      const dShares = tf.matMul(dMixed, v, false, true);
      const dLogits = dShares.sub(dMixed.mul(mixed!).sum(-1, true)).mul(shares!);
      let dq = tf.matMul(dLogits, k).mul(scale);
      const dk = tf.matMul(dLogits, q, true, false).mul(scale);
      const dTable: tf.Tensor[] = [];
      if (table !== undefined && relative !== undefined) {
        const dPerBucket = times(toBuckets(dLogits, own ?? relative.buckets.oneHot()), tableScale);
        dq = dq.add(tf.matMul(dPerBucket, table, false, true).reshape(dq.shape));
        dTable.push(tf.matMul(q.reshape([-1, d]), dPerBucket, true, false));
      }
      const byHead = () => dLogits.reshape([heads, B, T * T]).sum(1);
      const dBias = positions !== undefined && 'bias' in positions ? [byHead().reshape([heads, T, T])] : [];
      // [3h, B, T, d] -> [B, T, 3h, d] -> [B, T, 3hd]
      const dParts = tf.concat([dq, dk, dv], 0).reshape([3 * heads, B, T, d]);
      return [dParts.transpose([1, 2, 0, 3]).reshape(shape), ...dTable, ...dBias];
    },
  };
}

/** softmax(q·kᵀ/√d + q·R[id(i, j)] + bias), [hB, T, T], of q and k [hB, T, d]. */
function sharesOf(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  table: MaybeTable,
  positions: Positions | undefined,
  sizes: Sizes,
): tf.Tensor {
  const { B, T, heads, d } = sizes;
  const scale = d ** -0.5;
  const logits = tf.matMul(q.mul(scale), k, false, true);
  if (positions === undefined) return tf.softmax(logits);
  if ('bias' in positions) {
    const byHead = logits.reshape([heads, B, T, T]).add(positions.bias.reshape([heads, 1, T, T]));
    return tf.softmax(byHead).reshape(logits.shape);
  }
  if (table === undefined) return tf.softmax(logits);
  // [hB·T, d]·[d, buckets] -> [hB, T, T]
  const perBucket = tf.matMul(times(q.reshape([-1, d]), positions.scaled ? scale : 1), table);
  return tf.softmax(logits.add(toKeys(perBucket, positions.buckets.oneHot())));
}

/** A multiplication by one would be a pass through all values. */
const times = (x: tf.Tensor, factor: number) => (factor === 1 ? x : x.mul(factor));

interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly heads: number;
  readonly d: number;
}

function sizesOf({ shape }: tf.Tensor, heads: number): Sizes {
  const [B, T, width] = shape as [number, number, number];
  return { B, T, heads, d: width / (3 * heads) };
}

/** [B, T, 3hd] -> [B, T, 3h, d] -> [3h, B, T, d] */
function partsOf(qkv: tf.Tensor, { B, T, heads, d }: Sizes): tf.Tensor {
  return qkv.reshape([B, T, 3 * heads, d]).transpose([2, 0, 1, 3]);
}

/** [3h, B, T, d] -> q, k, v, each [h·B, T, d]. */
function thirds(parts: tf.Tensor, { B, T, heads, d }: Sizes): [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D] {
  const rows = heads * B;
  const all = parts.reshape([3 * rows, T, d]) as tf.Tensor3D;
  const third = (i: number) => all.slice([i * rows, 0, 0], [rows, T, d]);
  return [third(0), third(1), third(2)];
}

/** [h·B, T, d] -> [B, T, h·d]. */
function join(x: tf.Tensor, { B, T, heads, d }: Sizes): tf.Tensor {
  return x
    .reshape([heads, B, T, d])
    .transpose([1, 2, 0, 3])
    .reshape([B, T, heads * d]);
}

/**
 * A value per (query, bucket) to one per (query, key): [h·B·T, buckets] -> [h·B, T, T]. A product with the one-hot buckets of each
 * query's row: picking by index is slower on wasm, and its gradient would be a scatter.
 *
 * @param buckets one-hot [Q, T, buckets]: Q is T, or B·T where each sequence has its own.
 */
function toKeys(perBucket: tf.Tensor, buckets: tf.Tensor): tf.Tensor {
  const [Q, T, count] = buckets.shape as [number, number, number];
  const byQuery = perBucket.reshape([-1, Q, count]).transpose([1, 0, 2]);
  return tf.matMul(byQuery, buckets, false, true).transpose([1, 0, 2]).reshape([-1, T, T]);
}

/** The gradient of `toKeys`: [h·B, T, T] -> [h·B·T, buckets]. */
function toBuckets(perKey: tf.Tensor, buckets: tf.Tensor): tf.Tensor {
  const [Q, T, count] = buckets.shape as [number, number, number];
  const byQuery = perKey.reshape([-1, Q, T]).transpose([1, 0, 2]);
  return tf.matMul(byQuery, buckets).transpose([1, 0, 2]).reshape([-1, count]);
}
