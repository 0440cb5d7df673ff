import type { Inputs, KernelBy } from '../../kernel.ts';
import type * as tf from '../../tf.ts';

/** What a kernel has of the backend. */
export interface Torch {
  /** The type of the factors in the products of the models' own kernels, by its number in native/torch: 0 float32, 1 bfloat16. */
  readonly factors: 0 | 1;
  /** Runs an operation of native/torch and gives its first output, which the caller owns. Attributes in the order that the operation reads them. */
  one(operation: string, inputs: readonly (tf.TensorInfo | undefined)[], attributes?: readonly number[]): tf.TensorInfo;
  /** The same with all outputs. */
  all(
    operation: string,
    inputs: readonly (tf.TensorInfo | undefined)[],
    attributes?: readonly number[],
  ): tf.TensorInfo[];
  /** The same with lists of inputs, one after another. A list is known again, so whoever wants other tensors makes another list. */
  lists(
    operation: string,
    inputs: readonly (readonly tf.TensorInfo[])[],
    attributes?: readonly number[],
  ): tf.TensorInfo[];
  /** The same numbers once more; both must be freed. */
  share(x: tf.TensorInfo): tf.TensorInfo;
  /** The same numbers in another shape, without a copy. */
  reshape(x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo;
  /** Frees what a kernel made for itself. */
  free(x: tf.TensorInfo): void;
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
}

/** Computes one tfjs kernel. The inputs stay the caller's, the outputs are his. */
export type Kernel = KernelBy<Torch>;

/** Kernels by tfjs' names. */
export type KernelTable = Readonly<Record<string, Kernel>>;

/** A kernel whose attributes are of type A: tfjs promises as much by the kernel's name. */
export function kernel<A extends object>(
  run: (torch: Torch, inputs: Inputs, attrs: A) => tf.TensorInfo | tf.TensorInfo[],
): Kernel {
  return run as Kernel;
}

/** Inputs of a kernel of ours that takes lists of them. */
export function listsOf(inputs: Inputs): tf.TensorInfo[][] {
  return inputs as unknown as tf.TensorInfo[][];
}

/** A list as native/torch reads it: its length, then its numbers. */
export function list(values: readonly number[]): number[] {
  return [values.length, ...values];
}

export const flag = (value: boolean | null | undefined): number => (value === true ? 1 : 0);

/** dtypes by the numbers of native/torch. */
export const dtypes = ['float32', 'int32', 'bool'] as const;

/** The number of a dtype. Throws for strings and complex numbers, which this backend does not compute with. */
export function dtypeNumber(dtype: tf.DataType): number {
  const at = dtypes.indexOf(dtype as (typeof dtypes)[number]);
  if (at < 0) throw new Error(`the backend torch computes with ${dtypes.join(', ')}; got ${dtype}`);
  return at;
}

/** The number of a fused activation of tfjs. */
export function activationNumber(activation: string | null | undefined): number {
  const names = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'];
  const at = names.indexOf(activation ?? 'linear');
  if (at < 0) throw new Error(`the activation must be one of ${names.join(', ')}; got ${activation}`);
  return at;
}
