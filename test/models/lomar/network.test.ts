import t from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import { gradients } from '../../../src/backends/gradients.ts';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { encoderSizes } from '../../../src/models/layers/encoder.options.ts';
import { normalised, patchesOf } from '../../../src/models/layers/pixels.ts';
import { block, norm, project } from '../../../src/models/layers/vit.ts';
import { lomar } from '../../../src/models/lomar/network.ts';
import type { LomarShape } from '../../../src/models/lomar/options.ts';
import type { HostBatch } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { cutWindow, normalisePixels } from '../../../src/vision/patches.ts';
import {
  expectFloat64,
  expectNorms,
  formulaParameters,
  formulaPicture,
  measure,
  readExpected,
} from '../../kit/training/models.ts';
import { expectClose, expectNoTensorLeak, readings, relativeL2 } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const nano: LomarShape = { ...encoderSizes.nano, patch: 8, K: 5, target: 'patchNorm', rpeScaled: false };

const formulaBatch: HostBatch = {
  picture: formulaPicture,
  windows: { dtype: 'int32', shape: [2, 2, 2], data: Int32Array.of(1, 2, 3, 0, 0, 3, 2, 1) },
  masks: {
    dtype: 'uint8',
    shape: [2, 2, 25],
    data: Uint8Array.from({ length: 100 }, (_, i) => ((7 * (i % 25) + 3 * Math.floor(i / 25)) % 5 < 3 ? 1 : 0)),
  },
};

const expected = readExpected('lomar');

t.test('loss, prediction and every gradient are those of float64', (t) => {
  const model = lomar(nano);
  expectFloat64(t, model, formulaBatch, expected);

  // Predictions of the target `pixels` are the head's own.
  const plain = lomar({ ...nano, target: 'pixels' });
  const params = formulaParameters(plain);
  const inputs = tf.tidy(() => uploadAll(plain.inputs(formulaBatch)));
  const prediction = plain.reconstruct(params, inputs);
  t.same(prediction.shape, [2, 2, 25, 192]);
  expectClose(t, prediction.dataSync(), expected.prediction, 1e-5, 'prediction');
  tf.dispose([prediction, inputs, params] as tf.TensorContainer);
  model.dispose();
  plain.dispose();
  t.end();
});

t.test('so are the target `pixels` and scaled queries', (t) => {
  for (const [shape, variant] of [
    [{ ...nano, target: 'pixels' as const }, 'pixels'],
    [{ ...nano, rpeScaled: true }, 'patchNormScaled'],
  ] as const) {
    const model = lomar(shape);
    expectNorms(t, model, formulaBatch, expected.variant(variant));
    model.dispose();
  }
  t.end();
});

/** A smooth batch of N pictures, each with its own windows and 15 hidden patches per window. */
function batchOf(N: number, first = 0): HostBatch {
  const M = 2;
  const picture = new Uint8Array(N * 64 * 64 * 3);
  const windows = new Int32Array(N * M * 2);
  const masks = new Uint8Array(N * M * 25);
  for (let n = 0; n < N; n++) {
    const random = new Random(5, 'batch', `${first + n}`);
    const phase = random.between(0, 6);
    for (let i = 0; i < 64 * 64 * 3; i++)
      picture[n * 64 * 64 * 3 + i] = 128 + 100 * Math.sin(phase + i / 400 + (i % 3)) + random.between(-20, 20);
    for (let view = 0; view < M; view++) {
      windows.set([random.integer(4), random.integer(4)], (n * M + view) * 2);
      for (const hidden of random.permutation(25).subarray(0, 15)) masks[(n * M + view) * 25 + hidden] = 1;
    }
  }
  return {
    picture: { dtype: 'uint8', shape: [N, 64, 64, 3], data: picture },
    windows: { dtype: 'int32', shape: [N, M, 2], data: windows },
    masks: { dtype: 'uint8', shape: [N, M, 25], data: masks },
  };
}

