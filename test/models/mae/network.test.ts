import t from 'tap';
import { gradients } from '../../../src/backends/gradients.ts';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { encoderSizes } from '../../../src/models/layers/encoder.options.ts';
import { mae } from '../../../src/models/mae/network.ts';
import type { MaeShape } from '../../../src/models/mae/options.ts';
import type { HostBatch } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { sampleMasks } from '../../../src/vision/masks.ts';
import { normalisePixels } from '../../../src/vision/patches.ts';
import { patchify } from '../../kit/pictures/patches.ts';
import {
  expectFloat64,
  expectNorms,
  formulaGridMasks,
  formulaParameters,
  formulaPicture,
  measure,
  readExpected,
} from '../../kit/training/models.ts';
import { expectClose, expectNoTensorLeak, readings, relativeL2 } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const decoder = { width: 64, depth: 2, heads: 2 };
const nano: MaeShape = { ...encoderSizes.nano, patch: 8, K: 8, target: 'patchNorm', decoder };
const formulaBatch: HostBatch = { picture: formulaPicture, masks: formulaGridMasks };
const expected = readExpected('mae');

t.test('loss, prediction and every gradient are those of float64', (t) => {
  const model = mae(nano);
  expectFloat64(t, model, formulaBatch, expected);

  // Predictions of the target `pixels` are the head's own.
  const plain = mae({ ...nano, target: 'pixels' });
  const params = formulaParameters(plain);
  const inputs = tf.tidy(() => uploadAll(plain.inputs(formulaBatch)));
  const prediction = plain.reconstruct(params, inputs);
  t.same(prediction.shape, [2, 64, 192]);
  expectClose(t, prediction.dataSync(), expected.prediction, 1e-5, 'prediction');
  tf.dispose([prediction, inputs, params] as tf.TensorContainer);
  model.dispose();
  plain.dispose();
  t.end();
});

t.test('so is the target `pixels`', (t) => {
  const model = mae({ ...nano, target: 'pixels' });
  expectNorms(t, model, formulaBatch, expected.variant('pixels'));
  model.dispose();
  t.end();
});

/** A smooth batch of N pictures, 48 of 64 patches hidden of each. */
function batchOf(N: number, first = 0): HostBatch {
  const picture = new Uint8Array(N * 64 * 64 * 3);
  const masks = new Uint8Array(N * 64);
  for (let n = 0; n < N; n++) {
    const random = new Random(5, 'batch', `${first + n}`);
    const phase = random.between(0, 6);
    for (let i = 0; i < 64 * 64 * 3; i++)
      picture[n * 64 * 64 * 3 + i] = 128 + 100 * Math.sin(phase + i / 400 + (i % 3)) + random.between(-20, 20);
    masks.set(sampleMasks(1, 64, 48, random), n * 64);
  }
  return {
    picture: { dtype: 'uint8', shape: [N, 64, 64, 3], data: picture },
    masks: { dtype: 'uint8', shape: [N, 64], data: masks },
  };
}

t.test('inputs: places of the visible patches, and where every patch stands behind cls', (t) => {
  const model = mae({ ...nano, K: 2 });
  const masks = { dtype: 'uint8', shape: [2, 4], data: Uint8Array.of(0, 1, 1, 0, 1, 0, 0, 1) } as const;
  const inputs = model.inputs({ picture: formulaPicture, masks });
  t.same(
    [inputs.keep!.shape, [...inputs.keep!.data]],
    [
      [2, 2],
      [0, 3, 1, 2],
    ],
  );
  t.same(
    [inputs.restore!.shape, [...inputs.restore!.data]],
    [
      [2, 5],
      [0, 1, 3, 3, 2, 0, 3, 1, 2, 3],
    ],
  );
  t.equal(inputs.picture, formulaPicture);
  t.end();
});

