import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm.ts';
import { lomar } from '../../src/models/lomar.ts';
import type { MaeShape } from '../../src/models/mae.options.ts';
import { mae } from '../../src/models/mae.ts';
import { gridPositions } from '../../src/models/positions.ts';
import { Random } from '../../src/random.ts';
import { initialValues } from '../../src/train/initial-values.ts';
import { decodeSafetensors, encodeSafetensors, type FloatTensor } from '../../src/train/safetensors.ts';
import { loadInitial, modelTensors } from '../../src/train/weights.ts';
import { formulaParameters } from '../kit/models.ts';

await prepareWasm((message) => t.comment(message));

const shape: MaeShape = {
  ...{ width: 16, depth: 1, heads: 2, patch: 4, K: 4, target: 'pixels' },
  decoder: { width: 8, depth: 1, heads: 2 },
};
const model = mae(shape);
const trained = formulaParameters(model);
const own = await modelTensors(model, trained);
t.teardown(() => tf.dispose(trained));

const fileOf = (tensors: Iterable<readonly [string, FloatTensor]>) =>
  decodeSafetensors(Buffer.concat(encodeSafetensors(new Map(tensors))));
const without = (pattern: RegExp) => [...own].filter(([name]) => !pattern.test(name));
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
  t.same(values.get('norm.bias'), trained['norm.bias']!.dataSync());
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
  const tensors = await modelTensors(local, params);
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
