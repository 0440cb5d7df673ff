import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { evaluateReconstruction, type HeldOut } from '../../../src/measures/reconstruction/errors.ts';
import { reconstructionLines } from '../../../src/measures/reconstruction/texts.ts';
import { buildModel } from '../../../src/models/index.ts';
import { type HostBatch, isRestorer, type Restorer } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { normalisePixels } from '../../../src/vision/patches.ts';
import { greyModel } from '../../kit/training/grid-model.ts';
import { expectNoTensorLeak } from '../../kit/training/tensors.ts';
import { linearModel, smallDefinition, smallFields } from '../../kit/training/train.ts';

t.before(() => prepareWasm());

/** Two patches side by side and two below, one pixel each; the last is hidden. One window per image. */
function fields(...bytes: number[]): HostBatch {
  const N = bytes.length / 4;
  return {
    picture: {
      dtype: 'uint8',
      shape: [N, 2, 2, 3],
      data: Uint8Array.from(bytes.flatMap((byte) => [byte, byte, byte])),
    },
    windows: { dtype: 'int32', shape: [N, 1, 2], data: new Int32Array(2 * N) },
    masks: {
      dtype: 'uint8',
      shape: [N, 1, 4],
      data: Uint8Array.from({ length: 4 * N }, (_, i) => (i % 4 === 3 ? 1 : 0)),
    },
  };
}

/** Says that every pixel is the byte 100. */
const hundreds: Restorer = {
  ...linearModel(),
  shape: { patch: 1, K: 2, target: 'pixels' },
  inputs: ({ masks }) => ({ masks: masks! }),
  reconstruct: (_, { masks }) =>
    tf.tensor(normalisePixels(new Uint8Array(masks!.size * 3).fill(100)), [...masks!.shape, 3]),
};

/** The mean squared error in normalised pixels of grey bytes that are `difference` off. */
const error = (difference: number) =>
  [58.395, 57.12, 57.375].reduce((sum, spread) => sum + (difference / spread) ** 2 / 3, 0);

t.test('four numbers by hand, over micro-batches of different sizes', async (t) => {
  // Visible 10, 20, 60: mean 30; nearest to the last patch is the second (20), a step away and first in raster order.
  // Smooth: the hidden pixel touches the border twice, so v = (2v + 20 + 60) / 4 = 40.
  const batches: HeldOut[] = [
    { fields: fields(10, 20, 60, 130), keys: ['a'] },
    { fields: fields(10, 20, 60, 100, 10, 20, 60, 70), keys: ['b', 'c'] },
  ];
  const mean = (...differences: number[]) => differences.map(error).reduce((a, b) => a + b) / 3;
  const { errors, images, hidden, notes, examples } = await evaluateReconstruction(
    { model: hundreds, params: {} },
    batches,
    2,
  );
  const expected = {
    ours: mean(30, 0, 30),
    meanPatch: mean(100, 70, 40),
    nearestPatch: mean(110, 80, 50),
    smoothFill: mean(90, 60, 30),
  };
  t.same(Object.keys(errors), ['ours', 'meanPatch', 'nearestPatch', 'smoothFill']);
  for (const [name, value] of Object.entries(errors)) {
    const wanted = expected[name as keyof typeof expected];
    t.ok(Math.abs(value - wanted) < 1e-5 * wanted, `${name}: ${value}, ${wanted}`);
  }
  t.same([images, hidden, notes.length], [3, 9, 0]);
  t.same(
    examples.map(({ key, picture }) => [key, picture[9]]),
    [
      ['a', 130],
      ['b', 100],
    ],
  );
  t.match(reconstructionLines({ ...errors, images }, 'nearest-patch'), [
    /^Error on the hidden pixels of 3 pictures/,
    ...[/^ {2}this model/, /^ {2}smooth fill/, /^ {2}mean patch/, /^ {2}nearest patch/],
    /^It restores better than nearest-patch/,
  ]);
});

