import type * as tf from '../../tf.ts';
import { add, expand, gelu, times } from './elementwise.ts';
import { type KernelTable, kernel, type Tracing } from './kernel.ts';
import { matMul } from './products.ts';
import { split, transpose } from './shapes.ts';

/** Works on the last axis of rows, and of what they were before they were rows: models call all tokens rows, and call them tokens again behind it. */
function alongRows(trace: Tracing, rows: tf.TensorInfo, work: (x: tf.TensorInfo) => tf.TensorInfo): tf.TensorInfo {
  const before = trace.beforeReshape(rows);
  if (before === undefined || before.shape.at(-1) !== rows.shape.at(-1)) return work(rows);
  const made = work(before);
  return trace.reshape(made, [...rows.shape.slice(0, -1), made.shape.at(-1)!]);
}

/** What gradients would need beside the answer. */
const nothing = (trace: Tracing) => trace.constant(new Float32Array(0), [0]);

interface AttentionAttrs {
  readonly heads: number;
  readonly scaled: boolean;
}

/** Kernels of ours for the operations that models are written in (`backends/fused.ts`). */
export const fusedKernels: KernelTable = {
  PatchstreamGelu: (trace, { x }) => [alongRows(trace, x!, (each) => gelu(trace, each)), nothing(trace)],
  PatchstreamLinear: kernel<{ readonly gelu: boolean }>((trace, { x, weight, bias }, attrs) => {
    const y = alongRows(trace, x!, (each) => {
      const product = matMul(trace, each, weight!);
      const sum = bias === undefined ? product : add(trace, product, bias);
      return attrs.gelu ? gelu(trace, sum) : sum;
    });
    return attrs.gelu ? [y, nothing(trace)] : [y];
  }),
  PatchstreamLayerNorm: kernel<{ readonly eps: number }>((trace, { x, gain, bias }, { eps }) => {
    const attributes = { axis: -1, epsilon: { float: eps } };
    const y = alongRows(trace, x!, (each) =>
      trace.call('LayerNormalization', [each, gain, bias], { ...each, attributes }),
    );
    return [y, nothing(trace), nothing(trace)];
  }),
  PatchstreamAttention: kernel<AttentionAttrs>((trace, { qkv, table, bucketIds }, { heads, scaled }) => {
    const [B, T, width] = qkv!.shape as [number, number, number];
    const d = width / (3 * heads);
    // Each [B, h, T, d].
    const [q, k, v] = split(trace, qkv!, [heads * d, heads * d, heads * d], 2).map((part) =>
      transpose(trace, trace.reshape(part, [B, T, heads, d]), [0, 2, 1, 3]),
    ) as [tf.TensorInfo, tf.TensorInfo, tf.TensorInfo];
    const scaledQ = times(trace, q, d ** -0.5);
    const plain = matMul(trace, scaledQ, k, { transposeB: true });
    const logits =
      table === undefined ? plain : add(trace, plain, relativeLogits(trace, scaled ? scaledQ : q, table, bucketIds!));
    const shares = trace.call('Softmax', [logits], { ...logits, attributes: { axis: -1 } });
    const mixed = transpose(trace, matMul(trace, shares, v), [0, 2, 1, 3]);
    return [trace.reshape(mixed, [B, T, heads * d]), nothing(trace)];
  }),
};

/** q·R by buckets, [B, h, T, buckets], to pairs, [B, h, T, T]. */
function relativeLogits(trace: Tracing, q: tf.TensorInfo, table: tf.TensorInfo, ids: tf.TensorInfo): tf.TensorInfo {
  const values = trace.constantOf(ids);
  if (values === undefined || ids.shape.length !== 2) throw trace.refused('its positions hang on the picture');
  const [B, heads, T] = q.shape as [number, number, number];
  const byBucket = matMul(trace, q, table);
  const shape = [B, heads, T, T];
  // Of runtimes' ways to pick this is the fastest; the ids of all pictures and heads are made once for all blocks.
  const all = expand(trace, trace.constant(values, [1, 1, T, T]), shape);
  return trace.call('GatherElements', [byBucket, all], { shape, dtype: q.dtype, attributes: { axis: 3 } });
}
