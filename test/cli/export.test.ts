import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { decodeSafetensors, floatsOf } from '../../src/formats/safetensors.ts';
import { checkpointFolder, saveCheckpoint } from '../../src/train/weights/checkpoint.ts';
import { trainedKey } from '../../src/train/weights/trained-on.ts';
import { exportable, weightsFile } from '../kit/exported/models.ts';
import { writeFiles } from '../kit/files/folder.ts';
import { readOnnx } from '../kit/onnx.ts';
import { patchstream } from '../kit/runs/terminal.ts';

const model = new Map(
  ['cls_token', 'mask_token', 'pos_embed', 'blocks.0.norm1.bias', 'norm.bias', 'normal', 'decoder_pred.bias'].map(
    (name, i) => [name, { shape: [2], data: Float32Array.of(i, 0.1) }],
  ),
);

const save = (folder: string, step: number, average?: typeof model, trained?: string) =>
  saveCheckpoint(checkpointFolder(folder), {
    state: { step, position: step, updates: step, seed: 7, versions: {}, definition: 'd' },
    model,
    optimizer: new Map(),
    ...(average && { average }),
    about: 'a model',
    ...(trained !== undefined && { trained }),
  });

const read = async (path: string) => decodeSafetensors(await readFile(path));

t.test('a run’s newest weights, whole and the encoder alone', async (t) => {
  const run = t.testdir();
  await save(run, 3);
  const path = await save(run, 5);
  t.match(await patchstream(['export', run]), { code: 0, out: /^7 tensors, 14 values: .*model\.safetensors\n$/ });
  const whole = await read(join(run, 'model.safetensors'));
  t.same([...whole.tensors.keys()], [...model.keys()]);
  t.same(floatsOf(whole.tensors.get('norm.bias')!), model.get('norm.bias')!.data);
  t.match(whole.metadata, { format: 'pt', 'patchstream.model': 'a model' });

  t.match(await patchstream(['export', path, '--encoder']), { code: 0, out: /^4 tensors/ });
  const encoder = await read(join(run, 'encoder.safetensors'));
  t.same([...encoder.tensors.keys()], ['cls_token', 'pos_embed', 'blocks.0.norm1.bias', 'norm.bias']);

  const output = join(run, 'mine.safetensors');
  const file = join(run, 'model.safetensors');
  t.match(await patchstream(['export', file, '--encoder', '--output', output]), { code: 0, out: output });
  t.same(await readFile(output), await readFile(join(run, 'encoder.safetensors')));
});

t.test('inspect shows what was exported: its tensors, and what it says of its model', async (t) => {
  const run = t.testdir();
  const trained = {
    model: { name: 'classifier', options: { size: 'nano', classes: 2 }, spec: { fields: {}, size: [32, 48] } },
    stages: [{ name: 'decode', options: {} }],
    classNames: ['a\u001bcat', 'dog'],
  };
  const path = await save(run, 1, undefined, JSON.stringify(trained));
  await patchstream(['export', run]);
  const file = join(run, 'model.safetensors');
  const { out, ...rest } = await patchstream(['inspect', file, '--verify']);
  t.match(rest, { code: 0, err: '' });
  t.match(out, /^model\.safetensors +7 tensors, 14 values, [\d.]+ (B|KiB)\n/);
  t.match(out, /\nmodel +classifier \{"size":"nano","classes":2\}\npictures +32 × 48 px\nstages +decode\n/);
  t.match(out, /\nclasses +2: a\\u\{1b\}cat, dog\ntypes +F32\ntensors +cls_token \[2\], mask_token \[2\], /);
  t.match(out, /\nformat +pt\nsha256 +[0-9a-f]{64}\n$/);
  const json = JSON.parse((await patchstream(['inspect', file, '--json'])).out);
  t.match(json, { values: 14, of: 'a model', trained, metadata: { format: 'pt' } });
  t.same(json.tensors[2], { name: 'pos_embed', dtype: 'F32', shape: [2] });

  const part = join(path, 'model.safetensors');
  t.match(await patchstream(['inspect', part, '--verify']), { code: 0, err: '' });
  const bytes = await readFile(part);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(part, bytes);
  t.match(await patchstream(['inspect', part, '--verify']), { code: 1, err: /^CHECKPOINT_BROKEN.*model\.safetensors/ });
  await writeFile(file, bytes.subarray(0, -1));
  t.match(await patchstream(['inspect', file]), { code: 1, err: /^SAFETENSORS_INVALID: .*model\.safetensors: / });
});

