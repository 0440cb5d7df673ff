import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { decodeSafetensors, encodeSafetensors, type FloatTensor } from '../../../src/formats/safetensors.ts';
import { classifier } from '../../../src/models/classifier/network.ts';
import { classifierOptions, classifierShape } from '../../../src/models/classifier/options.ts';
import { gridPositions, resizedPositions } from '../../../src/models/layers/positions.ts';
import { lomar } from '../../../src/models/lomar/network.ts';
import { mae } from '../../../src/models/mae/network.ts';
import type { MaeShape } from '../../../src/models/mae/options.ts';
import type { Model } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { initialValues } from '../../../src/train/weights/initial-values.ts';
import { loadInitial, modelTensors } from '../../../src/train/weights/weights.ts';
import { formulaParameters } from '../../kit/training/models.ts';

await prepareWasm((message) => t.comment(message));

const shape: MaeShape = {
  ...{ width: 16, depth: 1, heads: 2, patch: 4, K: 4, target: 'pixels' },
  decoder: { width: 8, depth: 1, heads: 2 },
};
const model = mae(shape);
const trained = formulaParameters(model);
const own = await inMemory(model, trained);
t.teardown(() => tf.dispose(trained));

const fileOf = (tensors: Iterable<readonly [string, FloatTensor]>) =>
  decodeSafetensors(Buffer.concat(encodeSafetensors(new Map(tensors))));
const without = (pattern: RegExp) => [...own].filter(([name]) => !pattern.test(name));

/** What a file of a model holds, all at once. */
async function inMemory(from: Model, params: Record<string, tf.Variable>): Promise<Map<string, FloatTensor>> {
  const tensors = [...modelTensors(from, params)].map(async ([name, tensor]) => {
    return [name, 'data' in tensor ? tensor : { shape: tensor.shape, data: await tensor.read() }] as const;
  });
  return new Map(await Promise.all(tensors));
}

const floats = (sides: number[]): FloatTensor => ({
  shape: sides,
  data: new Float32Array(sides.reduce((product, side) => product * side, 1)),
});

t.test('a file of one’s own holds the fixed positions, and gives every value back', async (t) => {
  t.same(own.get('pos_embed'), { shape: [1, 17, 16], data: gridPositions(4, 4, 16) });
  t.same(own.get('decoder_pos_embed'), { shape: [1, 17, 8], data: gridPositions(4, 4, 8) });
  const fresh = model.init((name) => new Random(1, name, 'init'));
  t.same(loadInitial(model, fresh, fileOf(own), 'own'), []);
  for (const name of model.parameters) t.same(fresh[name]!.dataSync(), trained[name]!.dataSync(), name);
  tf.dispose(fresh);
});

t.test('in another order, wrapped, of another grid, with a classifier’s head', (t) => {
  const others = without(/pos_embed/).reverse();
  const file = [
    ...others,
    ['pos_embed', { shape: [1, 197, 16], data: gridPositions(14, 14, 16) }],
    ['head.weight', floats([10, 16])],
    ['fc_norm.bias', floats([16])],
  ] as const;
  const { values, notes } = initialValues(
    model,
    fileOf(file.map(([name, x]) => [`module.${name}`, x])),
    'm.safetensors',
  );
  t.same([...values.keys()], model.parameters);
  t.same(values.get('norm.bias')!(), trained['norm.bias']!.dataSync());
  t.same(notes, ['m.safetensors also holds head.weight, fc_norm.bias, which the model mae does not use.']);
  t.end();
});

t.test('an encoder alone: the rest stays fresh, and that is said', (t) => {
  const fresh = model.init((name) => new Random(1, name, 'init'));
  const before = fresh['decoder_embed.weight']!.dataSync().slice();
  const encoder = without(/^decoder_|^mask_token/);
  const notes = loadInitial(model, fresh, fileOf(encoder), 'e.safetensors');
  t.match(notes, [/^e\.safetensors holds an encoder: .* 19 other parameters stay fresh, from mask_token on\.$/]);
  t.same(fresh['blocks.0.mlp.fc1.weight']!.dataSync(), trained['blocks.0.mlp.fc1.weight']!.dataSync());
  t.same(fresh['decoder_embed.weight']!.dataSync(), before);
  tf.dispose(fresh);
  t.end();
});

t.test('LoMaR leaves out the table of positions that its published files hold unused', async (t) => {
  const local = lomar({ width: 16, depth: 1, heads: 2, patch: 4, K: 3, target: 'pixels', rpeScaled: false });
  const params = formulaParameters(local);
  const tensors = await inMemory(local, params);
  t.notOk(tensors.has('pos_embed'));
  const { values, notes } = initialValues(local, fileOf([...tensors, ['pos_embed', floats([1, 197, 16])]]), 'l');
  t.same([...values.keys()], local.parameters);
  t.match(notes, ['l also holds pos_embed, which the model lomar does not use.']);
  tf.dispose(params);
});

