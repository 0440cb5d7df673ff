import type { OnnxAttribute } from '../../../formats/onnx.ts';
import type { Inputs, KernelBy } from '../../kernel.ts';
import type * as tf from '../../tf.ts';

/** Types of tensors that are traced. */
export type TracedType = 'float32' | 'int32' | 'bool';

/** The numbers of a tensor on the host. */
export type HostValues = Float32Array | Int32Array | Uint8Array;

/** Whole numbers that say how an operation works, such as a shape: ONNX has them as an input. */
export interface Numbers {
  readonly kind: 'numbers';
  readonly values: readonly number[];
}

export const numbers = (...values: readonly number[]): Numbers => ({ kind: 'numbers', values });

/** A tensor, whole numbers, or nothing where an input is left out. */
export type Input = tf.TensorInfo | Numbers | undefined;
export type Attributes = Readonly<Record<string, OnnxAttribute>>;

/** What an operation gives. */
export interface Answer {
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
  readonly attributes?: Attributes;
}

export interface Answers extends Omit<Answer, 'shape'> {
  readonly shapes: readonly (readonly number[])[];
}

/** What a kernel has of the trace. */
export interface Tracing {
  /** Records an operation of ONNX with one answer. */
  call(operator: string, inputs: readonly Input[], answer: Answer): tf.TensorInfo;
  /** Records one with several. */
  callMany(operator: string, inputs: readonly Input[], answers: Answers): tf.TensorInfo[];
  /** The same numbers by another shape. A reshape of a reshape is one of the first, and nothing where its shape comes back. */
  reshape(x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo;
  /** What a tensor is a reshape of, where it is one. */
  beforeReshape(x: tf.TensorInfo): tf.TensorInfo | undefined;
  constant(values: HostValues, shape: readonly number[]): tf.TensorInfo;
  /** The numbers of a tensor that hangs on no input and no parameter. */
  constantOf(x: tf.TensorInfo): HostValues | undefined;
  /** The error of a kernel that cannot be written, as it was called. */
  refused(reason: string): Error;
}

/** Records what one kernel of tfjs computes. */
export type Kernel = KernelBy<Tracing>;

/** Kernels by tfjs' names. */
export type KernelTable = Readonly<Record<string, Kernel>>;

/** A kernel whose attributes are of type A: tfjs promises as much by the kernel's name. */
export function kernel<A extends object>(
  run: (trace: Tracing, inputs: Inputs, attrs: A) => tf.TensorInfo | tf.TensorInfo[],
): Kernel {
  return run as Kernel;
}

/** A number as a tensor of the type of another. */
export function numberLike(trace: Tracing, { dtype }: Pick<tf.TensorInfo, 'dtype'>, value: number): tf.TensorInfo {
  const arrays = { int32: Int32Array, bool: Uint8Array } as const;
  const array = dtype === 'int32' || dtype === 'bool' ? arrays[dtype] : Float32Array;
  return trace.constant(array.of(value), []);
}
