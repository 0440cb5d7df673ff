import type { BackendChoice } from '../backends/choose.ts';
import { linear } from '../backends/ops.ts';
import * as tf from '../backends/tf.ts';
import type { Precision } from '../backends/torch/precision.ts';
import { TorchBackend } from '../backends/torch/torch.ts';
import { PatchstreamError } from '../errors.ts';
import type { TrainDefinition } from './definition.ts';
import type { Compute, Peak } from './flops.ts';

/** Dense TFLOP/s of NVIDIA's data sheets: bfloat16, TF32, float32. The first name that is part of the device's own counts. */
const sheets: readonly (readonly [name: string, Readonly<Partial<Record<Precision, number>>>])[] = [
  ['H200 NVL', { bfloat16: 835.5, tf32: 417.5, float32: 60 }],
  ['H200', { bfloat16: 989.4, tf32: 494.7, float32: 66.9 }],
  ['H100 PCIe', { bfloat16: 756, tf32: 378, float32: 51.2 }],
  ['H100 NVL', { bfloat16: 835, tf32: 417, float32: 60 }],
  ['H100', { bfloat16: 989.4, tf32: 494.7, float32: 66.9 }],
  ['A100', { bfloat16: 312, tf32: 156, float32: 19.5 }],
  ['L40S', { bfloat16: 362, tf32: 183, float32: 91.6 }],
  ['RTX A6000', { bfloat16: 154.8, tf32: 77.4, float32: 38.7 }],
  ['A10', { bfloat16: 125, tf32: 62.5, float32: 31.2 }],
  ['L4', { bfloat16: 121, tf32: 60, float32: 30.3 }],
  ['RTX 4090', { bfloat16: 165.2, tf32: 82.6, float32: 82.6 }],
  ['RTX 3090', { bfloat16: 71, tf32: 35.6, float32: 35.6 }],
  ['V100', { float32: 15.7 }],
  ['T4', { float32: 8.1 }],
];

/** A training of fewer operations is over sooner than it would be worth to measure the device: a minute at a TFLOP/s. */
const worthMeasuring = 6e13;

/** What a sample of a training costs, and what the current backend's device could do; nothing where the model does not say. A short training measures nothing. */
export async function computeOf(
  { flopPerSample, batch, length, count }: Pick<TrainDefinition, 'flopPerSample' | 'batch' | 'length' | 'count'>,
  choice: Pick<BackendChoice, 'precision'>,
): Promise<Compute | undefined> {
  if (flopPerSample == null) return undefined;
  const samples = 'steps' in length ? length.steps * batch : length.epochs * (count ?? 0);
  const peak = await devicePeak(choice, { measures: samples * flopPerSample >= worthMeasuring });
  return { flopPerSample, ...(peak && { peak }) };
}

/** What the device of the current backend could compute: by its data sheet where there is one, else by its best product, in some tenths of a second. */
export async function devicePeak(
  { precision }: Pick<BackendChoice, 'precision'>,
  { measures = true } = {},
): Promise<Peak | undefined> {
  const backend = tf.backend();
  const name = backend instanceof TorchBackend ? backend.addon.deviceName(backend.device) : '';
  return sheetPeak(name, precision) ?? (measures ? bestProduct(precision) : undefined);
}

/** Parts of a card, and cards that are less, or more, than their namesakes. */
const others = /\bMIG\b|\bLaptop\b|\bTi\b|\bD\b|\bMax-Q\b/;

/** By the name that a device gives itself; undefined for those that are not in the table. */
export function sheetPeak(name: string, precision: Precision): Peak | undefined {
  if (others.test(name)) return undefined;
  const [sheet, tflops] = sheets.find(([each]) => new RegExp(`\\b${each}\\b`).test(name)) ?? [];
  const value = tflops?.[precision];
  return value === undefined ? undefined : { flops: value * 1e12, of: `${sheet}, ${precision}` };
}

/** A product must take so many milliseconds to be timed well; larger ones, of a quarter of a gigabyte, are not tried. */
const [least, largest] = [20, 4096] as const;

/**
 * The fastest of products of growing sides. The first at all, and the first of a side, set things up, and are not counted. Nothing where there is no memory for them.
 *
 * @param time milliseconds of a product of matrices [side, side].
 */
export async function bestProduct(precision: Precision, time = productMs): Promise<Peak | undefined> {
  let flops = 0;
  try {
    await time(256);
    for (let side = 256; side <= largest; side *= 2) {
      await time(side);
      let ms = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3; round++) ms = Math.min(ms, await time(side));
      flops = Math.max(flops, (2 * side ** 3 * 1000) / ms);
      if (ms >= least) break;
    }
  } catch (error) {
    // For a figure that is only shown, no training is stopped.
    if (!(error instanceof PatchstreamError) || error.code !== 'BACKEND_MEMORY') throw error;
  }
  return flops > 0 ? { flops, of: `its best product of ${precision}` } : undefined;
}

async function productMs(side: number): Promise<number> {
  const [x, weight] = tf.tidy(() => [tf.fill([side, side], 0.5), tf.fill([side, side], 0.25)]);
  try {
    const began = performance.now();
    const corner = tf.tidy(() => linear(x!, weight!).slice([0, 0], [1, 1]));
    await corner.data();
    corner.dispose();
    return performance.now() - began;
  } finally {
    tf.dispose([x!, weight!]);
  }
}
