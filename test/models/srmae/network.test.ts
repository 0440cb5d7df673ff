import t from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import { gradients } from '../../../src/backends/gradients.ts';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { encoderSizes } from '../../../src/models/layers/encoder.options.ts';
import { patchesOf } from '../../../src/models/layers/pixels.ts';
import { mae } from '../../../src/models/mae/network.ts';
import type { HostBatch } from '../../../src/models/model.ts';
import { enlarged, srmae } from '../../../src/models/srmae/network.ts';
import {
  type SrmaeShape,
  srmaeCost,
  srmaeOptions,
  srmaeParameters,
  srmaeShape,
} from '../../../src/models/srmae/options.ts';
import type { SuperResolution } from '../../../src/models/srmae/super-resolution.options.ts';
import { Random } from '../../../src/random.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { sampleMasks } from '../../../src/vision/masks.ts';
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
const nano: SrmaeShape = {
  ...encoderSizes.nano,
  patch: 8,
  K: 8,
  target: 'pixels',
  decoder,
  superResolution: 'hpb',
};

/** The small pictures of the formulas: 64 px made `side` px. */
const formulaLow = (side: number) =>
  ({
    dtype: 'uint8',
    shape: [2, side, side, 3],
    data: Uint8Array.from(
      { length: 2 * side * side * 3 },
      (_, i) => (29 * i + 5 * ((i * i) % 241) + Math.floor(i / 53)) % 256,
    ),
  }) as const;
const formulaBatch: HostBatch = { picture: formulaPicture, lr: formulaLow(16), masks: formulaGridMasks };
const expected = readExpected('srmae');

t.test('loss, prediction and every gradient are those of float64', (t) => {
  const model = srmae(nano);
  expectFloat64(t, model, formulaBatch, expected);
  t.same(
    [...expected.gradients].filter(([, { norm }]) => norm === 0).map(([name]) => name),
    ['in', 'low', 'high', 'out'].map((block) => `super_resolution.arfb_${block}.scale7`),
    'ESRT’s unused scalars alone have no gradient',
  );
  const params = formulaParameters(model);
  const inputs = tf.tidy(() => uploadAll(model.inputs(formulaBatch)));
  const prediction = model.reconstruct(params, inputs);
  t.same(prediction.shape, [2, 64, 192]);
  expectClose(t, prediction.dataSync(), expected.prediction, 1e-5, 'prediction');
  tf.dispose([prediction, inputs, params] as tf.TensorContainer);
  model.dispose();
  t.end();
});

for (const [variant, changes, side] of [
  ['patchNorm', { target: 'patchNorm' }, 16],
  ['residual', { superResolution: 'residual' }, 16],
  ['none', { superResolution: 'none' }, 16],
  ['factor3', {}, 21],
] as const) {
  t.test(`so is the variant ${variant}`, (t) => {
    const model = srmae({ ...nano, ...changes });
    expectNorms(t, model, { ...formulaBatch, lr: formulaLow(side) }, expected.variant(variant));
    model.dispose();
    t.end();
  });
}

t.test('parameters and multiply-adds of base, with the choices that the paper leaves open', (t) => {
  const options = srmaeOptions.parse({ size: 'base' });
  const at = (side: number) => srmaeShape(options, { size: [side, side], grid: { patch: 16, side: side / 16 } });
  const counts = new Map<string, number>();
  for (const { name, shape } of srmaeParameters(at(224))) {
    const part = /^(decoder_embed|decoder_|lr_embed|super_resolution)/
      .exec(name)?.[0]
      .replace('decoder_embed', 'decoder_');
    counts.set(part ?? 'encoder', (counts.get(part ?? 'encoder') ?? 0) + shape.reduce((a, b) => a * b, 1));
  }
  t.same(Object.fromEntries(counts), {
    encoder: 85_647_360,
    decoder_: 26_007_808,
    lr_embed: 393_728,
    super_resolution: 31_107_780,
  });
  for (const [side, hidden, gmacs] of [
    [224, 147, 16.27],
    [384, 432, 49.66],
    [448, 588, 69.07],
  ] as const) {
    const { parameters, macs } = srmaeCost(at(side), hidden);
    t.equal(parameters, 143_156_676);
    t.equal(Number((macs / 1e9).toFixed(2)), gmacs, `${side}`);
  }
  t.end();
});

