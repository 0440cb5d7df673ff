import t from 'tap';
import { gradients } from '../../../src/backends/gradients.ts';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { classifier } from '../../../src/models/classifier/network.ts';
import {
  type ClassifierOptionsInput,
  classifierCost,
  classifierOptions,
  classifierShape,
} from '../../../src/models/classifier/options.ts';
import { vectorsOf } from '../../../src/models/layers/vectors.ts';
import { lomar } from '../../../src/models/lomar/network.ts';
import { mae } from '../../../src/models/mae/network.ts';
import type { HostBatch, Pool, RandomSource } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { chanceOf } from '../../../src/train/random-source.ts';
import { formulaParameters, formulaPicture, measure } from '../../kit/training/models.ts';
import { expectClose, expectNoTensorLeak, waves } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const size = [64, 64] as const;
const shapeOf = (options: Partial<ClassifierOptionsInput>) =>
  classifierShape(
    classifierOptions.parse({ encoder: 'mae', classes: 5, width: 16, depth: 2, heads: 2, patch: 8, ...options }),
    { size },
  );

const batch: HostBatch = {
  picture: formulaPicture,
  label: { dtype: 'int32', shape: [2], data: Int32Array.of(3, 0) },
};

const chance = (step = 0): RandomSource =>
  chanceOf({ keys: ['f', 'g'], positions: [0, 1] }, { seed: 7, step, count: 100 });

t.test('as many parameters and multiply-adds as the papers’ networks', (t) => {
  const cost = (encoder: 'mae' | 'lomar', size: ClassifierOptionsInput['size'], patch = 16) => {
    const options = classifierOptions.parse({ encoder, size, patch, classes: 1000 });
    return classifierCost(classifierShape(options, { size: [224, 224] }));
  };
  for (const [size, parameters, gmacs] of [
    ['tiny', 5_717_416, 1.25],
    ['small', 22_050_664, 4.6],
    ['base', 86_567_656, 17.56],
    ['large', 304_326_632, 61.55],
  ] as const) {
    const found = cost('mae', size);
    t.equal(found.parameters, parameters, size);
    t.ok(Math.abs(found.macs / 1e9 - gmacs) < 0.01, `${size}: ${found.macs}`);
  }
  for (const rpeOn of ['qk', 'qkv'] as const) {
    const more = classifierOptions.parse({ encoder: 'lomar', size: 'base', patch: 16, classes: 1000, rpeOn });
    const found = classifierCost(classifierShape(more, { size: [224, 224] }));
    const tables = rpeOn.length - 1;
    t.equal(found.parameters, 86_454_760 + tables * 12 * 50 * 64, rpeOn);
    t.equal(found.macs, cost('lomar', 'base').macs + tables * 12 * 50 * 197 * 768, rpeOn);
  }
  t.match(cost('mae', 'huge', 14), { parameters: 632_045_800 });
  t.equal(cost('lomar', 'base').parameters, 86_454_760);
  t.end();
});

t.test('parameters by their names and in their order; what is decayed', (t) => {
  const model = classifier(shapeOf({ pool: 'mean' }));
  t.same(model.parameters.slice(0, 4), ['cls_token', 'pos_embed', 'patch_embed.proj.weight', 'patch_embed.proj.bias']);
  t.same(model.parameters.slice(-4), ['fc_norm.weight', 'fc_norm.bias', 'head.weight', 'head.bias']);
  t.notOk(model.parameters.some((name) => name.startsWith('norm.')));
  for (const name of ['cls_token', 'pos_embed', 'head.bias', 'fc_norm.weight']) t.notOk(model.decays(name), name);
  t.ok(model.decays('head.weight'));
  const relative = classifier(shapeOf({ encoder: 'lomar', pool: 'cls' }));
  t.ok(relative.decays('blocks.1.attn.rpe_k.lookup_table_weight'));
  t.notOk(relative.parameters.includes('pos_embed'));
  t.same(relative.parameters.slice(-4), ['norm.weight', 'norm.bias', 'head.weight', 'head.bias']);
  const fresh = model.init((name) => new Random(3, 'init', name));
  t.same([...fresh['head.bias']!.dataSync()], [0, 0, 0, 0, 0]);
  t.ok(fresh['head.weight']!.dataSync().every((value) => Math.abs(value) < 2e-4));
  const table = fresh.pos_embed!.dataSync();
  expectClose(t, table.slice(0, 16), new Float32Array(16), 0, 'cls has no position');
  expectClose(t, table.slice(16, 32), [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1], 1e-6, 'the first patch');
  tf.dispose(fresh as unknown as tf.TensorContainer);
  t.end();
});

