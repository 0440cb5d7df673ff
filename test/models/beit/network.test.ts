import t from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import { gradients } from '../../../src/backends/gradients.ts';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { beit, pairBias } from '../../../src/models/beit/network.ts';
import { type BeitSpec, beitCost, beitOptions, beitParameters, beitShape } from '../../../src/models/beit/options.ts';
import { classifier } from '../../../src/models/classifier/network.ts';
import { classifierOptions, classifierShape } from '../../../src/models/classifier/options.ts';
import { countParameters } from '../../../src/models/layers/parameters.ts';
import type { HostBatch } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { chanceOf } from '../../../src/train/random-source.ts';
import {
  expectFloat64,
  expectNorms,
  formulaParameters,
  formulaPicture,
  measure,
  readExpected,
} from '../../kit/training/models.ts';
import { expectClose, expectNoTensorLeak, relativeL2 } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const spec: BeitSpec = {
  fields: { codes: { dtype: 'int32', shape: [64] } },
  size: [64, 64],
  grid: { patch: 8, side: 8 },
  vocabulary: 32,
  hidden: 24,
};
const inWindows: BeitSpec = { ...spec, windows: { K: 5, M: 2 }, hidden: 15 };
const options = (more: object = {}) => beitOptions.parse({ size: 'nano', ...more });
const whole = beitShape('beit', options(), spec);
const windowed = beitShape('lomar-beit', options(), inWindows);

/** Inputs by the formulas of fixtures/expected/README.md. */
const batch: HostBatch = {
  picture: formulaPicture,
  masks: {
    dtype: 'uint8',
    shape: [2, 64],
    data: Uint8Array.from({ length: 128 }, (_, i) => ((37 * (i % 64) + 11 * Math.floor(i / 64)) % 64 < 24 ? 1 : 0)),
  },
  codes: {
    dtype: 'int32',
    shape: [2, 64],
    data: Int32Array.from(
      { length: 128 },
      (_, i) => (13 * (i % 64) + 5 * Math.floor(i / 64) + ((i % 64) ** 2 % 7)) % 32,
    ),
  },
};
const windowBatch: HostBatch = {
  ...batch,
  windows: { dtype: 'int32', shape: [2, 2, 2], data: Int32Array.of(1, 2, 3, 0, 0, 3, 2, 1) },
  masks: {
    dtype: 'uint8',
    shape: [2, 2, 25],
    data: Uint8Array.from({ length: 100 }, (_, i) => ((7 * (i % 25) + 3 * Math.floor(i / 25)) % 5 < 3 ? 1 : 0)),
  },
};
const expected = readExpected('beit');

t.test('loss, scores and every gradient are those of float64', (t) => {
  const model = beit('beit', whole);
  expectFloat64(t, model, batch, expected);
  const params = formulaParameters(model);
  const inputs = tf.tidy(() => uploadAll(model.inputs(batch)));
  const scores = model.codeScores(params, inputs);
  t.same(scores.shape, [48, 32]);
  expectClose(t, scores.dataSync(), expected.prediction, 1e-5, 'scores');
  tf.dispose([scores, inputs, params] as tf.TensorContainer);
  model.dispose();
  t.end();
});

t.test('so are those of windows', (t) => {
  const model = beit('lomar-beit', windowed);
  t.same(model.fields, ['picture', 'windows', 'masks', 'codes']);
  expectNorms(t, model, windowBatch, expected.variant('windows'));
  model.dispose();
  t.end();
});

t.test('the codes of a window are those of its patches, and places are counted window by window', (t) => {
  const model = beit('lomar-beit', windowed);
  const { hide, codes, tokens, weights } = model.inputs(windowBatch);
  t.same(hide!.shape, [2, 30]);
  t.ok(weights!.data.every((weight) => weight === 1));
  const [picture, at] = [1, 17];
  const place = hide!.data[picture * 30 + at]!;
  t.ok(place >= 25, 'of the second window');
  t.equal(windowBatch.masks!.data[picture * 50 + place], 1);
  const patch = tokens!.data[picture * 50 + place]!;
  t.equal(codes!.data[picture * 30 + at], windowBatch.codes!.data[picture * 64 + patch]);
  model.dispose();
  t.end();
});

/** The batch with the last `fewer` hidden patches of the second picture shown. */
function uneven(fewer: number): HostBatch {
  const masks = (batch.masks!.data as Uint8Array).slice();
  for (let place = 127, shown = 0; shown < fewer; place--) {
    shown += masks[place]!;
    masks[place] = 0;
  }
  return { ...batch, masks: { ...batch.masks!, data: masks } as never };
}

