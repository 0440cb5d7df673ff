import t, { type Test } from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { dropRates, pathInputs } from '../../../src/models/classifier/drop-path.ts';
import { lomar } from '../../../src/models/lomar/network.ts';
import { mae } from '../../../src/models/mae/network.ts';
import type { HostBatch, Model, RandomSource } from '../../../src/models/model.ts';
import { srmae } from '../../../src/models/srmae/network.ts';
import { Random } from '../../../src/random.ts';
import { chanceOf } from '../../../src/train/random-source.ts';
import { formulaGridMasks, formulaParameters, formulaPicture, measure } from '../../kit/training/models.ts';
import { expectClose, expectNoTensorLeak } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

/** The chance of the samples with these keys, all in epoch 2. */
const chance = (...keys: string[]): RandomSource =>
  chanceOf({ keys, positions: keys.map((_, i) => 200 + i) }, { seed: 7, step: 3, count: 100 });

t.test('rates rise evenly from 0', (t) => {
  const rates = dropRates({ depth: 12, dropPath: 0.1 });
  t.equal(rates.length, 12);
  expectClose(
    t,
    rates,
    Array.from({ length: 12 }, (_, i) => (i * 0.1) / 11),
    1e-12,
  );
  t.equal(rates[0], 0);
  t.equal(rates[11], 0.1);
  t.same(dropRates({ depth: 1, dropPath: 0.5 }), [0], 'a single block is the first');
  t.same(dropRates({ depth: 3 }), [0, 0, 0]);
  t.end();
});

t.test('a sample’s coins are its own: a word for each view, block and branch', (t) => {
  const shape = { depth: 3, dropPath: 0.5 };
  const { paths } = pathInputs(chance('a', 'b'), shape, 2, 2);
  t.same(paths!.shape, [2, 2, 6]);
  const expected = ['a', 'b'].flatMap((key) => {
    const random = new Random(7, 'drop-path', key, 2);
    const rates = [0, 0, 0.25, 0.25, 0.5, 0.5];
    return [...rates, ...rates].map((rate) => (random.uniform() < rate ? 0 : 1 / (1 - rate)));
  });
  t.same([...paths!.data], [...Float32Array.from(expected)]);
  const alone = pathInputs(chance('b'), shape, 1, 2).paths!;
  t.same([...alone.data], [...paths!.data.subarray(12)], 'whatever the micro-batch');
  t.end();
});

t.test('VECTOR: which branches of four blocks a sample keeps', (t) => {
  const first = chanceOf({ keys: ['cats/one.jpg#0'], positions: [0] }, { seed: 7, step: 0, count: 10 });
  const { data } = pathInputs(first, { depth: 4, dropPath: 0.5 }, 1).paths!;
  t.equal(Array.from(data, (value) => (value === 0 ? 0 : 1)).join(''), '11110100');
  t.end();
});

t.test('as many are dropped as was asked for, and the mean stays', (t) => {
  const keys = Array.from({ length: 4000 }, (_, i) => `sample-${i}`);
  const { data } = pathInputs(chance(...keys), { depth: 5, dropPath: 0.4 }, keys.length).paths!;
  for (let branch = 0; branch < 10; branch++) {
    const values = keys.map((_, n) => data[n * 10 + branch]!);
    const rate = 0.1 * (branch >> 1);
    const dropped = values.filter((value) => value === 0).length / keys.length;
    t.ok(Math.abs(dropped - rate) < 0.025, `branch ${branch}: ${dropped} of ${rate}`);
    const mean = values.reduce((sum, value) => sum + value, 0) / keys.length;
    t.ok(Math.abs(mean - 1) < 0.05, `branch ${branch}: mean ${mean}`);
  }
  t.end();
});

const encoder = { width: 32, depth: 3, heads: 2, patch: 8 };
const decoder = { width: 32, depth: 1, heads: 2 };

/** Rows n to before m of a micro-batch. */
const rows = (batch: HostBatch, from: number, to: number): HostBatch =>
  Object.fromEntries(
    Object.entries(batch).map(([name, { dtype, shape, data }]) => {
      const each = data.length / shape[0]!;
      return [name, { dtype, shape: [to - from, ...shape.slice(1)], data: data.slice(from * each, to * each) }];
    }),
  );

const windows: HostBatch = {
  picture: formulaPicture,
  windows: { dtype: 'int32', shape: [2, 1, 2], data: Int32Array.of(1, 2, 3, 0) },
  masks: { dtype: 'uint8', shape: [2, 1, 25], data: Uint8Array.from({ length: 50 }, (_, i) => (i % 5 < 3 ? 1 : 0)) },
};
const whole: HostBatch = { picture: formulaPicture, masks: formulaGridMasks };
const low = Uint8Array.from({ length: 2 * 16 * 16 * 3 }, (_, i) => (29 * i) % 256);