t.test('tables for queries and values: names, forms in files; fresh they say nothing, then each says its own', (t) => {
  const [plain, more] = [
    classifier(shapeOf({ encoder: 'lomar' })),
    classifier(shapeOf({ encoder: 'lomar', rpeOn: 'qkv' })),
  ];
  const tables = ['q', 'k', 'v'].map((of) => `blocks.1.attn.rpe_${of}.lookup_table_weight`);
  t.same(
    more.parameters.filter((name) => name.startsWith('blocks.1.attn.rpe_')),
    tables,
  );
  t.same(
    tables.map((name) => more.stored(name).shape),
    [
      [1, 8, 50],
      [1, 8, 50],
      [1, 50, 8],
    ],
  );
  tf.tidy(() => {
    const { picture } = uploadAll({ picture: formulaPicture });
    const params = formulaParameters(plain);
    const scores = (model: typeof plain, params: ReturnType<typeof formulaParameters>) =>
      model.classify(params, { picture: picture! }).dataSync();
    const before = scores(plain, params);
    const zeros = Object.fromEntries(
      tables
        .concat(tables.map((name) => name.replace('1', '0')))
        .map((name) => [name, tf.variable(tf.zeros(more.stored(name).shape.slice(1)))]),
    );
    const of = (name: string) => ({
      ...zeros,
      ...params,
      ...(name !== '' && {
        [name]: tf.variable(
          tf.tensor2d(Float32Array.from(waves([400], 5).data), more.stored(name).shape.slice(1) as [number, number]),
        ),
      }),
    });
    expectClose(t, scores(more, of('') as never), before, 1e-5, 'tables of zeros');
    for (const name of [tables[0]!, tables[2]!]) {
      const now = scores(more, of(name) as never);
      t.ok(
        now.some((value, i) => Math.abs(value - before[i]!) > 1e-4),
        name,
      );
    }
    tf.dispose(params as unknown as tf.TensorContainer);
  });
  more.dispose();
  plain.dispose();
  t.end();
});

t.test('with LoMaR’s encoder and the cls token, scores are a head on the features that LoMaR gives', (t) => {
  const shape = shapeOf({ encoder: 'lomar', pool: 'cls' });
  const model = classifier(shape);
  const params = formulaParameters(model);
  const encoder = lomar({ ...shape, K: 5, target: 'pixels' });
  tf.tidy(() => {
    const picture = uploadAll({ picture: formulaPicture }).picture!;
    const cls = encoder.encode(params, { picture }).slice([0, 0, 0], [-1, 1, -1]).squeeze([1]) as tf.Tensor2D;
    const expected = tf.matMul(cls, params['head.weight'] as unknown as tf.Tensor2D).add(params['head.bias']!);
    const found = model.classify(params, { picture });
    t.same(found.shape, [2, 5]);
    expectClose(t, found.dataSync(), expected.dataSync(), 1e-5);
  });
  tf.dispose(params as unknown as tf.TensorContainer);
  model.dispose();
  encoder.dispose();
  t.end();
});

t.test(
  'with LoMaR’s encoder of absolute positions, or several cls tokens, scores are a head on the features too',
  async (t) => {
    const decoder = { width: 16, depth: 1, heads: 2 };
    for (const [options, encoderOf] of [
      [
        { encoder: 'lomar', positions: 'absolute' },
        (shape: ReturnType<typeof shapeOf>) => lomar({ ...shape, K: 5, target: 'pixels', absolute: 8 }),
      ],
      [
        { encoder: 'mae', clsTokens: 3 },
        (shape: ReturnType<typeof shapeOf>) => mae({ ...shape, target: 'pixels', decoder }),
      ],
    ] as const) {
      const shape = shapeOf({ ...options, pool: 'cls' });
      const model = classifier(shape);
      const fresh = model.init((name) => new Random(3, 'init', name));
      const params: Record<string, tf.Variable> = { ...formulaParameters(model), pos_embed: fresh.pos_embed! };
      const encoder = encoderOf(shape);
      tf.tidy(() => {
        const picture = uploadAll({ picture: formulaPicture }).picture!;
        const cls = encoder.encode(params, { picture }).slice([0, 0, 0], [-1, 1, -1]).squeeze([1]) as tf.Tensor2D;
        const expected = tf.matMul(cls, params['head.weight'] as unknown as tf.Tensor2D).add(params['head.bias']!);
        expectClose(t, model.classify(params, { picture }).dataSync(), expected.dataSync(), 1e-5);
      });
      const sizes = classifierCost(shape);
      const one = classifierCost(shapeOf({ encoder: 'mae', pool: 'cls' }));
      const more = (shape.clsTokens ?? 1) - 1;
      t.equal(sizes.parameters, one.parameters + 2 * more * 16, 'a token and a position each');
      t.ok(more === 0 ? sizes.macs === one.macs : sizes.macs > one.macs);
      tf.dispose([params, fresh] as unknown as tf.TensorContainer);
      model.dispose();
      encoder.dispose();
    }
    t.throws(() => shapeOf({ encoder: 'lomar', clsTokens: 2 }), /MODEL_OPTION: .*`clsTokens` of classifier/);
    t.ok(shapeOf({ encoder: 'lomar', positions: 'absolute', clsTokens: 2 }));
    t.throws(
      () => shapeOf({ encoder: 'mae', positions: 'relative' }),
      /MODEL_OPTION: .*`positions: relative` of classifier/,
    );
  },
);