t.test('pictures may have fewer hidden patches: each counts as much, whatever the micro-batch', (t) => {
  const model = beit('beit', whole);
  const params = formulaParameters(model);
  const given = uneven(9);
  const values = model.inputs(given);
  t.equal(model.terms!(values), 24 + 15);
  t.equal(values.hide!.shape[1], 24, 'shapes follow from N alone');
  const row = (n: number): HostBatch =>
    Object.fromEntries(
      Object.entries(given).map(([name, { dtype, shape, data }]) => {
        const length = data.length / 2;
        return [name, { dtype, shape: [1, ...shape.slice(1)], data: data.slice(n * length, (n + 1) * length) }];
      }),
    ) as HostBatch;
  const both = measure(model, params, given);
  const parts = [0, 1].map((n) => measure(model, params, row(n)));
  t.ok(Math.abs(both.loss - (24 * parts[0]!.loss + 15 * parts[1]!.loss) / 39) < 1e-5);
  for (const name of model.parameters) {
    const sum = both.grads[name]!.map(
      (_, i) => (24 * parts[0]!.grads[name]![i]! + 15 * parts[1]!.grads[name]![i]!) / 39,
    );
    t.ok(relativeL2(sum, both.grads[name]!) < 1e-5, name);
  }
  t.throws(
    () => model.inputs({ ...given, masks: { ...given.masks!, data: new Uint8Array(128).fill(1) } as never }),
    /MODEL_FIELD: field masks .* at most 24 hidden patches/,
  );
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test('what is not what the stages promise is an error with its name', (t) => {
  const model = beit('beit', whole);
  const { codes, ...without } = batch;
  t.throws(() => model.inputs(without), /MODEL_FIELD: field codes .* got nothing/);
  const few = { ...codes!, shape: [2, 32], data: codes!.data.slice(0, 64) } as never;
  t.throws(() => model.inputs({ ...without, codes: few }), /MODEL_FIELD: field codes .* int32 \[N, 64\]/);
  const wrong = { ...codes!, data: Int32Array.from(codes!.data, () => 32) } as never;
  t.throws(() => model.inputs({ ...without, codes: wrong }), /MODEL_FIELD: field codes .* 0 to 31; got 32/);
  model.dispose();
  t.end();
});

t.test('shapes: what the chain must give', (t) => {
  const { vocabulary: _, ...plain } = spec;
  t.throws(
    () => beitShape('beit', options(), plain),
    /MODEL_CODES: beit must be given codes of its patches to learn; got none.*tokenize/,
  );
  t.throws(() => beitShape('beit', options(), inWindows), /MODEL_WHOLE: beit/);
  t.throws(() => beitShape('lomar-beit', options(), spec), /MODEL_WINDOWS: lomar-beit needs windows/);
  const other = { ...spec, fields: { codes: { dtype: 'int32', shape: [49] } } } as const;
  t.throws(() => beitShape('beit', options(), other), /MODEL_CODES_GRID: .*8 × 8 patches; the tokenizer makes 7 × 7/);
  t.throws(() => beitShape('beit', options({ heads: 3 }), spec), /MODEL_HEADS/);
  t.end();
});

t.test('counts are those of the papers’ formulas', (t) => {
  const large = (name: 'beit' | 'lomar-beit', more: Partial<BeitSpec>) =>
    beitShape(name, beitOptions.parse({ size: 'base' }), {
      fields: {},
      size: [224, 224],
      grid: { patch: 16, side: 14 },
      vocabulary: 8192,
      hidden: 75,
      ...more,
    });
  const base = large('beit', {});
  const table = beitParameters(base).find(({ name }) => name.startsWith('rel_pos_bias'))!;
  t.same(table.shape, [732, 12]);
  // ViT-B without positions; a mask token; no bias of keys; scales; the table; the head.
  t.equal(countParameters(beitParameters(base)), 85_647_360 + 768 - 12 * 768 + 24 * 768 + 732 * 12 + 769 * 8192);
  t.ok(Math.abs(beitCost(base).macs / 18.03e9 - 1) < 0.001, `${beitCost(base).macs}`);
  const local = large('lomar-beit', { windows: { K: 7, M: 4 }, hidden: 19 });
  t.same(beitParameters(local).find(({ name }) => name.startsWith('rel_pos_bias'))!.shape, [172, 12]);
  t.ok(Math.abs(beitCost(local).macs / 17.8e9 - 1) < 0.01, `${beitCost(local).macs}`);
  t.end();
});

t.test('a pair’s bias is the table’s row of its offset, query minus key', (t) => {
  const constants = new Constants();
  for (const side of [1, 2, 3, 5]) {
    const [n, span, T] = [side * side, 2 * side - 1, side * side + 1];
    const rows = span * span + 3;
    const row = (query: number, key: number) => {
      if (query === 0 || key === 0) return span * span + (query === key ? 2 : query === 0 ? 0 : 1);
      const [i, j] = [query - 1, key - 1];
      const [down, right] = [Math.floor(i / side) - Math.floor(j / side), (i % side) - (j % side)];
      return (down + side - 1) * span + right + side - 1;
    };
    tf.tidy(() => {
      const table = tf.tensor2d(
        Float32Array.from({ length: rows * 2 }, (_, i) => i),
        [rows, 2],
      );
      const found = pairBias(table, side, constants);
      t.same(found.shape, [2, T, T]);
      const expected = [0, 1].flatMap((head) =>
        Array.from({ length: T * T }, (_, at) => 2 * row(Math.floor(at / T), at % T) + head),
      );
      t.same([...found.dataSync()], expected, `${n} patches`);
    });
  }
  constants.dispose();
  t.end();
});

t.test('fresh: cut normals, smaller the deeper what adds to the sum, and the first step moves the table', (t) => {
  const model = beit('beit', whole);
  const params = model.init((name) => new Random(7, name, 'init'));
  const most = (name: string) => tf.tidy(() => params[name]!.abs().max().dataSync()[0]!);
  t.ok(most('blocks.0.attn.qkv.weight') <= 0.02 && most('blocks.0.attn.qkv.weight') > 0.0199);
  for (const i of [0, 3]) {
    const bound = 0.02 / Math.sqrt(2 * (i + 1));
    for (const name of ['attn.proj', 'mlp.fc2'])
      t.ok(
        most(`blocks.${i}.${name}.weight`) <= bound && most(`blocks.${i}.${name}.weight`) > 0.99 * bound,
        `${i} ${name}`,
      );
  }
  t.same(
    [most('blocks.2.gamma_1'), most('blocks.2.attn.q_bias'), most('rel_pos_bias.relative_position_bias_table')],
    [Math.fround(0.1), 0, 0],
  );
  const { grads } = measure(model, params, batch);
  for (const name of model.parameters)
    t.ok(
      grads[name]!.some((value) => value !== 0),
      `${name} has a gradient`,
    );
  t.notOk(model.decays('cls_token'));
  t.ok(model.decays('mask_token') && model.decays('lm_head.weight'));
  t.notOk(model.decays('blocks.0.gamma_1') || model.decays('blocks.0.attn.q_bias'));
  const plain = beit('beit', { ...whole, layerScale: 0 });
  t.notOk(plain.parameters.some((name) => name.includes('gamma')));
  tf.dispose(params);
  model.dispose();
  t.end();
});

t.test('drop path takes part, and a step leaks nothing', async (t) => {
  const model = beit('lomar-beit', { ...windowed, dropPath: 0.5 });
  const params = model.init((name) => new Random(7, name, 'init'));
  const chance = chanceOf({ keys: ['a', 'b'], positions: [0, 1] }, { seed: 7, step: 0, count: 10 });
  const values = model.inputs(windowBatch, chance);
  t.same(values.paths!.shape, [2, 2, 8]);
  const step = () => {
    const inputs = uploadAll(values);
    const { value, gradients: found } = gradients(() => model.loss(params, inputs).sum, params);
    const scores = model.codeScores(params, inputs);
    tf.dispose([value, found, inputs, scores] as tf.TensorContainer);
  };
  // Constants that stay are made the first time.
  step();
  await expectNoTensorLeak(t, step);
  tf.dispose(params);
  model.dispose();
});

t.test('whole pictures are encoded with nothing hidden, in windows’ tables brought to their grid', async (t) => {
  const model = beit('beit', whole);
  const params = formulaParameters(model);
  const step = () => {
    const inputs = uploadAll({ picture: formulaPicture });
    const tokens = model.encode(params, inputs);
    t.same(tokens.shape, [2, 65, 64]);
    tf.dispose([inputs, tokens] as tf.TensorContainer);
  };
  // Constants that stay are made the first time.
  step();
  await expectNoTensorLeak(t, step);
  const local = beit('lomar-beit', windowed);
  const own = formulaParameters(local);
  const inputs = uploadAll({ picture: formulaPicture });
  const tokens = local.encode(own, inputs);
  t.same(tokens.shape, [2, 65, 64], 'tables of 5 × 5 patches serve 8 × 8');
  tf.dispose([inputs, tokens, own, params] as tf.TensorContainer);
  model.dispose();
  local.dispose();
});

t.test('a classifier of the same encoder computes what the encoder does', (t) => {
  const model = beit('beit', whole);
  const params = formulaParameters(model);
  const parsed = classifierOptions.parse({ encoder: 'beit', size: 'nano', classes: 5, pool: 'cls' });
  const fine = classifier(classifierShape(parsed, { size: [64, 64], grid: { patch: 8, side: 8 } }));
  const own = fine.init((name) => new Random(7, name, 'init'));
  for (const name of fine.parameters) {
    const from = name.includes('relative_position_bias_table') ? 'rel_pos_bias.relative_position_bias_table' : name;
    if (params[from] !== undefined) own[name]!.assign(params[from]);
  }
  t.same(
    fine.parameters.filter((name) => params[name] === undefined && !name.includes('relative_position_bias_table')),
    ['head.weight', 'head.bias'],
  );
  tf.tidy(() => {
    const inputs = uploadAll({ picture: formulaPicture });
    const cls = model.encode(params, inputs).slice([0, 0, 0], [-1, 1, -1]).squeeze([1]) as tf.Tensor2D;
    const scores = tf.matMul(cls, own['head.weight'] as tf.Tensor2D).add(own['head.bias']!);
    expectClose(t, fine.classify(own, inputs).dataSync(), scores.dataSync(), 1e-5);
  });
  tf.dispose([params, own]);
  for (const each of [model, fine]) each.dispose();
  t.end();
});
