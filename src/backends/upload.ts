import * as tf from './tf.ts';

/** Numbers on the host, row by row. */
export interface HostNumbers {
  readonly dtype: 'uint8' | 'int32' | 'float32';
  readonly shape: readonly number[];
  readonly data: Uint8Array | Int32Array | Float32Array;
}

/**
 * Copies host numbers to a tensor of the current backend; the caller owns it. uint8 becomes float32 (tfjs has no bytes), the others keep
 * their type. The copy is made now: the host's memory may be reused when this returns.
 */
export function upload({ dtype, shape, data }: HostNumbers): tf.Tensor {
  if (dtype === 'int32') return tf.tensor(Int32Array.from(data), [...shape], 'int32');
  return tf.tensor(Float32Array.from(data), [...shape], 'float32');
}

/** Uploads each field of a micro-batch. The caller owns the tensors. */
export function uploadAll(fields: Readonly<Record<string, HostNumbers>>): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(fields).map(([name, numbers]) => [name, upload(numbers)]));
}
