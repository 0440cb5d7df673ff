import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { countParameters } from '../../../src/models/layers/parameters.ts';
import type { HostBatch } from '../../../src/models/model.ts';
import { tokenizer } from '../../../src/models/tokenizer/network.ts';
import {
  courseAt,
  tokenizerCost,
  tokenizerOptions,
  tokenizerParameters,
  tokenizerShape,
} from '../../../src/models/tokenizer/options.ts';
import { Random } from '../../../src/random.ts';
import { chanceOf } from '../../../src/train/random-source.ts';
import { expectFloat64, expectNorms, formulaParameters, measure, readExpected } from '../../kit/training/models.ts';
import { expectClose, expectNoTensorLeak, relativeL2 } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const fixed = (value: number) => ({ from: value, to: value, steps: 0 });
const shapeOf = (options: object, side = 32) => tokenizerShape(tokenizerOptions.parse(options), { size: [side, side] });
const nano = shapeOf({ size: 'nano', temperature: fixed(0.75), kl: fixed(0.25) });

/** Two pictures of 32 px, and noise, by the formulas of fixtures/expected/README.md. */
const batch: HostBatch = {
  picture: {
    dtype: 'uint8',
    shape: [2, 32, 32, 3],
    data: Uint8Array.from(
      { length: 2 * 32 * 32 * 3 },
      (_, i) => (31 * i + 7 * ((i * i) % 251) + Math.floor(i / 97)) % 256,
    ),
  },
};
const noise = {
  noise: {
    dtype: 'float32',
    shape: [2, 64, 64],
    data: Float32Array.from({ length: 2 * 64 * 64 }, (_, i) => 1.3 * Math.cos(0.37 * i + 0.11 * ((i * i) % 97))),
  },
} as const;
const expected = readExpected('tokenizer');

t.test('loss, pictures restored from codes and every gradient are those of float64', (t) => {
  const model = tokenizer(nano);
  expectFloat64(t, model, batch, expected, undefined, noise);
  const params = formulaParameters(model);
  const inputs = tf.tidy(() => uploadAll(model.inputs(batch)));
  const restored = model.reconstruct(params, inputs);
  t.same(restored.shape, [2, 64, 48]);
  expectClose(t, restored.dataSync(), expected.prediction, 1e-5, 'prediction');
  tf.dispose([restored, inputs, params] as tf.TensorContainer);
  model.dispose();
  t.end();
});

t.test('so are the other loss, and hard codes with the gradient of relaxed ones', (t) => {
  for (const [shape, variant] of [
    [{ ...nano, loss: 'smoothL1' as const }, 'smoothL1'],
    [{ ...nano, hard: true }, 'hard'],
  ] as const) {
    const model = tokenizer(shape);
    expectNorms(t, model, batch, expected.variant(variant), noise);
    model.dispose();
  }
  t.end();
});

t.test('parameters and multiply-adds are those of BEiT’s own tokenizer class', (t) => {
  const encoder = (size: string) =>
    countParameters(tokenizerParameters(shapeOf({ size }, 112)).filter(({ name }) => name.startsWith('encoder.')));
  t.equal(encoder('base'), 7_953_408, '7.95 M at 8192 codes and 256 channels');
  t.equal(encoder('small'), 401_664, '0.40 M');
  const { parameters, macs } = tokenizerCost(shapeOf({ size: 'small' }, 112));
  t.ok(Math.abs(parameters / 1.55e6 - 1) < 0.01, `${parameters}`);
  t.ok(Math.abs(macs / 2.1e9 - 1) < 0.05, `${macs}`);
  t.equal(macs > 0 && shapeOf({ size: 'small' }, 112).K, 14);
  t.end();
});

t.test('temperature and weight are a function of the step alone', (t) => {
  const course = { from: 1, to: 0.0625, steps: 100 };
  t.equal(courseAt(course, 0), 1);
  t.ok(Math.abs(courseAt(course, 50) - 0.53125) < 1e-12);
  t.equal(courseAt(course, 100), 0.0625);
  t.equal(courseAt(course, Number.POSITIVE_INFINITY), 0.0625);
  t.equal(courseAt({ from: 1, to: 2, steps: 0 }, 0), 2);
  const model = tokenizer({ ...nano, temperature: course, kl: { from: 0, to: 2, steps: 50 } });
  const given = (step: number) =>
    Array.from(model.inputs(batch, chanceOf({ keys: ['a', 'b'], positions: [0, 1] }, { seed: 7, step })).course!.data);
  t.same(given(50), [0.53125, 2, 0.53125, 2]);
  t.same(Array.from(model.inputs(batch).course!.data), [0.0625, 2, 0.0625, 2], 'without chance it is the end');
  t.same(Object.keys(model.inputs(batch)), ['picture', 'course'], 'and there is no noise');
  t.end();
});

