import type { Forward } from '../gradient.ts';
import * as tf from '../tf.ts';
import { toBuckets, toKeys } from './buckets.ts';
import type { Positions, RelativePositions } from './positions.ts';

/**
 * `attention` composed of tfjs' operations. The heads go in front of the batch, so that one transpose of rank 4 serves q, k and v and each is one piece of memory. The gradient is
 * written out: tfjs' own would transpose operands inside products and pad slices.
 *
 * @param tables those that `positions` has: of keys, queries and values, in this order.
 */
export function composedForward(
  given: tf.Tensor,
  tables: readonly tf.Tensor[],
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
  const shares = sharesOf(q, k, tables, positions, sizes);
  const plain = tf.matMul(shares, v);
  const [, , ofValues] = tables;
  const mixed =
    ofValues === undefined
      ? plain
      : plain.add(tf.matMul(toBuckets(shares, relative!.buckets.oneHot()), ofValues).reshape(plain.shape));
  const ofStep = relative?.buckets.own === true && tables.length > 0 ? [relative.buckets.oneHot()] : [];
  return {
    value: join(mixed, sizes),
    saved: [parts, shares, mixed, ...tables, ...ofStep],
    backward: (dy, [parts, shares, mixed, ...kept]) => {
      const buckets = () => kept[tables.length] ?? relative!.buckets.oneHot();
      const [keyTable, queryTable, valueTable] = kept.slice(0, tables.length);
      const [q, k, v] = thirds(parts!, sizes);
      // [B, T, hd] -> [hB, T, d]
      const dMixed = dy
        .reshape([B, T, heads, d])
        .transpose([2, 0, 1, 3])
        .reshape([heads * B, T, d]);
      const dv = tf.matMul(shares!, dMixed, true, false);
      let dShares = tf.matMul(dMixed, v, false, true);
      const dTables: tf.Tensor[] = [];
      if (valueTable !== undefined) {
        const rows = dMixed.reshape([-1, d]);
        dShares = dShares.add(toKeys(tf.matMul(rows, valueTable, false, true), buckets()));
        dTables.unshift(tf.matMul(toBuckets(shares!, buckets()), rows, true, false));
      }
      const dLogits = dShares.sub(dMixed.mul(mixed!).sum(-1, true)).mul(shares!);
      let dq = tf.matMul(dLogits, k).mul(scale);
      let dk = tf.matMul(dLogits, q, true, false).mul(scale);
      if (queryTable !== undefined) {
        const [ofKeys, dTable] = tableGradient(dLogits.transpose([0, 2, 1]), k, queryTable, buckets(), tableScale);
        dk = dk.add(ofKeys);
        dTables.unshift(dTable);
      }
      if (keyTable !== undefined) {
        const [ofQueries, dTable] = tableGradient(dLogits, q, keyTable, buckets(), tableScale);
        dq = dq.add(ofQueries);
        dTables.unshift(dTable);
      }
      const byHead = () => dLogits.reshape([heads, B, T * T]).sum(1);
      const dBias = positions !== undefined && 'bias' in positions ? [byHead().reshape([heads, T, T])] : [];
      // [3h, B, T, d] -> [B, T, 3h, d] -> [B, T, 3hd]
      const dParts = tf.concat([dq, dk, dv], 0).reshape([3 * heads, B, T, d]);
      return [dParts.transpose([1, 2, 0, 3]).reshape(shape), ...dTables, ...dBias];
    },
  };
}

/** What `composedForward` weighs values by: [B, h, T, T]. */
export function weightsOf(qkv: tf.Tensor3D, heads: number, positions: Positions | undefined): tf.Tensor4D {
  const sizes = sizesOf(qkv, heads);
  const { B, T } = sizes;
  const [q, k] = thirds(partsOf(qkv, sizes), sizes);
  const { table, queryTable }: Partial<RelativePositions> =
    positions !== undefined && 'table' in positions ? positions : {};
  const tables = [table, queryTable].filter((one) => one !== undefined);
  const shares = sharesOf(q, k, tables, positions, sizes);
  return shares.reshape([heads, B, T, T]).transpose([1, 0, 2, 3]) as tf.Tensor4D;
}

/** The softmax of q·kᵀ/√d and what positions add, [hB, T, T], of q and k [hB, T, d]. */
function sharesOf(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  [keyTable, queryTable]: readonly tf.Tensor[],
  positions: Positions | undefined,
  { B, T, heads, d }: Sizes,
): tf.Tensor {
  const scale = d ** -0.5;
  let logits: tf.Tensor = tf.matMul(q.mul(scale), k, false, true);
  if (positions === undefined) return tf.softmax(logits);
  if ('bias' in positions) {
    const byHead = logits.reshape([heads, B, T, T]).add(positions.bias.reshape([heads, 1, T, T]));
    return tf.softmax(byHead).reshape(logits.shape);
  }
  const buckets = positions.buckets.oneHot();
  // [hB·T, d]·[d, buckets] -> [hB, T, T]
  const term = (x: tf.Tensor3D, table: tf.Tensor) =>
    toKeys(tf.matMul(times(x.reshape([-1, d]), positions.scaled ? scale : 1), table), buckets);
  if (keyTable !== undefined) logits = logits.add(term(q, keyTable));
  if (queryTable !== undefined) logits = logits.add(term(k, queryTable).transpose([0, 2, 1]));
  return tf.softmax(logits);
}

/** Of a term x·table by buckets, [hB, T, T]: its gradients by x and by the table. */
function tableGradient(
  dTerm: tf.Tensor,
  x: tf.Tensor3D,
  table: tf.Tensor,
  buckets: tf.Tensor,
  scale: number,
): [tf.Tensor, tf.Tensor] {
  const dPerBucket = times(toBuckets(dTerm, buckets), scale);
  const rows = x.reshape([-1, x.shape[2]]);
  return [tf.matMul(dPerBucket, table, false, true).reshape(x.shape), tf.matMul(rows, dPerBucket, true, false)];
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