t.test('vectors are what the head reads; other tokens go through the same normalisation', (t) => {
  for (const options of [
    { encoder: 'mae', pool: 'mean', clsTokens: 2 },
    { encoder: 'mae', pool: 'cls', clsTokens: 2 },
    { encoder: 'lomar', pool: 'mean' },
    { encoder: 'beit', pool: 'cls' },
  ] as const) {
    const model = classifier(shapeOf(options));
    const params = formulaParameters(model);
    tf.tidy(() => {
      const picture = uploadAll({ picture: formulaPicture }).picture!;
      const of = (pool: Pool) => vectorsOf(model, params, picture, pool);
      const head = (read: tf.Tensor) => tf.matMul(read as tf.Tensor2D, params['head.weight'] as unknown as tf.Tensor2D);
      const scores = model.classify(params, { picture }).sub(params['head.bias']!);
      const what = JSON.stringify(options);
      expectClose(t, head(of(options.pool)).dataSync(), scores.dataSync(), 1e-5, what);
      const tokens = model.encode(params, { picture });
      t.same(tokens.shape, [2, 65, 16], 'one cls token in front');
      expectClose(t, of('cls').dataSync(), tokens.slice([0, 0, 0], [-1, 1, -1]).dataSync(), 0, 'the first token');
      expectClose(t, of('patches').dataSync(), tokens.slice([0, 1, 0]).dataSync(), 0, 'the others');
      // Of each token the normalisation takes its mean and spread: with neither gain nor shift they are 0 and 1.
      const last = options.pool === 'mean' ? 'fc_norm' : 'norm';
      const bare = tokens.slice([0, 1, 0]).sub(params[`${last}.bias`]!).div(params[`${last}.weight`]!);
      expectClose(t, bare.mean(-1).dataSync(), new Float32Array(128), 1e-5, `${what}: ${last} of each`);
      expectClose(t, bare.square().mean(-1).dataSync(), new Float32Array(128).fill(1), 1e-3);
      const far = of('mean').sub(of('patches').mean(1)).abs().max().dataSync()[0]!;
      t.equal(
        far > 1e-3,
        options.pool === 'mean',
        'the mean of a head is normalised behind it, and of a cls token before',
      );
    });
    tf.dispose(params as unknown as tf.TensorContainer);
    model.dispose();
  }
  t.end();
});

t.test('with MAE’s encoder, fresh positions are those that MAE computes', (t) => {
  const shape = shapeOf({ encoder: 'mae', pool: 'cls' });
  const model = classifier(shape);
  const fresh = model.init((name) => new Random(3, 'init', name));
  const formula = formulaParameters(model);
  const params: Record<string, tf.Variable> = { ...formula, pos_embed: fresh.pos_embed! };
  const encoder = mae({ ...shape, target: 'pixels', decoder: { width: 16, depth: 1, heads: 2 } });
  tf.tidy(() => {
    const picture = uploadAll({ picture: formulaPicture }).picture!;
    const cls = encoder.encode(params, { picture }).slice([0, 0, 0], [-1, 1, -1]).squeeze([1]) as tf.Tensor2D;
    const expected = tf.matMul(cls, params['head.weight'] as unknown as tf.Tensor2D).add(params['head.bias']!);
    expectClose(t, model.classify(params, { picture }).dataSync(), expected.dataSync(), 1e-5);
    const other = model.classify(formula, { picture }).sub(expected).abs().max().dataSync()[0]!;
    t.ok(other > 1e-3, 'and other positions give other scores');
  });
  tf.dispose([fresh, formula] as unknown as tf.TensorContainer);
  model.dispose();
  encoder.dispose();
  t.end();
});