t.test(
  'the whole grid is one window, and a model that is given a low-resolution picture is compared with that',
  async (t) => {
    // Four patches of 1 px again; the low-resolution picture is one pixel, so that both ways of bringing it up are flat.
    const { windows: _, ...whole } = fields(10, 20, 60, 130, 10, 20, 60, 70);
    const masks = { ...whole.masks!, shape: [2, 4] };
    const lr: HostBatch[string] = { dtype: 'uint8', shape: [2, 1, 1, 3], data: Uint8Array.of(55, 55, 55, 40, 40, 40) };
    const batches: HeldOut[] = [{ fields: { ...whole, masks, lr }, keys: ['a', 'b'] }];
    const given = greyModel({ patch: 1, K: 2, value: 100, lr: true });
    const { errors, examples, hidden } = await evaluateReconstruction({ model: given, params: {} }, batches);
    const expected = {
      ours: (error(30) + error(30)) / 2,
      meanPatch: (error(100) + error(40)) / 2,
      nearestPatch: (error(110) + error(50)) / 2,
      smoothFill: (error(90) + error(30)) / 2,
      lowResolution: (error(75) + error(30)) / 2,
      lowResolutionNearest: (error(75) + error(30)) / 2,
    };
    t.same(Object.keys(errors), Object.keys(expected));
    for (const [name, value] of Object.entries(expected)) {
      const found = errors[name as keyof typeof errors]!;
      t.ok(Math.abs(found - value) < 1e-5 * value, `${name}: ${found}, ${value}`);
    }
    t.equal(hidden, 6);
    t.match(examples, [{ whole: true, low: { nearest: { width: 2, height: 2 } } }, { whole: true }]);
    const lines = reconstructionLines({ ...errors, images: 2 }, 'low-resolution');
    t.match(lines.join('\n'), /low resolution, bicubic +0\./);
    t.ok(lines.at(-1)?.includes(`against ${errors.lowResolution!.toFixed(3)}`), lines.join());

    const blind = await evaluateReconstruction(
      { model: greyModel({ patch: 1, K: 2, value: 100 }), params: {} },
      batches,
    );
    t.same(
      Object.keys(blind.errors),
      ['ours', 'meanPatch', 'nearestPatch', 'smoothFill'],
      'it is not given the picture',
    );
    t.notOk(blind.examples[0]!.low);
    await t.rejects(evaluateReconstruction({ model: greyModel({ patch: 1, K: 3, value: 1 }), params: {} }, batches), {
      code: 'MODEL_FIELD',
    });
  },
);

t.test('a picture brought up by repetition is blocks, by bicubic interpolation it is smooth', async (t) => {
  const picture = new Uint8Array(4 * 4 * 3).map((_, i) => 40 * (Math.floor(i / 3) % 4));
  const lr: HostBatch[string] = {
    dtype: 'uint8',
    shape: [1, 2, 2, 3],
    data: Uint8Array.from([20, 100, 20, 100].flatMap((v) => [v, v, v])),
  };
  const masks: HostBatch[string] = { dtype: 'uint8', shape: [1, 4], data: Uint8Array.of(1, 1, 1, 0) };
  const shape = { dtype: 'uint8' as const, shape: [1, 4, 4, 3], data: picture };
  const model = greyModel({ patch: 2, K: 2, value: 0, lr: true });
  const batches: HeldOut[] = [{ fields: { picture: shape, masks, lr }, keys: ['ramp'] }];
  const { errors, examples } = await evaluateReconstruction({ model, params: {} }, batches);
  // Each pixel of a ramp in steps of 40 is 20 off its block.
  t.ok(Math.abs(errors.lowResolutionNearest! - error(20)) < 1e-5, `${errors.lowResolutionNearest}`);
  t.ok(errors.lowResolution! < errors.lowResolutionNearest!);
  t.same(
    [...examples[0]!.low!.nearest.data.subarray(0, 12)].filter((_, i) => i % 3 === 0),
    [20, 20, 100, 100],
  );
});

t.test('something must be hidden', async (t) => {
  const batches = [{ fields: fields(10, 20, 60, 130), keys: ['a'] }];
  const open = batches.map(({ fields, keys }) => ({
    keys,
    fields: { ...fields, masks: { ...fields.masks!, data: new Uint8Array(4) } },
  }));
  await t.rejects(evaluateReconstruction({ model: hundreds, params: {} }, open), {
    code: 'RECONSTRUCTION_EMPTY',
  });
});

t.test('LoMaR is a restorer; with standardised targets the report says what was lent', async (t) => {
  t.notOk(isRestorer(linearModel()));
  for (const target of ['pixels', 'patchNorm'] as const) {
    const { model: plan } = smallDefinition('');
    const model = await buildModel({ ...plan, options: { ...(plan.options as object), target } });
    if (!isRestorer(model)) throw t.fail('no restorer');
    const params = model.init((name) => new Random(7, 'init', name));
    const batches = [{ fields: smallFields([0, 1, 2]), keys: ['a', 'b', 'c'] }];
    const evaluate = () => evaluateReconstruction({ model, params }, batches);
    const { errors, hidden, notes } = await evaluate();
    t.equal(hidden, 3 * 2 * 5 * 48);
    t.ok(Object.values(errors).every((value) => value > 0 && value < 100));
    t.equal(notes.length, target === 'pixels' ? 0 : 1);
    await expectNoTensorLeak(t, evaluate);
    tf.dispose(params);
    model.dispose();
  }
});

t.test('N2: a model that restores what is no number is an error', async (t) => {
  const diverged: Restorer = {
    ...hundreds,
    reconstruct: (_, { masks }) => tf.fill([...masks!.shape, 3], Number.NaN),
  };
  const batches = [{ keys: ['a'], fields: fields(1, 2, 3, 4) }];
  await t.rejects(evaluateReconstruction({ model: diverged, params: {} }, batches), {
    code: 'RECONSTRUCTION_NOT_A_NUMBER',
  });
});
