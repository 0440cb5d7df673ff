import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { gradients } from '../../../src/backends/gradients.ts';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import type { HostBatch, HostTensor, Model } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { expectClose, readings } from './tensors.ts';

/** Parameters and inputs by the formulas of fixtures/expected/README.md, and what models make of them in float64. */

/** Variables with the formulas' values. The caller owns them. */
export function formulaParameters(model: Model): Record<string, tf.Variable> {
  // Shapes in memory are those of fresh parameters.
  const fresh = model.init((name) => new Random(0, name, 'init'));
  for (const [index, name] of model.parameters.entries()) {
    const { shape, fromFile } = model.stored(name);
    const count = shape.reduce((product, side) => product * side, 1);
    const { centre, spread } = wave(name, shape);
    const values = new Float32Array(count).map(
      (_, j) => centre + spread * Math.cos(0.61 * j + 1.7 * index + 0.13 * ((j * j) % 101)),
    );
    const variable = fresh[name]!;
    tf.tidy(() => variable.assign(tf.tensor(fromFile(values), variable.shape)));
  }
  return fresh;
}

function wave(name: string, shape: readonly number[]): { centre: number; spread: number } {
  const spread = shape.length === 1 || name.startsWith('super_resolution') ? 0.1 : 0.15;
  if ((name.includes('norm') && name.endsWith('weight')) || name.includes('scale')) return { centre: 1, spread };
  return { centre: name.endsWith('act.weight') ? 0.25 : 0, spread };
}

/** Two pictures of 64 px. */
export const formulaPicture: HostTensor = {
  dtype: 'uint8',
  shape: [2, 64, 64, 3],
  data: Uint8Array.from(
    { length: 2 * 64 * 64 * 3 },
    (_, i) => (31 * i + 7 * ((i * i) % 251) + Math.floor(i / 97)) % 256,
  ),
};

/** 48 of 64 patches hidden of each of the two pictures. */
export const formulaGridMasks: HostTensor = {
  dtype: 'uint8',
  shape: [2, 64],
  data: Uint8Array.from({ length: 128 }, (_, i) => ((37 * (i % 64) + 11 * Math.floor(i / 64)) % 64 < 48 ? 1 : 0)),
};

interface Slot {
  readonly from: number;
  readonly count: number;
}

/** Loss alone, and the norm of every gradient. */
export interface ExpectedNorms {
  readonly loss: number;
  readonly norms: Readonly<Record<string, number>>;
}

/** The float64 values of a nano model. */
export interface Expected {
  readonly loss: number;
  /** Every `predictionStride`-th number. */
  readonly prediction: Float32Array;
  readonly predictionStride: number;
  readonly gradients: ReadonlyMap<
    string,
    { readonly values: Float32Array; readonly stride: number; readonly norm: number }
  >;
  variant(name: string): ExpectedNorms;
}

/** Reads fixtures/expected/<model>-nano.json and .bin. */
export function readExpected(model: string): Expected {
  const read = (ending: string) =>
    readFileSync(new URL(`../../../fixtures/expected/${model}-nano.${ending}`, import.meta.url));
  const record = JSON.parse(read('json').toString()) as Record<string, ExpectedNorms> & {
    readonly loss: number;
    readonly prediction: Slot & { readonly stride?: number };
    readonly gradients: Readonly<Record<string, Slot & { readonly stride: number; readonly norm: number }>>;
  };
  const numbers = new Float32Array(Uint8Array.from(read('bin')).buffer);
  const slot = ({ from, count }: Slot) => numbers.subarray(from, from + count);
  return {
    loss: record.loss,
    prediction: slot(record.prediction),
    predictionStride: record.prediction.stride ?? 1,
    gradients: new Map(
      Object.entries(record.gradients).map(([name, { stride, norm, ...where }]) => [
        name,
        { values: slot(where), stride, norm },
      ]),
    ),
    variant: (name) => record[name]!,
  };
}

/** Mean loss and gradients of a micro-batch, as arrays in the layout of memory. @param more inputs in the place of the model's own. */
export function measure(
  model: Model,
  params: Record<string, tf.Variable>,
  batch: HostBatch,
  more: HostBatch = {},
): { loss: number; grads: Record<string, Float32Array> } {
  return readings(() => {
    const values = { ...model.inputs(batch), ...more };
    const inputs = uploadAll(values);
    let count = 0;
    const { value, gradients: found } = gradients(() => {
      const loss = model.loss(params, inputs);
      count = model.terms?.(values) ?? loss.count;
      return loss.sum;
    }, params);
    const entries = Object.entries(found).map(
      ([name, gradient]) => [name, gradient.div(count).dataSync() as Float32Array] as const,
    );
    return { loss: value.dataSync()[0]! / count, grads: Object.fromEntries(entries) };
  });
}

/** Relative L2 distance from float64 that a gradient in float32 may have. */
const gradientTolerance = 1e-3;

/** Expects the loss to 1e-5 and every gradient to `tolerance` of float64's; the parameters are the formulas'. @param more inputs in the place of the model's own. */
export function expectFloat64(
  t: Test,
  model: Model,
  batch: HostBatch,
  expected: Expected,
  tolerance = gradientTolerance,
  more: HostBatch = {},
): void {
  const params = formulaParameters(model);
  const { loss, grads } = measure(model, params, batch, more);
  tf.dispose(params);
  t.ok(Math.abs(loss / expected.loss - 1) < 1e-5, `loss ${loss}, float64 ${expected.loss}`);
  t.same(Object.keys(grads), [...expected.gradients.keys()], 'names and order of the parameters');
  for (const [name, { values, stride, norm }] of expected.gradients) {
    const found = model.stored(name).toFile(grads[name]!);
    expectClose(
      t,
      found.filter((_, i) => i % stride === 0),
      values,
      tolerance,
      name,
    );
    t.ok(Math.abs(normOf(found) - norm) <= tolerance * norm, `${name}: norm of all`);
  }
}

/** Expects the loss to 1e-5 and the norm of every gradient to 1e-3 of float64's; the parameters are the formulas'. */
export function expectNorms(t: Test, model: Model, batch: HostBatch, expected: ExpectedNorms, more?: HostBatch): void {
  const params = formulaParameters(model);
  const { loss, grads } = measure(model, params, batch, more);
  tf.dispose(params);
  t.ok(Math.abs(loss / expected.loss - 1) < 1e-5, `loss ${loss}, float64 ${expected.loss}`);
  for (const [name, norm] of Object.entries(expected.norms))
    t.ok(Math.abs(normOf(grads[name]!) - norm) <= gradientTolerance * norm, `${name}: norm`);
}

function normOf(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0));
}