for (const [what, options] of Object.entries({
  'LoMaR, mean': { encoder: 'lomar', pool: 'mean' },
  'LoMaR with tables for queries, keys and values': { encoder: 'lomar', pool: 'mean', rpeOn: 'qkv' },
  'MAE, mean': { encoder: 'mae', pool: 'mean' },
  'MAE, cls': { encoder: 'mae', pool: 'cls' },
  'mixed, with drop path': { encoder: 'mae', pool: 'mean', dropPath: 0.5, mixup: 0.8, cutmix: 1 },
} as const)) {
  t.test(`${what}: gradients are the slopes of the loss`, (t) => {
    const model = classifier(shapeOf(options));
    const params = formulaParameters(model);
    const chanced = { ...model, inputs: (fields: HostBatch) => model.inputs(fields, chance()) };
    const { grads } = measure(chanced, params, batch);
    const inputs = uploadAll(chanced.inputs(batch));
    const lossOf = () => tf.tidy(() => model.loss(params, inputs).sum.dataSync()[0]! / 2);
    for (const name of model.parameters) {
      const variable = params[name]!;
      const gradient = grads[name]!;
      const norm = Math.hypot(...gradient);
      // By the gradient and across it: a direction of one's own shows what the first cannot.
      const wave = waves([gradient.length], 4).data;
      const own = Float32Array.from(
        wave,
        (value, i) => value / Math.sqrt(wave.length) + (gradient[i]! / (norm || 1)) * 2,
      );
      const slope = gradient.reduce((sum, value, i) => sum + value * own[i]!, 0);
      const values = variable.dataSync().slice();
      const moved = (step: number) => {
        const at = tf.tensor(
          values.map((value, i) => value + step * own[i]!),
          variable.shape,
        );
        variable.assign(at);
        at.dispose();
        return lossOf();
      };
      const numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
      moved(0);
      t.ok(Math.abs(numeric - slope) <= 1e-2 * Math.abs(slope) + 2e-4, `${name}: ${slope}, by differences ${numeric}`);
    }
    tf.dispose([params, inputs] as unknown as tf.TensorContainer);
    model.dispose();
    t.end();
  });
}

t.test('the loss is the cross-entropy of smoothed and mixed labels', (t) => {
  const model = classifier(shapeOf({ labelSmoothing: 0.2, mixup: 1 }));
  const params = formulaParameters(model);
  const inputs = model.inputs(batch, chance(3));
  const lambda = new Random(7, 'mix', 'batch:3');
  for (let word = 0; word < 4; word++) lambda.word();
  const λ = lambda.beta(1, 1);
  const target = [0, 1, 2, 3, 4].map((label) => 0.04 + 0.8 * (label === 3 ? λ : label === 0 ? 1 - λ : 0));
  expectClose(t, inputs.target!.data.subarray(0, 5), target, 1e-6, 'target');
  tf.tidy(() => {
    const uploaded = uploadAll(inputs);
    const mixed = { ...batch, picture: formulaPicture };
    const pixels = Float32Array.from(formulaPicture.data, (value, i) => {
      const each = formulaPicture.data.length / 2;
      return λ * value + (1 - λ) * formulaPicture.data[(i + each) % (2 * each)]!;
    });
    const picture = tf.tensor(pixels, [...mixed.picture.shape]);
    const logs = tf.logSoftmax(model.classify(params, { picture })).arraySync() as number[][];
    const rows = [0, 1].map((n) => Array.from(inputs.target!.data).slice(5 * n, 5 * n + 5));
    const expected = -rows.reduce((sum, row, n) => sum + row.reduce((all, v, c) => all + v * logs[n]![c]!, 0), 0);
    const { sum, count } = model.loss(params, uploaded);
    t.ok(Math.abs(sum.dataSync()[0]! / expected - 1) < 1e-5);
    t.equal(count, 2);
  });
  tf.dispose(params as unknown as tf.TensorContainer);
  model.dispose();
  t.end();
});

