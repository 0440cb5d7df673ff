import * as tf from './tf.ts';

/**
 * Operations for which a backend may bring one kernel of its own instead of the composed form in plain tfjs. They are ordinary tfjs kernels
 * under names that tfjs does not use, so a backend offers one by `tf.registerKernel`, and nothing else has to know.
 *
 * All tensors float32 but ids. Kernels named `…Grad` give the gradients by the inputs of their partner, in its order. What is called
 * `saved` is for the partner alone, in a form that the backend chooses.
 *
 * - `PatchstreamGelu`: `{ x }` -> [y, slope], x·Φ(x) and its derivative Φ(x) + x·φ(x). Any shape, float32. The slope is asked for with the
 *   value because both come from the same dear part, and it takes the place of x in what the gradient keeps.
 *
 * - `PatchstreamLinear`: `{ x [R, in], weight [in, out], bias? [out] }`, attribute `gelu` -> [y], with gelu [y, saved]: x·weight + bias,
 *   and its gelu when asked for. One tensor more may follow, which takes the place of x in what the gradient keeps.
 *   `PatchstreamLinearGrad`: `{ dy, x, weight, saved? }`, attribute `bias`, whether there was one.
 * - `PatchstreamLayerNorm`: `{ x [R, D], gain [D], bias [D] }`, attribute `eps` -> [y, mean [R], rstd [R]], rstd = 1/√(var + eps).
 *   `PatchstreamLayerNormGrad`: `{ dy, x, mean, rstd, gain }`. Only it reads `mean` and `rstd`, so a backend may put something else there.
 * - `PatchstreamAttention`: `{ qkv [B, T, 3hd], table? [d, buckets], bucketIds? [T, T] or [B, T, T] int32 }`, attributes `heads`, `scaled`
 *   as in `attention/` -> [y, saved]. `PatchstreamAttentionGrad`: `{ dy, qkv, y, saved, table?, bucketIds? }`, the same attributes ->
 *   [dqkv], with a table [dqkv, dTable].
 * - `PatchstreamGatherTokens`: `{ x [N, n, D], ids [N, k] int32 }` -> [y]. `PatchstreamGatherTokensGrad`: `{ dy, ids }`, attribute `n`.
 * - `PatchstreamConv3x3`: `{ x NHWC, weight [3, 3, C, F], bias? [F] }` -> [y]. `PatchstreamConv3x3Grad`: `{ dy, x, weight }`,
 *   attribute `bias`, whether there was one.
 *
 * Those of a training step take lists of tensors, and change tensors in place, or replace their values; nobody else may hold those:
 *
 * - `PatchstreamAccumulate`: sums, tensors, as many of each -> nothing. Each sum grows by its tensor.
 * - `PatchstreamNorms`: any lists -> [squares], the sum of squares of each tensor, float32 [count]; torch adds up in float64.
 * - `PatchstreamAdamW`: parameters, gradients, firsts, seconds -> nothing, by attributes `AdamWStep` with `scale` and `decays`; where the
 *   backend has `PatchstreamAccumulate` and `PatchstreamZero` too, the gradients are zero afterwards.
 * - `PatchstreamLars` and `PatchstreamLion`: parameters, gradients, moments; `PatchstreamLamb`: parameters, gradients, firsts, seconds; all as
 *   `PatchstreamAdamW`, by the attributes `LarsUpdate`, `LionUpdate` and `LambUpdate`.
 * - `PatchstreamAverage`: averages, values -> nothing. Each average comes nearer to its value by the attribute `weight`, 0 to 1.
 * - `PatchstreamZero`: any lists -> nothing. All become zero.
 */
export type FusedKernel =
  | 'PatchstreamGelu'
  | 'PatchstreamLinear'
  | 'PatchstreamLinearGrad'
  | 'PatchstreamLayerNorm'
  | 'PatchstreamLayerNormGrad'
  | 'PatchstreamAttention'
  | 'PatchstreamAttentionGrad'
  | 'PatchstreamGatherTokens'
  | 'PatchstreamGatherTokensGrad'
  | 'PatchstreamConv3x3'
  | 'PatchstreamConv3x3Grad'
  | 'PatchstreamAccumulate'
  | 'PatchstreamNorms'
  | 'PatchstreamAdamW'
  | 'PatchstreamLars'
  | 'PatchstreamLamb'
  | 'PatchstreamLion'
  | 'PatchstreamAverage'
  | 'PatchstreamZero';

/** Lists of tensors, each of any length. */
export type TensorLists = readonly (readonly tf.Tensor[])[];

/** The kernels in whose place composed forms serve. */
let composed: readonly FusedKernel[] | 'all' = [];

/** Whether the current backend has the kernel, and it may be used. */
export function hasFused(name: FusedKernel): boolean {
  return composed !== 'all' && !composed.includes(name) && tf.getKernel(name, tf.getBackend()) !== undefined;
}

/**
 * The fused kernel's outputs on the current backend, or undefined where the backend has none and the composed form must serve.
 *
 * @param inputs by name, or lists for kernels that take any number of them. A backend may know a list again, so nobody changes one.
 */
export function fused(
  name: FusedKernel,
  inputs: Readonly<Record<string, tf.Tensor>> | TensorLists,
  attrs: object = {},
): tf.Tensor[] | undefined {
  if (!hasFused(name)) return undefined;
  if (Array.isArray(inputs)) return ofLists(name, inputs, attrs);
  return tf.engine().runKernel(name, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor[];
}

/**
 * A kernel of a training step, past tfjs' engine: no gradient goes through it, and once a step its bookkeeping, never warm, takes longer
 * than the call.
 */
function ofLists(kernelName: FusedKernel, inputs: TensorLists, attrs: object): tf.Tensor[] {
  const { kernelFunc } = tf.getKernel(kernelName, tf.getBackend());
  // Lists are taken as they are, though tfjs' type does not say so.
  const made = kernelFunc({
    inputs: inputs as unknown as tf.NamedTensorInfoMap,
    attrs: attrs as tf.NamedAttrMap,
    backend: tf.backend(),
  });
  return (Array.isArray(made) ? made : [made]).map((info) => tf.engine().makeTensorFromTensorInfo(info));
}

/** Runs `f` with composed forms only, gradients included: for tests that hold the two forms together. */
export function composedOnly<T>(f: () => T): T {
  const before = composed;
  composed = 'all';
  try {
    return f();
  } finally {
    composed = before;
  }
}

/** Has composed forms serve in the place of these kernels from now on, gradients included, in this thread; of none, all kernels serve again. For benches that time the two. */
export function composeInstead(kernels: readonly FusedKernel[]): void {
  composed = kernels;
}
