import type { Test } from 'tap';
import * as tf from '../../../src/backends/tf.ts';

/** Runs `f` and expects as many tensors and variables after it as before. `f` disposes what it owns. Warm constants up before. */
export async function expectNoTensorLeak(t: Pick<Test, 'equal'>, f: () => unknown): Promise<void> {
  const before = tf.memory().numTensors;
  await f();
  t.equal(tf.memory().numTensors, before, 'tensors after as before');
}

/** What `f` reads of tensors, which are freed behind it. Handed out of `tf.tidy`, each number would be looked at, whether it is a tensor. */
export function readings<T>(f: () => T): T {
  let found: { readonly value: T } | undefined;
  tf.tidy(() => {
    found = { value: f() };
  });
  return found!.value;
}

/** ‖found − expected‖ / ‖expected‖, or the norm of what was found where nothing was expected. */
export function relativeL2(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (found[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(difference) / (norm === 0 ? 1 : Math.sqrt(norm));
}

/** Expects equal lengths and a relative L2 difference of at most `tolerance`. */
export function expectClose(
  t: Pick<Test, 'ok' | 'equal'>,
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what = 'values',
): void {
  t.equal(found.length, expected.length, `${what}: as many as expected`);
  const distance = relativeL2(found, expected);
  t.ok(distance <= tolerance, `${what}: relative difference ${distance.toExponential(1)}, at most ${tolerance}`);
}

/** Numbers of one input of an operation, row by row. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Waves of about unit size that repeat nowhere in a test: the numbers of input `index`, exact in float32. */
export function waves(shape: readonly number[], index = 0): Numbers {
  const size = shape.reduce((product, side) => product * side, 1);
  const data = new Float64Array(size).map((_, i) =>
    Math.fround(Math.cos(0.61 * i + 1.7 * index + 0.13 * ((i * i) % 101))),
  );
  return { shape, data };
}

/** What an operation is held against. */
export interface Referred {
  readonly value: Float64Array;
  /** The gradient is that of the sum of the value times these. */
  readonly weights: Float64Array;
  /** Of each input: where the gradient is known, and what it is there. */
  readonly gradients: readonly { readonly places: readonly number[]; readonly numeric: readonly number[] }[];
}

/**
 * The value of a float64 reference in plain JavaScript, and the gradient of a weighted sum of it by every input: central differences (step 1e-5), of large
 * inputs at `probes` places spread over them.
 *
 * @param reference takes the inputs' numbers and returns the output's.
 */
export function referred(
  reference: (...inputs: Float64Array[]) => Float64Array,
  inputs: readonly Numbers[],
  probes = 200,
): Referred {
  const arrays = inputs.map(({ data }) => data);
  const value = reference(...arrays);
  const weights = waves([value.length], 9).data;
  const sum = (values: Float64Array) => values.reduce((total, value, i) => total + value * weights[i]!, 0);
  const gradients = arrays.map(({ length }, which) => {
    const stride = Math.ceil(length / probes);
    const places = Array.from({ length: Math.ceil(length / stride) }, (_, i) => i * stride);
    const numeric = places.map((at) => (sum(shifted(which, at, 1e-5)) - sum(shifted(which, at, -1e-5))) / 2e-5);
    return { places, numeric };
  });
  return { value, weights, gradients };

  function shifted(which: number, at: number, step: number): Float64Array {
    return reference(...arrays.map((array, i) => (i === which ? array.with(at, array[at]! + step) : array)));
  }
}

/**
 * Holds the value and the gradients of an operation against a reference. And nothing may leak.
 *
 * @param tolerance relative L2 per tensor, for the value and for each gradient.
 */
export async function expectOperation(
  t: Test,
  operation: (...inputs: tf.Tensor[]) => tf.Tensor,
  expected: Referred,
  inputs: readonly Numbers[],
  tolerance = 1e-5,
): Promise<void> {
  const { weights } = expected;
  await expectNoTensorLeak(t, () => {
    const tensors = inputs.map(({ shape, data }) => tf.tensor(Float32Array.from(data), [...shape]));
    const value = tf.tidy(() => operation(...tensors));
    const weigh = (...xs: tf.Tensor[]) => {
      const y = operation(...xs);
      return y.mul(tf.tensor(Float32Array.from(weights), y.shape)).sum() as tf.Scalar;
    };
    const gradients = tf.tidy(() => tf.grads(weigh)(tensors));
    expectClose(t, value.dataSync(), expected.value, tolerance, 'value');
    for (const [which, gradient] of gradients.entries()) {
      const { places, numeric } = expected.gradients[which]!;
      t.same(gradient.shape, inputs[which]!.shape, `gradient by input ${which}: its shape`);
      const values = gradient.dataSync();
      const probed = places.map((at) => values[at]!);
      expectClose(t, probed, numeric, tolerance, `gradient by input ${which}`);
    }
    tf.dispose([...tensors, value, ...gradients]);
  });
}