t.test(
  'without chance nothing is mixed and nothing dropped, and a model that does neither takes no such inputs',
  (t) => {
    const model = classifier(shapeOf({ mixup: 0.8, cutmix: 1, dropPath: 0.5 }));
    t.same(Object.keys(model.inputs(batch)), ['picture', 'target']);
    t.same(Object.keys(model.inputs(batch, chance())), ['picture', 'target', 'mixRows', 'mixColumns', 'paths']);
    const plain = classifier(shapeOf({}));
    t.same(Object.keys(plain.inputs(batch, chance())), ['picture', 'target']);
    t.same([plain.pairs, model.pairs], [false, true]);
    const odd: HostBatch = {
      picture: { dtype: 'uint8', shape: [1, 64, 64, 3], data: formulaPicture.data.slice(0, 12288) },
      label: { dtype: 'int32', shape: [1], data: Int32Array.of(1) },
    };
    t.throws(() => model.inputs(odd, chance()), { code: 'MICRO_BATCH_PAIRS' });
    t.doesNotThrow(() => plain.inputs(odd, chance()));
    const label = (...values: number[]) => ({ ...batch, label: { ...batch.label!, data: Int32Array.from(values) } });
    t.throws(() => plain.inputs(label(0, 5)), { code: 'LABEL_CLASS' });
    t.throws(() => plain.inputs({ picture: formulaPicture }), /MODEL_FIELD: field label/);
    t.end();
  },
);

t.test('every step of a batch mixes alike, whatever its micro-batches', (t) => {
  const model = classifier(shapeOf({ mixup: 0.8, cutmix: 1 }));
  const inputs = (step: number) => model.inputs(batch, chance(step));
  t.same(inputs(1).mixRows!.data, inputs(1).mixRows!.data);
  const drawn = new Set(Array.from({ length: 10 }, (_, step) => [...inputs(step).mixRows!.data].join()));
  t.equal(drawn.size, 10, 'and each step in its own way');
  t.end();
});

t.test('fresh and fine: a step leaks nothing, and the fresh head knows nothing', async (t) => {
  const model = classifier(shapeOf({ mixup: 0.8, cutmix: 1, dropPath: 0.2, labelSmoothing: 0 }));
  const params = model.init((name) => new Random(3, 'init', name));
  const step = () => {
    const inputs = uploadAll(model.inputs(batch, chance()));
    const { value, gradients: found } = gradients(() => model.loss(params, inputs).sum, params);
    const loss = value.dataSync()[0]! / 2;
    tf.dispose([inputs, value, found] as unknown as tf.TensorContainer);
    return loss;
  };
  t.ok(Math.abs(step() - Math.log(5)) < 1e-3, 'the logarithm of as many classes');
  await expectNoTensorLeak(t, () => void step());
  await expectNoTensorLeak(t, () => {
    const inputs = uploadAll({ picture: formulaPicture });
    tf.dispose([model.classify(params, inputs), inputs] as unknown as tf.TensorContainer);
  });
  tf.dispose(params as unknown as tf.TensorContainer);
  model.dispose();
});

t.test('what does not fit is told', (t) => {
  t.throws(() => shapeOf({ heads: 3 }), { code: 'MODEL_HEADS' });
  t.throws(() => shapeOf({ width: 18, heads: 2 }), { code: 'MODEL_POSITIONS' });
  t.doesNotThrow(() => shapeOf({ width: 18, heads: 2, encoder: 'lomar' }));
  t.throws(() => shapeOf({ rpeOn: 'qk' }), /MODEL_OPTION: .*`rpeOn: qk` of classifier must go with `encoder: lomar`/);
  t.throws(() => shapeOf({ encoder: 'lomar', positions: 'absolute', rpeOn: 'k' }), { code: 'MODEL_OPTION' });
  t.throws(() => shapeOf({ patch: 7 }), { code: 'PATCH_SIDE' });
  const options = classifierOptions.parse({ encoder: 'mae', classes: 2 });
  t.throws(() => classifierShape(options, { size }), { code: 'MODEL_PATCH' });
  t.throws(() => classifierShape({ ...options, patch: 8 }, {}), /TRAIN_SPEC: the model classifier .*one size/);
  t.throws(() => classifierShape({ ...options, patch: 8 }, { size: [64, 32] }), { code: 'PICTURE_SQUARE' });
  for (const wrong of [{ classes: 1 }, { encoder: 'vit' }, { mixup: -1 }, { labelSmoothing: 1 }, { dropPath: 1 }])
    t.notOk(classifierOptions.safeParse({ encoder: 'mae', classes: 5, ...wrong }).success, JSON.stringify(wrong));
  t.end();
});