t.test('what options and stages say together', (t) => {
  const spec = { size: [32, 32], grid: { patch: 4, side: 8 } } as const;
  const shape = (options: object, chain: object = spec) => srmaeShape(srmaeOptions.parse(options), chain);
  t.match(shape({ size: 'nano' }), { width: 64, patch: 4, K: 8, target: 'pixels', superResolution: 'hpb', decoder });
  t.match(shape({ decoderWidth: 256, decoderDepth: 4, decoderHeads: 8 }).decoder, { width: 256, depth: 4, heads: 8 });
  t.throws(
    () => shape({ decoderWidth: 40, decoderHeads: 2 }),
    /MODEL_SUPER_RESOLUTION: .*`hpb`.* multiple of 16; got 40. Try a decoder 48 wide/,
  );
  t.throws(
    () => shape({}, { size: [8, 8], grid: { patch: 8, side: 1 } }),
    /MODEL_SUPER_RESOLUTION: .* 2 × 2 .* got 1 × 1/,
  );
  t.doesNotThrow(() => shape({ decoderWidth: 40, decoderHeads: 2, superResolution: 'none' }));
  t.throws(() => shape({}, { ...spec, windows: { K: 5, M: 2 } }), /MODEL_WHOLE: srmae/);
  t.throws(() => shape({ patch: 8 }), /MODEL_PATCH/);
  t.throws(() => shape({ width: 66, heads: 2 }), /MODEL_POSITIONS/);
  t.throws(() => srmaeOptions.parse({ superResolution: 'hbp' }));
  for (const [name, option] of Object.entries(srmaeOptions.shape)) t.ok(option.description, `${name} is described`);
  t.end();
});

t.test('the small picture is enlarged to its nearest: by 4 in blocks of 4 × 4, by 3 where 75 px meet 224', (t) => {
  const constants = new Constants();
  tf.tidy(() => {
    const small = tf.randomUniform([1, 56, 56, 3], 0, 255, 'float32', 7) as tf.Tensor4D;
    const large = enlarged(small, 224, constants) as tf.Tensor4D;
    t.same(large.shape, [1, 224, 224, 3]);
    const blocks = large.reshape([56, 4, 56, 12]).sub(small.reshape([56, 1, 56, 3]).tile([1, 1, 1, 4]));
    t.equal(blocks.abs().max().dataSync()[0], 0, 'each block of 4 × 4 is constant');
    const patch = patchesOf(large, 16).slice([0, 17, 0], [1, 1, 768]).reshape([16, 48]);
    t.equal(
      new Set(patch.reshape([16, 16, 3]).slice([0, 0, 0], [16, 16, 1]).dataSync()).size,
      16,
      'sixteen colours a patch',
    );

    const numbered = tf.range(0, 75).reshape([1, 75, 1, 1]).tile([1, 1, 75, 3]);
    const rows = enlarged(numbered, 224, constants).slice([0, 0, 0, 0], [1, 224, 1, 1]).dataSync();
    t.same(
      [...rows],
      Array.from({ length: 224 }, (_, row) => Math.floor((row * 75) / 224)),
    );
  });
  constants.dispose();
  t.end();
});

/** A smooth batch of N pictures and their means over 4 × 4 pixels, 48 of 64 patches hidden of each. */
function batchOf(N: number, first = 0): HostBatch {
  const picture = new Uint8Array(N * 64 * 64 * 3);
  const lr = new Uint8Array(N * 16 * 16 * 3);
  const masks = new Uint8Array(N * 64);
  for (let n = 0; n < N; n++) {
    const random = new Random(5, 'batch', `${first + n}`);
    const phase = random.between(0, 6);
    for (let i = 0; i < 64 * 64 * 3; i++)
      picture[n * 64 * 64 * 3 + i] = 128 + 100 * Math.sin(phase + i / 400 + (i % 3));
    for (let i = 0; i < 16 * 16 * 3; i++) {
      const [row, column, c] = [Math.floor(i / 48), Math.floor(i / 3) % 16, i % 3];
      lr[n * 16 * 16 * 3 + i] = picture[((n * 64 + 4 * row + 2) * 64 + 4 * column + 2) * 3 + c]!;
    }
    masks.set(sampleMasks(1, 64, 48, random), n * 64);
  }
  return {
    picture: { dtype: 'uint8', shape: [N, 64, 64, 3], data: picture },
    lr: { dtype: 'uint8', shape: [N, 16, 16, 3], data: lr },
    masks: { dtype: 'uint8', shape: [N, 64], data: masks },
  };
}