t.test('VECTOR: the noise of a sample is its own, whatever the micro-batch', (t) => {
  const model = tokenizer(nano);
  const chance = (keys: string[]) =>
    chanceOf({ keys, positions: keys.map((_, i) => i) }, { seed: 7, step: 3, count: 100 });
  const { noise } = model.inputs(batch, chance(['a', 'cats/one.jpg#0']));
  t.same(noise!.shape, [2, 64, 64]);
  const random = new Random(7, 'gumbel', 'cats/one.jpg#0', 0);
  const own = Float32Array.from({ length: 4096 }, () => random.gumbel());
  t.strictSame(noise!.data.slice(4096), own);
  const one = {
    picture: { ...batch.picture!, shape: [1, 32, 32, 3], data: batch.picture!.data.slice(0, 3072) },
  } as HostBatch;
  t.strictSame(model.inputs(one, chance(['cats/one.jpg#0'])).noise!.data, own);
  const first = Array.from(own.slice(0, 3), (value) => value.toPrecision(9)).join(' ');
  t.equal(first, '1.38228619 0.231014818 1.22542298', 'as docs/chance.md has it, in float32');
  const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
  t.ok(Math.abs(mean - 0.5772) < 0.06, `mean ${mean}, Euler’s constant`);
  t.end();
});

t.test('micro-batches of 1 accumulate to the gradient of 2', (t) => {
  const model = tokenizer(nano);
  const params = formulaParameters(model);
  const row = (n: number): HostBatch => ({
    picture: {
      ...batch.picture!,
      shape: [1, 32, 32, 3],
      data: batch.picture!.data.slice(n * 3072, (n + 1) * 3072),
    } as never,
  });
  const own = (n: number): HostBatch => ({
    noise: { ...noise.noise, shape: [1, 64, 64], data: noise.noise.data.slice(n * 4096, (n + 1) * 4096) },
  });
  const whole = measure(model, params, batch, noise).grads;
  const parts = [0, 1].map((n) => measure(model, params, row(n), own(n)).grads);
  for (const name of model.parameters) {
    const sum = whole[name]!.map((_, i) => (parts[0]![name]![i]! + parts[1]![name]![i]!) / 2);
    t.ok(relativeL2(sum, whole[name]!) < 1e-5, name);
  }
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test(
  'codes are the likeliest ones; pictures of another size have as many as they have patches; nothing leaks',
  async (t) => {
    const model = tokenizer(nano);
    const params = formulaParameters(model);
    const step = () => {
      const inputs = uploadAll({ picture: batch.picture! });
      const codes = model.tokenize(params, inputs);
      t.same(codes.shape, [2, 64]);
      const values = [...codes.dataSync()];
      t.ok(values.every((code) => Number.isInteger(code) && code >= 0 && code < 64));
      t.ok(new Set(values).size > 1);
      const wide = uploadAll({
        picture: { dtype: 'uint8', shape: [1, 48, 48, 3], data: batch.picture!.data.slice(0, 6912) as Uint8Array },
      });
      const more = model.tokenize(params, wide);
      t.same(more.shape, [1, 144]);
      tf.dispose([inputs, codes, wide, more] as tf.TensorContainer);
    };
    // Constants that stay are made the first time.
    step();
    await expectNoTensorLeak(t, step);
    tf.dispose(params);
    model.dispose();
  },
);

t.test('pictures whose sides cannot be halved so often are refused', (t) => {
  t.throws(() => shapeOf({ size: 'small' }, 100), /PATCH_SIDE: .*100.*8/);
  t.throws(
    () => tokenizerShape(tokenizerOptions.parse({}), {}),
    /TRAIN_SPEC: the model tokenizer must be given pictures of one size/,
  );
  t.throws(() => tokenizerShape(tokenizerOptions.parse({}), { size: [64, 32] }), /PICTURE_SQUARE/);
  t.end();
});