t.test('micro-batches of 1, 4 and 16 accumulate to one gradient', (t) => {
  const model = mae(nano);
  const params = formulaParameters(model);
  const accumulated = [16, 4, 1].map((micro) => {
    const sum: Record<string, Float32Array> = {};
    for (let first = 0; first < 16; first += micro) {
      for (const [name, gradient] of Object.entries(measure(model, params, batchOf(micro, first)).grads)) {
        const total = sum[name] ?? new Float32Array(gradient.length);
        sum[name] = total.map((v, i) => v + (gradient[i]! * micro) / 16);
      }
    }
    return sum;
  });
  const flat = accumulated.map((sum) => Float32Array.from(model.parameters.flatMap((name) => [...sum[name]!])));
  for (const other of [1, 2])
    t.ok(relativeL2(flat[other]!, flat[0]!) < 1e-5, `${[16, 4, 1][other]}: ${relativeL2(flat[other]!, flat[0]!)}`);
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test('what is hidden does not reach the prediction, and what is visible does', (t) => {
  const model = mae({ ...nano, target: 'pixels' });
  const params = formulaParameters(model);
  const batch = batchOf(1);
  const { data: mask } = batch.masks!;
  const restored = (changed: number | undefined) => {
    const picture = (batch.picture!.data as Uint8Array).slice();
    for (let y = 0; changed !== undefined && y < 8; y++) {
      const row = (Math.floor(changed / 8) * 8 + y) * 64 + (changed % 8) * 8;
      picture.fill(255, row * 3, (row + 8) * 3);
    }
    return readings(() => {
      const inputs = uploadAll(model.inputs({ ...batch, picture: { ...batch.picture!, data: picture } }));
      return model.reconstruct(params, inputs).dataSync();
    });
  };
  const plain = restored(undefined);
  t.same(restored(mask.indexOf(1)), plain, 'a hidden patch in another colour');
  t.ok(relativeL2(restored(mask.indexOf(0)), plain) > 1e-3, 'a visible one');
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test('reconstruction of patchNorm is shown in the true patch’s mean and spread', (t) => {
  const [model, plain] = [mae(nano), mae({ ...nano, target: 'pixels' })];
  const params = formulaParameters(model);
  tf.tidy(() => {
    const batch = batchOf(1);
    const inputs = uploadAll(model.inputs(batch));
    const head = plain.reconstruct(params, inputs);
    const shown = model.reconstruct(params, inputs);
    const cut = patchify(batch.picture!.data as Uint8Array, { height: 64, width: 64, patch: 8 });
    const pixels = tf.tensor(normalisePixels(cut), [1, 64, 192]);
    const mean = pixels.mean(-1, true);
    const variance = pixels
      .sub(mean)
      .square()
      .mean(-1, true)
      .mul(192 / 191);
    expectClose(t, shown.dataSync(), head.mul(variance.add(1e-6).sqrt()).add(mean).dataSync(), 1e-5);
  });
  tf.dispose(params);
  model.dispose();
  plain.dispose();
  t.end();
});

t.test('whole pictures are encoded with nothing hidden, of any grid', async (t) => {
  const model = mae({ ...nano, target: 'pixels' });
  const params = formulaParameters(model);
  const picture = tf.tensor4d(Float32Array.from(formulaPicture.data), [2, 64, 64, 3]);
  const check = () => {
    const tokens = model.encode(params, { picture });
    t.same(tokens.shape, [2, 65, 64]);
    const wide = tf.tidy(() => model.encode(params, { picture: picture.slice([0, 0], [2, 32]) }));
    t.same(wide.shape, [2, 33, 64]);
    tf.dispose([tokens, wide]);
  };
  check();
  await expectNoTensorLeak(t, check);
  tf.dispose([params, picture] as tf.TensorContainer);
  model.dispose();
});

t.test('a step lowers the loss, moves every parameter and leaks nothing', async (t) => {
  const model = mae(nano);
  const params = model.init((name) => new Random(7, name, 'init'));
  const optimizer = adamw((name) => model.decays(name));
  const state = optimizer.init(params);
  const batch = batchOf(2);
  const before = measure(model, params, batch);
  for (const [name, gradient] of Object.entries(before.grads))
    t.ok(
      gradient.some((v) => v !== 0),
      `${name} has a gradient`,
    );
  await expectNoTensorLeak(t, () => {
    const inputs = uploadAll(model.inputs(batch));
    const { value, gradients: found } = gradients(() => model.loss(params, inputs).sum, params);
    optimizer.update(params, Object.values(found), state, { lr: 1e-3, scale: 1 / 2 });
    const shown = model.reconstruct(params, inputs);
    tf.dispose([value, found, inputs, shown] as tf.TensorContainer);
  });
  const after = measure(model, params, batch);
  t.ok(after.loss < before.loss, `from ${before.loss} to ${after.loss}`);
  tf.dispose(params);
  disposeState(state);
  model.dispose();
});

t.test('masks that are not of the grid, or uneven, are errors', (t) => {
  const model = mae(nano);
  const masks = (shape: number[], data: Uint8Array) =>
    ({ ...formulaBatch, masks: { dtype: 'uint8', shape, data } }) as const;
  t.throws(() => model.inputs({ picture: formulaPicture }), /MODEL_FIELD: field masks .* uint8 of rank 2; got nothing/);
  t.throws(
    () => model.inputs(masks([2, 49], new Uint8Array(98))),
    /MODEL_FIELD: .* uint8 \[N, 64\]; got uint8 \[2, 49\]/,
  );
  const uneven = Uint8Array.from({ length: 128 }, (_, i) => (i % 64 < 40 + Math.floor(i / 64) ? 1 : 0));
  t.throws(() => model.inputs(masks([2, 64], uneven)), /MASKS_UNEVEN: .* 64 patches .* got 23 after 24/);
  t.end();
});