t.test('half precision comes out as float32', async (t) => {
  const dir = t.testdir();
  const header = JSON.stringify({ 'norm.bias': { dtype: 'BF16', shape: [2], data_offsets: [0, 4] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFiles(dir, {
    'half.safetensors': Buffer.concat([length, Buffer.from(header), Buffer.of(0x80, 0x3f, 0x00, 0xc0)]),
  });
  const output = join(dir, 'whole.safetensors');
  const told = await patchstream(['export', join(dir, 'half.safetensors'), '--output', output]);
  t.match(told, { code: 0, out: /^1 tensor, 2 values/ }, told.err);
  const tensor = (await read(output)).tensors.get('norm.bias')!;
  t.same([tensor.dtype, ...floatsOf(tensor)], ['F32', 1, -2]);
});

t.test('nothing there, nothing trained, and a file that is there already', async (t) => {
  const run = t.testdir();
  t.match(await patchstream(['export', join(run, 'none')]), { code: 2, err: /^WEIGHTS_MISSING.*nothing is at .*none/ });
  t.match(await patchstream(['export', run]), { code: 2, err: /^CHECKPOINT_NONE/ });
  t.match(await patchstream(['export']), { code: 2, err: /got no <run, checkpoint or file>/ });
  const path = await save(run, 1);
  const file = join(path, 'model.safetensors');
  const before = await readFile(file);
  t.match(await patchstream(['export', file]), {
    code: 2,
    err: /^EXPORT_EXISTS: .*model\.safetensors is there already/,
  });
  t.same(await readFile(file), before);
});

t.test(
  'L14: a checkpoint that was changed is neither exported nor shown, and an older one is taken aloud',
  async (t) => {
    const run = t.testdir();
    await save(run, 3);
    const path = await save(run, 5);
    t.match(await patchstream(['inspect', path]), { code: 0, out: /step +5\n[\s\S]*tensors +7\n/ });
    const shown = await patchstream(['inspect', path, '--json']);
    t.match(JSON.parse(shown.out), { format: 2, step: 5, tensors: 7, values: 14, digest: /^[0-9a-f]{64}$/ });

    const state = join(path, 'state.json');
    await writeFile(state, (await readFile(state, 'utf8')).replace('"step": 5', '"step": 4'));
    const output = join(run, 'mine.safetensors');
    for (const verb of [
      ['inspect', path],
      ['export', path, '--output', output],
    ])
      t.match(await patchstream(verb), { code: 1, err: /^CHECKPOINT_BROKEN.*state\.json/ });
    const older = await patchstream(['export', run, '--output', output]);
    t.match(older, { code: 0, err: /CHECKPOINT_BROKEN[\s\S]*older checkpoint step-00000003 is taken/ });
  },
);

t.test('of a checkpoint with an average that, unless the trained weights are asked for', async (t) => {
  const run = t.testdir();
  await save(run, 1);
  const average = new Map([...model].map(([name, { shape }]) => [name, { shape, data: Float32Array.of(9, 9) }]));
  const path = await save(run, 2, average);
  const exported = async (...args: string[]) => {
    const output = join(run, `${args.length}-${args[0]!.length}-${args.at(-1)!.length}.safetensors`);
    t.match(await patchstream(['export', ...args, '--output', output]), { code: 0 });
    return [...floatsOf((await read(output)).tensors.get('norm.bias')!)];
  };
  const trained = [...model.get('norm.bias')!.data];
  t.same(await exported(run), [9, 9]);
  t.same(await exported(run, '--weights', 'model'), trained);
  t.same(await exported(run, '--weights', 'ema'), [9, 9]);
  t.same(await exported(join(path, 'model.safetensors')), trained);
  t.same(await exported(join(path, 'ema.safetensors')), [9, 9]);
  const none = join(checkpointFolder(run), 'step-00000001');
  t.match(await patchstream(['export', none, '--weights', 'ema', '--output', join(run, 'x')]), {
    code: 2,
    err: /this one has none: its training kept none/,
  });
  t.match(await patchstream(['export', run, '--weights', 'both']), { code: 2, err: /must be `ema` or `model`/ });
});

t.test('a file that ends in .onnx is the model itself', async (t) => {
  await prepareWasm(t.comment);
  const root = t.testdir({});
  const weights = await weightsFile(root, exportable[0]!);
  const output = join(root, 'Encoder.ONNX');
  const words = ['export', weights, '--output', output];
  const told = await patchstream([...words, '--pool', 'patches']);
  t.match(
    told,
    { code: 0, out: /^picture uint8 \[N, 32, 32, 3\] to embedding float32 \[N, 16, 16\], \d+ nodes: .*\.ONNX\n$/ },
    told.err,
  );
  t.match(readOnnx(await readFile(output)), {
    metadata: { 'patchstream.pool': 'patches' },
    outputs: [{ name: 'embedding' }],
  });

  const refused = async (code: number, message: RegExp, ...args: string[]) =>
    t.match(await patchstream(['export', ...args]), { code, err: message });
  await refused(2, /^EXPORT_EXISTS: .*Encoder\.ONNX is there already/, weights, '--output', output);
  await refused(2, /^FILE_WRITE: .*none.*Make the folder/, weights, '--output', join(root, 'none', 'a.onnx'));
  const other = ['--output', join(root, 'b.onnx')];
  await refused(2, /^ARGUMENT: .*--encoder.*leave it out/, weights, '--encoder', ...other);
  await refused(2, /^ARGUMENT: .*--pool sum.*`mean`, `cls` or `patches`/, weights, '--pool', 'sum', ...other);
  await refused(2, /^ARGUMENT: .*--pool.*ends in \.onnx/, weights, '--pool', 'cls');
  const tokenizer = await weightsFile(root, exportable.find(({ model }) => model === 'tokenizer')!);
  await refused(2, /^ONNX_POOL: .*tokenizer.*Leave it out/, tokenizer, '--pool', 'cls', ...other);
  await refused(2, /^TRAINED_MISSING/, join(root, 'nothing'), ...other);
  await refused(2, /^TRAINED_UNKNOWN/, await save(root, 1), ...other);
});

t.test(
  'of a checkpoint with an average a file of ONNX has that, unless the trained weights are asked for',
  async (t) => {
    const root = t.testdir({});
    const { tensors, metadata } = await read(await weightsFile(root, exportable[0]!));
    const trained = new Map(
      [...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: floatsOf(tensor) }]),
    );
    const average = new Map(
      [...trained].map(([name, { shape, data }]) => [name, { shape, data: data.map(() => 0.5) }]),
    );
    await saveCheckpoint(checkpointFolder(root), {
      state: { step: 1, position: 1, updates: 1, seed: 7, versions: {}, definition: 'd' },
      ...{ model: trained, optimizer: new Map(), average, trained: metadata[trainedKey]! },
    });
    for (const [weights, values] of [
      [[], average],
      [['--weights', 'model'], trained],
    ] as const) {
      const output = join(root, `${weights.length}.onnx`);
      const told = await patchstream(['export', root, '--output', output, ...weights]);
      t.match(told, { code: 0 }, told.err);
      const { bytes } = readOnnx(await readFile(output)).tensors.get('norm.bias')!;
      t.same(new Float32Array(Uint8Array.from(bytes!).buffer), values.get('norm.bias')!.data);
    }
  },
);
