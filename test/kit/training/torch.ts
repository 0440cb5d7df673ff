import type { Test } from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend, TorchDevice } from '../../../src/backends/torch/torch.ts';
import { isAbsent, torchAddon } from '../../../src/native.ts';
import { waves } from './tensors.ts';

const addon = torchAddon();

/** Where tests of the backend torch compute: PATCHSTREAM_TEST_DEVICE (`cuda:0`), the cpu by default. */
export const testDevice = (process.env.PATCHSTREAM_TEST_DEVICE || 'cpu') as TorchDevice;

/** Whether loops of our own compute: they do on the cpu, unless PATCHSTREAM_TORCH_KERNELS says `aten`. */
export const ownKernels = testDevice === 'cpu' && process.env.PATCHSTREAM_TORCH_KERNELS !== 'aten';

/** Why tests of the backend torch cannot run, or false: an option of tap's tests. */
export const withoutTorch: string | false = isAbsent(addon) ? addon.found : false;

/** Computes products in bfloat16 meanwhile, whatever the processor is: without instructions of its own it is slow, and right. */
export function inBfloat16<T>(f: () => T): T {
  const backend = tf.backend() as TorchBackend;
  backend.factors = 1;
  const back = () => {
    backend.factors = 0;
  };
  let result: T;
  try {
    result = f();
  } catch (error) {
    back();
    throw error;
  }
  if (result instanceof Promise) return result.finally(back) as T;
  back();
  return result;
}

/** A tensor of `waves`. */
export function wavy(shape: number[], index = 0): tf.Tensor {
  return tf.tensor(Float32Array.from(waves(shape, index).data), shape);
}

/** Whole numbers from −`reach` to `reach`, int32. */
export function whole(shape: number[], reach = 9, index = 0): tf.Tensor {
  return tf.tensor(
    Int32Array.from(waves(shape, index).data, (v) => Math.round(v * reach)),
    shape,
    'int32',
  );
}

interface Answer {
  readonly dtype: string;
  readonly shape: number[];
  readonly values: ArrayLike<number>;
}

async function answersOf(f: () => tf.Tensor | tf.Tensor[]): Promise<Answer[]> {
  const before = tf.memory().numTensors;
  const made = tf.tidy(() => [f()].flat() as tf.Tensor[]);
  const answers = made.map((x) => ({ dtype: x.dtype, shape: x.shape, values: x.dataSync() }));
  tf.dispose(made);
  if (tf.memory().numTensors !== before) throw new Error('tensors leaked');
  return answers;
}

/** What tfjs gave on its own cpu backend, and on torch. */
async function both(f: () => tf.Tensor | tf.Tensor[]): Promise<[Answer[], Answer[]]> {
  await tf.setBackend('cpu');
  const expected = await answersOf(f);
  await prepareTorch(testDevice);
  const before = (tf.memory() as unknown as { tensors: number }).tensors;
  const found = await answersOf(f);
  const after = (tf.memory() as unknown as { tensors: number }).tensors;
  if (after !== before) throw new Error(`native/torch kept ${after - before} tensors`);
  return [expected, found];
}

/** Expects of torch the dtype, shape and values that tfjs' cpu backend gives, what is no number included, and that nothing leaks. */
export async function expectAgreement(
  t: Test,
  what: string,
  f: () => tf.Tensor | tf.Tensor[],
  tolerance = 2e-6,
): Promise<void> {
  const [expected, found] = await both(f);
  t.equal(found.length, expected.length, `${what}: as many outputs`);
  for (const [i, { dtype, shape, values }] of expected.entries()) {
    const answer = found[i]!;
    t.same([answer.dtype, answer.shape], [dtype, shape], `${what}: dtype and shape`);
    const wrong = Array.from(values).findIndex((value, at) => !close(answer.values[at]!, value, tolerance));
    t.equal(wrong, -1, `${what}: ${wrong < 0 ? 'values' : `${answer.values[wrong]} for ${values[wrong]} at ${wrong}`}`);
  }
}

function close(found: number, expected: number, tolerance: number): boolean {
  if (Object.is(found, expected) || found === expected) return true;
  return Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected));
}

/** The value of `f` and the gradients of a weighted sum of it, for `expectAgreement`. */
export function withGradients(f: (...xs: tf.Tensor[]) => tf.Tensor, ...make: (() => tf.Tensor)[]): () => tf.Tensor[] {
  return () => {
    const inputs = make.map((one) => one());
    const y = f(...inputs);
    const weigh = (...xs: tf.Tensor[]) =>
      f(...xs)
        .mul(wavy(y.shape, 7))
        .sum() as tf.Scalar;
    return [y, ...tf.grads(weigh)(inputs)];
  };
}
