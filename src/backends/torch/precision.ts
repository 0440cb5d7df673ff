import * as tf from '../tf.ts';
import { TorchBackend } from './torch.ts';

/** The type of the factors in a model's products. Weights, moments, sums, norms, softmax and losses are float32 in each. */
export type Precision = 'float32' | 'tf32' | 'bfloat16';

/**
 * Has the current backend multiply factors of this type from now on. What it cannot do, or does slower than float32, is computed in float32.
 *
 * @returns the type that was taken, and where it is another than was asked for, why.
 */
export function takePrecision(wish: Precision): { readonly precision: Precision; readonly instead?: string } {
  const backend = tf.backend();
  if (!(backend instanceof TorchBackend)) {
    const instead = `the backend ${tf.getBackend()} has float32 alone; torch has more`;
    return wish === 'float32' ? { precision: wish } : { precision: 'float32', instead };
  }
  const { addon, device } = backend;
  const onCuda = device.startsWith('cuda');
  const instead = {
    float32: undefined,
    tf32: onCuda ? undefined : `TF32 is a type of NVIDIA's GPUs, and this is ${device}`,
    bfloat16:
      onCuda || (device === 'cpu' && addon.info().bfloat16)
        ? undefined
        : `${device === 'cpu' ? 'this processor' : device} has no products of bfloat16 (AVX-512 BF16, AMX) that are faster`,
  }[wish];
  const precision = instead === undefined ? wish : 'float32';
  backend.factors = precision === 'bfloat16' ? 1 : 0;
  if (onCuda) addon.allowTf32(precision === 'tf32' ? 1 : 0);
  return instead === undefined ? { precision } : { precision, instead };
}
