import * as tf from './tf.ts';

/**
 * Operations for which a backend may bring one kernel of its own instead of the composed form in plain tfjs. They are ordinary tfjs kernels
 * under names that tfjs does not use, so a backend offers one by `tf.registerKernel`, and nothing else has to know.
 *
 * - `PatchstreamGelu`: `{ x }` -> [y, slope], x·Φ(x) and its derivative Φ(x) + x·φ(x). Any shape, float32. The slope is asked for with the
 *   value because both come from the same dear part, and it takes the place of x in what the gradient keeps.
 */
export type FusedKernel = 'PatchstreamGelu';

let allowed = true;

/** The fused kernel's outputs on the current backend, or undefined where the backend has none and the composed form must serve. */
export function fused(name: FusedKernel, inputs: Readonly<Record<string, tf.Tensor>>): tf.Tensor[] | undefined {
  if (!allowed || tf.getKernel(name, tf.getBackend()) === undefined) return undefined;
  return tf.engine().runKernel(name, inputs as tf.NamedTensorMap) as tf.Tensor[];
}

/** Runs `f` with composed forms only, gradients included: for tests that hold the two forms together. */
export function composedOnly<T>(f: () => T): T {
  allowed = false;
  try {
    return f();
  } finally {
    allowed = true;
  }
}