t.test('micro-batches of 1 and 4 accumulate to one gradient', (t) => {
  const model = srmae(nano);
  const params = formulaParameters(model);
  const [whole, parts] = [4, 1].map((micro) => {
    const sum: Record<string, Float32Array> = {};
    for (let first = 0; first < 4; first += micro) {
      for (const [name, gradient] of Object.entries(measure(model, params, batchOf(micro, first)).grads)) {
        const total = sum[name] ?? new Float32Array(gradient.length);
        sum[name] = total.map((v, i) => v + (gradient[i]! * micro) / 4);
      }
    }
    return Float32Array.from(model.parameters.flatMap((name) => [...sum[name]!]));
  });
  t.ok(relativeL2(parts!, whole!) < 1e-5, `${relativeL2(parts!, whole!)}`);
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test('hidden patches reach the prediction at low resolution alone', (t) => {
  const model = srmae(nano);
  const params = formulaParameters(model);
  const batch = batchOf(1);
  const { data: mask } = batch.masks!;
  /** The prediction with patch `at` of the picture (64 px) or the small one (16 px) in white. */
  const restored = (field?: 'picture' | 'lr', at = 0) => {
    const side = field === 'lr' ? 16 : 64;
    const p = side / 8;
    const data = field === undefined ? undefined : (batch[field]!.data as Uint8Array).slice();
    for (let y = 0; y < p; y++) {
      const start = (Math.floor(at / 8) * p + y) * side + (at % 8) * p;
      data?.fill(255, start * 3, (start + p) * 3);
    }
    return readings(() => {
      const changed = field === undefined ? batch : { ...batch, [field]: { ...batch[field]!, data: data! } };
      return model.reconstruct(params, uploadAll(model.inputs(changed))).dataSync();
    });
  };
  const plain = restored();
  t.same(restored('picture', mask.indexOf(1)), plain, 'a hidden patch of the picture');
  t.same(restored('lr', mask.indexOf(0)), plain, 'a visible one of the small picture');
  t.ok(relativeL2(restored('picture', mask.indexOf(0)), plain) > 1e-3, 'a visible one of the picture');
  t.ok(relativeL2(restored('lr', mask.indexOf(1)), plain) > 1e-3, 'a hidden one of the small picture');
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test('whole pictures are encoded by the encoder alone, as MAE’s', async (t) => {
  const [model, plain] = [srmae(nano), mae({ ...nano, target: 'pixels' })];
  const params = formulaParameters(model);
  const picture = tf.tensor4d(Float32Array.from(formulaPicture.data), [2, 64, 64, 3]);
  const check = () => {
    const [tokens, same] = [model.encode(params, { picture }), plain.encode(params, { picture })];
    t.same(tokens.shape, [2, 65, 64]);
    t.same(tokens.dataSync(), same.dataSync());
    tf.dispose([tokens, same]);
  };
  check();
  await expectNoTensorLeak(t, check);
  tf.dispose([params, picture] as tf.TensorContainer);
  model.dispose();
  plain.dispose();
});

t.test('a step lowers the loss and leaks nothing', async (t) => {
  const model = srmae(nano);
  const params = model.init((name) => new Random(7, name, 'init'));
  const optimizer = adamw((name) => model.decays(name));
  const state = optimizer.init(params);
  const batch = batchOf(2);
  const before = measure(model, params, batch);
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

t.test('a super-resolution module of one’s own stands where ours do', (t) => {
  const gain: SuperResolution = {
    name: 'gain',
    parameters: (C) => [{ name: 'gain.weight', shape: [C], layout: 'same', start: 'ones' }],
    macs: (C, [rows, columns]) => C * rows * columns,
    apply: (params, x) => x.mul(params['gain.weight']!),
  };
  const own = { ...nano, superResolution: gain };
  const [model, none] = [srmae(own), srmae({ ...nano, superResolution: 'none' })];
  t.equal(srmaeCost(own, 48).macs - srmaeCost(none.shape, 48).macs, 64 * 64);
  t.ok(model.parameters.includes('super_resolution.gain.weight'));
  const start = (name: string) => new Random(7, name, 'init');
  const [params, plain] = [model.init(start), none.init(start)];
  const [found, want] = [measure(model, params, formulaBatch), measure(none, plain, formulaBatch)];
  t.equal(found.loss, want.loss, 'a gain of one changes nothing');
  t.ok(
    found.grads['super_resolution.gain.weight']!.some((v) => v !== 0),
    'and is learned',
  );
  tf.dispose([params, plain] as tf.TensorContainer);
  model.dispose();
  none.dispose();
  t.end();
});

t.test('a field that is not what the stages promise is an error with its name', (t) => {
  const model = srmae(nano);
  const { lr, ...without } = formulaBatch;
  t.throws(() => model.inputs(without), /MODEL_FIELD: field lr .* must be uint8 of rank 4; got nothing/);
  const masks = { dtype: 'uint8', shape: [2, 49], data: new Uint8Array(98) } as const;
  t.throws(() => model.inputs({ ...without, lr: lr!, masks }), /MODEL_FIELD: .* uint8 \[N, 64\]; got uint8 \[2, 49\]/);
  t.end();
});
