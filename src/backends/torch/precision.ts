import * as tf from '../tf.ts';
import { TorchBackend } from './torch.ts';

/** The type of the factors in a model's products. Weights, moments, norms, softmax and losses are float32 in each. */
export type Precision = 'float32' | 'tf32' | 'bfloat16';

/** What decides which precisions a device has. */
export interface PrecisionFacts {
  readonly device: string;
  /** Whether the processor multiplies bfloat16 by instructions of its own. */
  readonly bfloat16: boolean;
  /** The first number of a GPU's compute capability; 0 where it is not known. */
  readonly generation: number;
}

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
  const generation = addon.deviceGeneration(device);
  const instead = whyNot(wish, { device, bfloat16: addon.info().bfloat16, generation });
  const precision = instead === undefined ? wish : 'float32';
  backend.factors = precision === 'bfloat16' ? 1 : 0;
  if (device.startsWith('cuda')) addon.allowTf32(precision === 'tf32' ? 1 : 0);
  return instead === undefined ? { precision } : { precision, instead };
}

/** Why a device does not compute in a precision, or nothing where it does. NVIDIA's GPUs have products of TF32 and bfloat16 since Ampere, their generation 8. */
export function whyNot(wish: Precision, { device, bfloat16, generation }: PrecisionFacts): string | undefined {
  if (wish === 'float32') return undefined;
  if (device.startsWith('cuda')) {
    const old = generation > 0 && generation < 8;
    return old ? `${device} is of compute capability ${generation}, and its products begin with 8` : undefined;
  }
  if (wish === 'tf32') return `TF32 is a type of NVIDIA's GPUs, and this is ${device}`;
  if (device === 'cpu' && bfloat16) return undefined;
  return `${device === 'cpu' ? 'this processor' : device} has no products of bfloat16 (AVX-512 BF16, AMX) that are faster`;
}