const cases: readonly [make: (dropPath: number) => Model, batch: HostBatch][] = [
  [(dropPath) => lomar({ ...encoder, dropPath, K: 5, target: 'pixels', rpeScaled: false }), windows],
  [(dropPath) => mae({ ...encoder, dropPath, K: 8, target: 'pixels', decoder }), whole],
  [
    (dropPath) => srmae({ ...encoder, dropPath, K: 8, target: 'pixels', decoder, superResolution: 'none' }),
    { ...whole, lr: { dtype: 'uint8', shape: [2, 16, 16, 3], data: low } },
  ],
];

/** What a branch counts for, applied to the weights and biases of its last linear map: the same network, for one sample. */
function scaled(params: Record<string, tf.Variable>, paths: ArrayLike<number>): Record<string, tf.Variable> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, tf.tidy(() => tf.variable(value.mul(factor(name, paths))))]),
  );
}

function factor(name: string, paths: ArrayLike<number>): number {
  const [, block, branch] = /^blocks\.(\d+)\.(attn\.proj|mlp\.fc2)\./.exec(name) ?? [];
  return block === undefined ? 1 : paths[2 * Number(block) + (branch === 'attn.proj' ? 0 : 1)]!;
}

for (const [make, batch] of cases) {
  const model = make(0.6);
  const { name } = model;
  t.test(`${name}: loss and gradients are those of the network without the dropped branches`, async (t) => {
    const plain = make(0);
    const params = formulaParameters(model);
    const sample = rows(batch, 0, 1);
    const coins = model.inputs(sample, chance('f')).paths!.data;
    t.ok(coins.includes(0) && [...coins.subarray(2)].some((value) => value > 1), `coins ${[...coins].join(' ')}`);
    const dropping = { ...model, inputs: (fields: HostBatch) => model.inputs(fields, chance('f')) };
    const found = measure(dropping, params, sample);
    await expectNoTensorLeak(t, () => void measure(dropping, params, sample));
    const other = scaled(params, coins);
    const expected = measure(plain, other, sample);
    t.ok(Math.abs(found.loss / expected.loss - 1) < 1e-5, `loss ${found.loss}, ${expected.loss}`);
    t.not(found.loss, measure(plain, params, sample).loss);
    for (const [parameter, gradient] of Object.entries(expected.grads)) {
      const chained = gradient.map((value) => value * factor(parameter, coins));
      expectClose(t, found.grads[parameter]!, chained, 1e-4, parameter);
    }
    tf.dispose([params, other] as unknown as tf.TensorContainer);
    plain.dispose();
  });

  t.test(`${name}: micro-batches of one sample accumulate to the gradient of two`, (t) => {
    const params = formulaParameters(model);
    const with_ = (...keys: string[]) => ({
      ...model,
      inputs: (fields: HostBatch) => model.inputs(fields, chance(...keys)),
    });
    const both = measure(with_('f', 'g'), params, batch).grads;
    const first = measure(with_('f'), params, rows(batch, 0, 1)).grads;
    const second = measure(with_('g'), params, rows(batch, 1, 2)).grads;
    for (const parameter of model.parameters) {
      const mean = first[parameter]!.map((value, i) => (value + second[parameter]![i]!) / 2);
      expectClose(t, both[parameter]!, mean, 1e-4, parameter);
    }
    tf.dispose(params as unknown as tf.TensorContainer);
    t.end();
  });

  t.test(`${name}: nothing is dropped without chance, and a rate of 0 costs nothing`, async (t) => {
    const plain = make(0);
    t.notOk('paths' in model.inputs(batch), 'evaluation gives no chance');
    t.notOk('paths' in plain.inputs(batch, chance('f', 'g')));
    const params = formulaParameters(model);
    const kernels = async (one: Model, given?: RandomSource) => {
      const chanced = { ...one, inputs: (fields: HostBatch) => one.inputs(fields, given) };
      measure(chanced, params, batch);
      return (await tf.profile(() => void measure(chanced, params, batch))).kernels.map((kernel) => kernel.name);
    };
    const bare = await kernels(plain);
    t.same(await kernels(plain, chance('f', 'g')), bare);
    t.ok((await kernels(model, chance('f', 'g'))).length > bare.length);
    tf.dispose(params as unknown as tf.TensorContainer);
    plain.dispose();
    model.dispose();
  });
}

t.test('what a loader leaves out changes no one’s coins', (t: Test) => {
  const shape = { depth: 4, dropPath: 0.5 };
  const all = pathInputs(chance('a', 'b', 'c'), shape, 3).paths!.data;
  const some = pathInputs(
    chanceOf({ keys: ['a', 'c'], positions: [200, 202] }, { seed: 7, step: 9, count: 100 }),
    shape,
    2,
  ).paths!.data;
  t.same([...some], [...all.subarray(0, 8), ...all.subarray(16)], 'nor does the step');
  const later = pathInputs(chanceOf({ keys: ['a'], positions: [300] }, { seed: 7, step: 9, count: 100 }), shape, 1);
  t.notSame([...later.paths!.data], [...all.subarray(0, 8)], 'the epoch does');
  t.end();
});
