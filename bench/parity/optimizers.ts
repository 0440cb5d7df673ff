import * as tf from '../../src/backends/tf.ts';
import type { HostBatch, Model } from '../../src/models/model.ts';
import type { TrainDefinition } from '../../src/train/definition.ts';
import { Average } from '../../src/train/ema.ts';
import { makeOptimizer } from '../../src/train/optimizers/make.ts';
import { disposeState } from '../../src/train/optimizers/optimizer.ts';
import { Step } from '../../src/train/step.ts';

/** What a case trains with, in the words of a pipeline. */
export type Settings = Pick<TrainDefinition, 'optimizer' | 'clip' | 'ema'>;

type Values = Readonly<Record<string, readonly number[]>>;

/** What `optimizers.py` prints. */
export interface TimmCases {
  readonly timm: string;
  readonly torch: string;
  readonly cases: Readonly<
    Record<string, { readonly settings: Settings; readonly 'after 1': Values; readonly 'after 20': Values }>
  >;
}

const steps = 20;
const samples = 4;
const shapes = { weight: [6, 5], bias: [7], token: [1, 1, 8] } as const;
const sizes = Object.values(shapes).map((shape) => shape.reduce((product: number, side) => product * side, 1));
const width = sizes.reduce((sum, size) => sum + size);

/** The model of `optimizers.py`: its loss of a sample is Σ p·(p/10 + wave) over all its parameters, of which `weight` alone decays. */
export function waveModel(): Model {
  return {
    name: 'waves',
    fields: ['wave'],
    parameters: Object.keys(shapes),
    init: () =>
      Object.fromEntries(
        Object.entries(shapes).map(([name, shape], k) => {
          const values = Float32Array.from({ length: sizes[k]! }, (_, i) => 0.5 * Math.cos(0.37 * i + k));
          return [name, tf.tidy(() => tf.variable(tf.tensor(values, [...shape])))];
        }),
      ),
    inputs: (fields) => fields,
    loss: (params, { wave }) => {
      const count = wave!.shape[0]!;
      const parts = tf.split(wave!, sizes, 1);
      const sums = Object.values(params).map((p, k) => {
        const flat = p.reshape([1, -1]);
        return flat
          .square()
          .mul(0.1 * count)
          .sum()
          .add(flat.mul(parts[k]!).sum());
      });
      return { sum: tf.addN(sums), count };
    },
    stored: (name) => ({
      shape: shapes[name as keyof typeof shapes],
      toFile: (data) => data.slice(),
      fromFile: (data) => data.slice(),
    }),
    decays: (name) => name === 'weight',
    dispose: () => {},
  };
}

/** The samples of step t from one to before another. */
export function waveFields(t: number, from = 0, to = samples): HostBatch {
  const size = 1 + 0.5 * Math.sin(1.3 * t);
  const rows = Array.from({ length: to - from }, (_, n) =>
    sizes.flatMap((count, k) =>
      Array.from({ length: count }, (_, i) => size * Math.cos(0.61 * i + 1.7 * k + 0.9 * t + 0.4 * (from + n))),
    ),
  );
  return { wave: { dtype: 'float32', shape: [to - from, width], data: Float32Array.from(rows.flat()) } };
}

/**
 * Twenty steps on the current backend, each in micro-batches of that size: the parameters, or their averages where these are kept, after the first and the last, as
 * `optimizers.py` has them. Leaves no tensor behind.
 */
export async function trainWaves({ optimizer: options, clip, ema }: Settings, microBatch = samples) {
  const model = waveModel();
  const params = model.init(() => undefined as never);
  const optimizer = makeOptimizer(options, model.decays);
  const state = optimizer.init(params);
  const average = ema && new Average(params, ema);
  const step = new Step({ model, params, optimizer, state, clip: clip?.norm, average });
  const found: Record<string, Values> = {};
  for (let t = 0; t < steps; t++) {
    for (let from = 0; from < samples; from += microBatch) step.add(waveFields(t, from, from + microBatch));
    await step.measure();
    step.update(lrOf(options));
    step.clear();
    if (t !== 0 && t !== steps - 1) continue;
    const shown = average?.values ?? params;
    found[`after ${t + 1}`] = Object.fromEntries(
      Object.entries(shown).map(([name, variable]) => [name, [...variable.dataSync()]]),
    );
  }
  step.dispose();
  average?.dispose();
  disposeState(state);
  tf.dispose(params);
  return found as { 'after 1': Values; 'after 20': Values };
}

function lrOf(options: Settings['optimizer']): number {
  const { lr } = Object.values(options).find((one) => one !== undefined)!;
  return lr!;
}

/** L2 norm of the difference over that of what is expected, over all parameters together. */
export function valuesError(found: Values, expected: Values): number {
  let [difference, norm] = [0, 0];
  for (const [name, values] of Object.entries(expected)) {
    for (const [i, value] of values.entries()) {
      difference += (found[name]![i]! - value) ** 2;
      norm += value ** 2;
    }
  }
  const error = Math.sqrt(difference / norm);
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}