t.test('micro-batches of 1, 4 and 16 accumulate to one gradient', (t) => {
  const model = lomar(nano);
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
  t.ok(relativeL2(flat[1]!, flat[0]!) < 1e-5, `4: ${relativeL2(flat[1]!, flat[0]!)}`);
  t.ok(relativeL2(flat[2]!, flat[0]!) < 1e-5, `1: ${relativeL2(flat[2]!, flat[0]!)}`);
  for (const name of model.parameters) {
    for (const other of [1, 2])
      t.ok(relativeL2(accumulated[other]![name]!, accumulated[0]![name]!) < 1e-5, `${name}, ${[16, 4, 1][other]}`);
  }
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test('fresh: masked tokens of a window are alike, and the first step moves every table', async (t) => {
  const model = lomar({ ...nano, target: 'pixels' });
  const params = model.init((name) => new Random(7, name, 'init'));
  const batch = batchOf(2);
  const inputs = tf.tidy(() => uploadAll(model.inputs(batch)));
  const before = readings(() => model.reconstruct(params, inputs).arraySync()) as number[][][][];
  const masks = readings(() => inputs.masks!.arraySync()) as number[][][];
  for (let n = 0; n < 2; n++) {
    for (let view = 0; view < 2; view++) {
      const hidden = before[n]![view]!.filter((_, token) => masks[n]![view]![token] === 1);
      t.ok(
        hidden.every((token) => relativeL2(token, hidden[0]!) < 1e-5),
        `image ${n}, window ${view}: hidden tokens alike`,
      );
    }
  }
  const optimizer = adamw((name) => model.decays(name));
  const state = optimizer.init(params);
  const { value, gradients: found } = gradients(() => model.loss(params, inputs).sum, params);
  optimizer.update(params, Object.values(found), state, { lr: 1e-3, scale: 1 / 4 });
  for (let i = 0; i < 4; i++) {
    const moved = tf.tidy(() => params[`blocks.${i}.attn.rpe_k.lookup_table_weight`]!.abs().max().dataSync()[0]!);
    t.ok(moved > 1e-4, `table ${i} moved by ${moved}`);
  }
  const after = readings(() => model.reconstruct(params, inputs).arraySync()) as number[][][][];
  const hidden = after[0]![0]!.filter((_, token) => masks[0]![0]![token] === 1);
  t.notOk(
    hidden.every((token) => relativeL2(token, hidden[0]!) < 1e-5),
    'and then they differ',
  );
  tf.dispose([value, found, inputs, params] as tf.TensorContainer);
  disposeState(state);
  model.dispose();
});

t.test('reconstruction of patchNorm is shown in the true patch’s mean and spread', (t) => {
  const [model, plain] = [lomar(nano), lomar({ ...nano, target: 'pixels' })];
  const params = formulaParameters(model);
  tf.tidy(() => {
    const inputs = uploadAll(model.inputs(batchOf(1)));
    const head = plain.reconstruct(params, inputs);
    const shown = model.reconstruct(params, inputs);
    const scale = shown.sub(shown.mean(-1, true)).square().mean().sqrt().dataSync()[0]!;
    const headScale = head.sub(head.mean(-1, true)).square().mean().sqrt().dataSync()[0]!;
    t.not(scale, headScale);
    const pixels = tf.tensor(windowPixels(batchOf(1)), [1, 2, 25, 192]);
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

t.test('a window with nothing hidden counts zero, and a step leaks nothing', async (t) => {
  const model = lomar(nano);
  const params = model.init((name) => new Random(7, name, 'init'));
  const open = { ...batchOf(1), masks: { dtype: 'uint8', shape: [1, 2, 25], data: new Uint8Array(50) } } as const;
  t.equal(measure(model, params, open).loss, 0);
  const optimizer = adamw((name) => model.decays(name));
  const state = optimizer.init(params);
  await expectNoTensorLeak(t, () => {
    const inputs = uploadAll(model.inputs(batchOf(2)));
    const { value, gradients: found } = gradients(() => model.loss(params, inputs).sum, params);
    optimizer.update(params, Object.values(found), state, { lr: 1e-3 });
    const shown = model.reconstruct(params, inputs);
    tf.dispose([value, found, inputs, shown] as tf.TensorContainer);
  });
  tf.dispose(params);
  disposeState(state);
  model.dispose();
});

/** The windows of a batch of 64 px pictures in normalised pixels, cut on the host: [N, 2, 25, 192]. */
function windowPixels({ picture, windows }: HostBatch): Float32Array {
  const shape = { widthPx: 64, patch: 8, K: 5 };
  const out = new Uint8Array((windows!.data.length / 2) * 25 * 192);
  for (let view = 0; view < windows!.data.length / 2; view++) {
    const start = Math.floor(view / 2) * 64 * 64 * 3;
    const pixels = (picture!.data as Uint8Array).subarray(start, start + 64 * 64 * 3);
    const [topPatch, leftPatch] = [windows!.data[2 * view]!, windows!.data[2 * view + 1]!];
    cutWindow(pixels, { ...shape, topPatch, leftPatch }, out, view * 25 * 192);
  }
  return normalisePixels(out);
}

t.test('whole pictures are encoded as one window of the grid’s size with nothing hidden', async (t) => {
  const model = lomar({ ...nano, target: 'pixels' });
  const params = formulaParameters(model);
  const cropped = (batchOf(2).picture!.data as Uint8Array).subarray(0, 2 * 40 * 40 * 3);
  const picture = { dtype: 'uint8', shape: [2, 40, 40, 3], data: cropped } as const;
  const windows = { dtype: 'int32', shape: [2, 1, 2], data: new Int32Array(4) } as const;
  const masks = { dtype: 'uint8', shape: [2, 1, 25], data: new Uint8Array(50) } as const;
  const check = () => {
    const inputs = uploadAll(model.inputs({ picture, windows, masks }));
    const tokens = model.encode(params, inputs);
    t.same(tokens.shape, [2, 26, 64]);
    const restored = model.reconstruct(params, inputs);
    const head = tf.tidy(() => project(params, 'decoder_pred', tokens.slice([0, 1, 0], [-1, -1, -1])));
    expectClose(t, head.dataSync(), restored.dataSync(), 1e-6);
    tf.dispose([inputs, tokens, restored, head] as tf.TensorContainer);
  };
  check();
  await expectNoTensorLeak(t, check);
  tf.dispose(params);
  model.dispose();
});

t.test('fresh tables are zero: attention is the plain one at step 0', (t) => {
  const model = lomar(nano);
  const params = model.init((name) => new Random(7, name, 'init'));
  const constants = new Constants();
  tf.tidy(() => {
    const picture = tf.tensor4d(Float32Array.from(formulaPicture.data), [2, 64, 64, 3]);
    const patches = normalised(patchesOf(picture, 8), constants);
    const cls = tf.zeros([2, 1, 64]).add(params.cls_token!);
    let x: tf.Tensor = tf.concat([cls, project(params, 'patch_embed.proj', patches)], 1);
    for (let i = 0; i < 4; i++) x = block(params, `blocks.${i}`, x, 2);
    expectClose(t, model.encode(params, { picture }).dataSync(), norm(params, 'norm', x).dataSync(), 1e-6);
  });
  tf.dispose(params);
  constants.dispose();
  model.dispose();
  t.end();
});

t.test('a field that is not what the stages promise is an error with its name', (t) => {
  const model = lomar(nano);
  const { windows, ...without } = formulaBatch;
  t.throws(() => model.inputs(without), /MODEL_FIELD: field windows .* must be int32 of rank 3; got nothing/);
  const bytes = { ...windows!, dtype: 'uint8' as const };
  t.throws(() => model.inputs({ ...without, windows: bytes }), /MODEL_FIELD: .* got uint8 \[2, 2, 2\]/);
  t.throws(() => model.stored('cls_tokem'), /MODEL_PARAMETER: .* Try cls_token/);
  t.end();
});