t.test('what does not fit is listed: missing, left over, of another shape', (t) => {
  const refused = (tensors: Iterable<readonly [string, FloatTensor]>, pattern: RegExp, what: string) =>
    t.throws(
      () => initialValues(model, fileOf(tensors), 'x.safetensors'),
      { code: 'WEIGHTS_MISMATCH', message: pattern },
      what,
    );
  refused(without(/^norm/), /x\.safetensors.* model mae.*missing: norm\.weight, norm\.bias\. /, 'missing');
  refused(without(/^decoder_pred\.bias/), /missing: decoder_pred\.bias/, 'half a decoder is not an encoder');
  refused([...own, ['blocks.1.norm1.bias', floats([16])]], /left over: blocks\.1\.norm1\.bias\. /, 'a deeper model');
  refused(
    [...without(/^mask_token/), ['mask_token', floats([1, 1, 16])]],
    /of another shape: mask_token \[1,1,16\], not \[1,1,8\]/,
    'shape',
  );
  refused(
    [...without(/^pos_embed/), ['pos_embed', floats([1, 17, 16])]],
    /left over: pos_embed, whose positions are not the fixed ones/,
    'learned positions',
  );
  refused(
    [...without(/^pos_embed/), ['pos_embed', floats([16])]],
    /positions are not the fixed ones/,
    'no table at all',
  );
  refused(
    [['\u001b[2J.weight', floats([1])]],
    /missing: cls_token, .* and 9 more; left over: \\u\{1b\}\[2J\.weight/,
    'a stranger',
  );
  t.throws(() => initialValues(model, fileOf([]), 'x'), { code: 'WEIGHTS_MISMATCH' }, 'an empty file');
  t.end();
});

t.test('numbers that are not floating-point are refused', (t) => {
  const bytes = Buffer.concat(encodeSafetensors(own));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = bytes
    .subarray(8, 8 + length)
    .toString()
    .replace('"cls_token":{"dtype":"F32"', '"cls_token":{"dtype":"I32"');
  bytes.write(header, 8);
  t.throws(() => initialValues(model, decodeSafetensors(bytes), 'x'), { code: 'SAFETENSORS_INVALID', message: /I32/ });
  t.end();
});

const classes = (encoder: 'mae' | 'lomar', change: object = {}) =>
  classifier(
    classifierShape(
      classifierOptions.parse({ encoder, classes: 3, width: 16, depth: 1, heads: 2, patch: 4, ...change }),
      { size: [16, 16] },
    ),
  );

t.test('a classifier takes the encoder of what was pre-trained, and says what stays fresh', (t) => {
  const one = classes('mae');
  const { values, notes } = initialValues(one, fileOf(own), 'm.safetensors');
  t.same(
    [...values.keys()],
    one.parameters.filter((name) => !/^(fc_norm|head)/.test(name)),
  );
  t.same(values.get('pos_embed')!(), gridPositions(4, 4, 16));
  t.same(values.get('blocks.0.attn.qkv.bias')!(), trained['blocks.0.attn.qkv.bias']!.dataSync());
  t.match(notes, [
    /holds an encoder: it is taken; 4 other parameters stay fresh, from fc_norm\.weight on\./,
    /also holds mask_token, norm\.weight, .* which the model classifier does not use\./,
  ]);
  const cls = initialValues(classes('mae', { pool: 'cls' }), fileOf(own), 'm.safetensors');
  t.same(cls.values.get('norm.weight')!(), trained['norm.weight']!.dataSync());
  t.notOk(cls.notes.some((note) => /also holds .*\bnorm\./.test(note.replaceAll('decoder_norm', ''))));
  t.end();
});

t.test('several cls tokens: tables have a row for each, fixed and learned ones', async (t) => {
  const [width, decoder] = [16, { width: 8, depth: 1, heads: 2 }];
  const shape = { width, depth: 1, heads: 2, patch: 4, K: 4, target: 'pixels' as const, decoder, clsTokens: 3 };
  const several = mae(shape);
  const params = several.init((name) => new Random(2, name, 'init'));
  const stored = await inMemory(several, params);
  t.same(stored.get('cls_token')!.shape, [1, 3, 16]);
  t.same(stored.get('pos_embed'), { shape: [1, 19, 16], data: gridPositions(4, 4, 16, 3) });
  t.same(stored.get('decoder_pos_embed')!.shape, [1, 19, 8]);
  const fresh = several.init((name) => new Random(1, name, 'init'));
  t.same(loadInitial(several, fresh, fileOf(stored), 'own'), []);
  const one = classes('mae', { clsTokens: 3 });
  t.same(initialValues(one, fileOf(stored), 'm').values.get('pos_embed')!(), gridPositions(4, 4, 16, 3));
  const larger = new Map([...stored, ['pos_embed', { shape: [1, 52, 16], data: gridPositions(7, 7, 16, 3) }]]);
  t.same(
    initialValues(one, fileOf(larger), 'm').values.get('pos_embed')!(),
    resizedPositions(gridPositions(7, 7, 16, 3), 16, 7, 4, 3),
  );
  t.throws(
    () => initialValues(classes('mae'), fileOf(stored), 'm'),
    /WEIGHTS_MISMATCH: .*cls_token \[1,3,16\], not \[1,1,16\]/,
  );
  tf.dispose([params, fresh] as tf.TensorContainer);
  several.dispose();
});

t.test('positions of another grid are brought to the classifier’s', (t) => {
  const file = [
    ...without(/^pos_embed/),
    ['pos_embed', { shape: [1, 50, 16], data: gridPositions(7, 7, 16) }],
  ] as const;
  const { values, notes } = initialValues(classes('mae'), fileOf(file), 'm');
  t.same(values.get('pos_embed')!(), resizedPositions(gridPositions(7, 7, 16), 16, 7, 4));
  t.match(notes, ['m has positions of 7 × 7 patches: they are brought to 4 × 4.']);
  for (const shape of [
    [1, 51, 16],
    [1, 50, 12],
    [50, 16],
    [1, 1, 16],
    [1, 0, 16],
    [2, 17, 16],
  ]) {
    const broken = [...without(/^pos_embed/), ['pos_embed', floats(shape)]] as const;
    t.throws(() => initialValues(classes('mae'), fileOf(broken), 'm'), { code: 'WEIGHTS_MISMATCH' }, `[${shape}]`);
  }
  t.end();
});

t.test(
  'tables for queries and values stay fresh where there were none; a file that has them is not of a model without',
  async (t) => {
    const [plain, more] = [classes('lomar'), classes('lomar', { rpeOn: 'qkv' })];
    const tensors = await inMemory(plain, formulaParameters(plain));
    const { values, notes } = initialValues(more, fileOf(tensors), 'l');
    t.same([...values.keys()], plain.parameters);
    t.match(notes, [/2 other parameters stay fresh, from blocks\.0\.attn\.rpe_q\.lookup_table_weight on\./]);
    const own = await inMemory(more, formulaParameters(more));
    t.same([...initialValues(more, fileOf(own), 'l').values.keys()], more.parameters);
    t.throws(() => initialValues(plain, fileOf(own), 'l'), /left over: .*rpe_q.*rpe_v.*`rpeOn`/);
    t.throws(
      () => initialValues(more, fileOf([...tensors].filter(([name]) => !name.includes('rpe_k'))), 'l'),
      /missing: blocks\.0\.attn\.rpe_k/,
    );
  },
);

t.test('a classifier’s own file gives everything back; one of other classes is refused', async (t) => {
  const one = classes('lomar');
  const params = formulaParameters(one);
  const tensors = await inMemory(one, params);
  const { values, notes } = initialValues(one, fileOf(tensors), 'c');
  t.same([...values.keys()], one.parameters);
  t.same(notes, []);
  t.throws(
    () => initialValues(classes('lomar', { classes: 4 }), fileOf(tensors), 'c'),
    /WEIGHTS_MISMATCH.*of another shape: head\.weight \[3,16\], not \[4,16\].*export --encoder/,
  );
  t.throws(() => initialValues(classes('mae'), fileOf(tensors), 'c'), /missing: pos_embed; left over: .*rpe_k/);
  tf.dispose(params);
});

t.test('a classifier takes LoMaR’s encoder, its tables of relative positions among it', async (t) => {
  const local = lomar({ width: 16, depth: 1, heads: 2, patch: 4, K: 3, target: 'pixels', rpeScaled: false });
  const params = formulaParameters(local);
  const { values, notes } = initialValues(classes('lomar'), fileOf(await inMemory(local, params)), 'l');
  t.ok(values.has('blocks.0.attn.rpe_k.lookup_table_weight'));
  t.match(notes[1], /l also holds mask_token, norm\.weight, norm\.bias, decoder_pred\.weight, decoder_pred\.bias,/);
  tf.dispose(params);
});
