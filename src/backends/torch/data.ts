import type { HostArray } from '../../native.ts';
import type * as tf from '../tf.ts';

/** Strings as tfjs keeps them. */
export type Texts = Uint8Array[];

/** What a tensor of tfjs stands for here; it is its own data id. */
export class TorchData {
  /** The tensor's name in native/torch; -1 when it has none, or no longer. */
  handle: number;
  /** Strings, which stay on the host. */
  texts: Texts | undefined;
  readonly dtype: tf.DataType;
  readonly size: number;
  refCount = 1;
  /** A list that has it is remembered with its handle. */
  listed = false;

  constructor(handle: number, dtype: tf.DataType, size: number, texts?: Texts) {
    this.handle = handle;
    this.dtype = dtype;
    this.size = size;
    this.texts = texts;
  }
}

/** False once it was let go. */
export const isThere = (data: TorchData) => data.handle >= 0 || data.texts !== undefined;

/** Memory of the host for all its numbers. */
export function arrayFor({ dtype, size }: TorchData): HostArray {
  if (dtype === 'int32') return new Int32Array(size);
  return dtype === 'bool' ? new Uint8Array(size) : new Float32Array(size);
}
