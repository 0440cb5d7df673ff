import { gather, type HostNumbers, type HostRows, sizeOf } from './host/numbers.ts';
import * as tf from './tf.ts';

/** A backend that picks rows out of memory itself. uint8 becomes float32 on the way. */
interface TakesRows {
  uploadRows(rows: HostRows, from: HostNumbers['dtype'], shape: number[], dtype: 'int32' | 'float32'): tf.TensorInfo;
}

/**
 * Copies host numbers to a tensor of the current backend; the caller owns it. uint8 becomes float32 (tfjs has no bytes), the others keep
 * their type. The copy is made now: the host's memory may be reused when this returns.
 */
export function upload(numbers: HostNumbers): tf.Tensor {
  const { dtype, rows } = numbers;
  const shape = [...numbers.shape];
  const target = dtype === 'int32' ? 'int32' : 'float32';
  const backend = tf.backend() as Partial<TakesRows>;
  if (backend.uploadRows !== undefined && sizeOf(shape) > 0) {
    const from = rows ?? onePiece(numbers.data);
    return tf.engine().makeTensorFromTensorInfo(backend.uploadRows(from, dtype, shape, target));
  }
  const values = target === 'int32' ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
  if (rows === undefined) values.set(numbers.data);
  else gather(rows, dtype, values);
  return tf.tensor(values, shape, target);
}

/** Numbers that lie in one piece, as one row. */
function onePiece({ buffer, byteOffset, byteLength }: HostNumbers['data']): HostRows {
  return { memory: new Uint8Array(buffer, byteOffset, byteLength), starts: Float64Array.of(0), bytes: byteLength };
}

/** Uploads each field of a micro-batch. The caller owns the tensors; none is left behind when one finds no memory. */
export function uploadAll(fields: Readonly<Record<string, HostNumbers>>): Record<string, tf.Tensor> {
  const tensors: Record<string, tf.Tensor> = {};
  try {
    for (const [name, numbers] of Object.entries(fields)) tensors[name] = upload(numbers);
    return tensors;
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}

/** Some rows of each tensor, as new tensors. The caller owns them. */
export function tensorRows(
  tensors: Readonly<Record<string, tf.Tensor>>,
  from: number,
  to: number,
): Record<string, tf.Tensor> {
  return tf.tidy(() =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => {
        const rest = tensor.shape.slice(1);
        return [name, tensor.slice([from, ...rest.map(() => 0)], [to - from, ...rest])];
      }),
    ),
  );
}
