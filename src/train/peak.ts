import type { BackendChoice } from '../backends/choose.ts';
import { linear } from '../backends/ops.ts';
import * as tf from '../backends/tf.ts';
import type { Precision } from '../backends/torch/precision.ts';
import { TorchBackend } from '../backends/torch/torch.ts';
import type { TrainDefinition } from './definition.ts';
import type { Compute, Peak } from './flops.ts';

/** Dense TFLOP/s of NVIDIA's data sheets: bfloat16, TF32, float32. The first name that is part of the device's own counts. */
const sheets: readonly (readonly [name: string, Readonly<Partial<Record<Precision, number>>>])[] = [
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

/** By the name that a device gives itself; undefined for those that are not in the table. */
export function sheetPeak(name: string, precision: Precision): Peak | undefined {
  const [sheet, tflops] = sheets.find(([each]) => new RegExp(`\\b${each}\\b`).test(name)) ?? [];
  const value = tflops?.[precision];
  return value === undefined ? undefined : { flops: value * 1e12, of: `${sheet}, ${precision}` };
}

/** A product must take so many milliseconds to be timed, and is timed so often. */
const [least, rounds, largest] = [20, 5, 8192] as const;

async function bestProduct(precision: Precision): Promise<Peak> {
  let side = 256;
  let ms = await product(side);
  while (ms < least && side < largest) {
    side *= 2;
    ms = await product(side);
  }
  for (let round = 1; round < rounds; round++) ms = Math.min(ms, await product(side));
  return { flops: (2 * side ** 3 * 1000) / ms, of: `its best product of ${precision}` };
}

async function product(side: number): Promise<number> {
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
