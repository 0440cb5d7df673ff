import type { Test } from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { buildModel } from '../../../src/models/index.ts';
import { type HostBatch, type HostTensor, isRestorer, type Model } from '../../../src/models/model.ts';
import type { Spec } from '../../../src/vision/spec.ts';
import { expectFloat64, formulaGridMasks, formulaParameters, formulaPicture, readExpected } from './models.ts';
import { expectClose, readings } from './tensors.ts';

/** The arms of LoMaR, MAE and SRMAE, as fixtures/expected/README.md has their parameters and inputs. */

/** A model of size nano that predicts pixels, and two pictures for it. */
export interface Arm {
  /** As its expected values are called. */
  readonly name: string;
  readonly model: string;
  readonly options: object;
  readonly spec: Spec;
  readonly batch: HostBatch;
}

const whole: Spec = { fields: {}, size: [64, 64], grid: { patch: 8, side: 8 }, hidden: 48 };
const windowed: Spec = { ...whole, windows: { K: 5, M: 2 }, hidden: 15 };

/** 16 px, [2, 16, 16, 3]. */
export const formulaLow: HostTensor = {
  dtype: 'uint8',
  shape: [2, 16, 16, 3],
  data: Uint8Array.from(
    { length: 2 * 16 * 16 * 3 },
    (_, i) => (29 * i + 5 * ((i * i) % 241) + Math.floor(i / 53)) % 256,
  ),
};

/** Two windows of each of two pictures, 15 of 25 patches hidden in no order. */
export const armBatch: HostBatch = {
  picture: formulaPicture,
  lr: formulaLow,
  windows: { dtype: 'int32', shape: [2, 2, 2], data: Int32Array.of(1, 2, 3, 0, 0, 3, 2, 1) },
  masks: {
    dtype: 'uint8',
    shape: [2, 2, 25],
    data: Uint8Array.from({ length: 100 }, (_, i) => ((11 * (i % 25) + 7 * Math.floor(i / 25)) % 25 < 15 ? 1 : 0)),
  },
};

const lomar = (name: string, options: object, model = 'lomar'): Arm => ({
  name,
  model,
  options: { size: 'nano', target: 'pixels', ...options },
  spec: windowed,
  batch: armBatch,
});
const ofWhole = (model: string, options: object): Arm => ({
  name: `${model}-cls`,
  model,
  options: { size: 'nano', target: 'pixels', ...options },
  spec: whole,
  batch: { picture: formulaPicture, lr: formulaLow, masks: formulaGridMasks },
});
const narrow = { width: 32, depth: 2, heads: 2 };

export const arms: readonly Arm[] = [
  lomar('lomar-absolute', { positions: 'absolute' }),
  lomar('lomar-decoder', { decoder: {} }),
  lomar('lomar-decoder-absolute', { decoder: narrow, positions: 'absolute' }),
  lomar('lomar-late', { maskTokensFrom: 2 }),
  lomar('lomar-late-absolute', { maskTokensFrom: 3, positions: 'absolute' }),
  lomar('lomar-srmae', {}, 'lomar-srmae'),
  lomar('lomar-srmae-decoder', { decoder: narrow }, 'lomar-srmae'),
  ofWhole('mae', { clsTokens: 3 }),
  ofWhole('srmae', { clsTokens: 2, superResolution: 'residual' }),
];

/** The model of an arm, on the current backend. */
export async function armModel({ model, options, spec }: Arm): Promise<Model> {
  return buildModel({ name: model, options, spec });
}

/** Expects loss and predictions to 1e-5, and every gradient to 1e-4, of float64's. */
export async function expectArms(t: Test): Promise<void> {
  for (const arm of arms) {
    await t.test(arm.name, async (t) => {
      const model = await armModel(arm);
      const expected = readExpected(arm.name);
      expectFloat64(t, model, arm.batch, expected, 1e-4);
      if (!isRestorer(model)) throw new Error(`${arm.name} restores nothing`);
      const params = formulaParameters(model);
      const shown = readings(() => model.reconstruct(params, uploadAll(model.inputs(arm.batch))).dataSync());
      const kept = Float32Array.from(shown).filter((_, i) => i % expected.predictionStride === 0);
      expectClose(t, kept, expected.prediction, 1e-5, 'prediction');
      tf.dispose(params);
      model.dispose();
    });
  }
}
