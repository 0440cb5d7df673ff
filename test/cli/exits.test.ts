import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { exitOf } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/main.ts';
import { fail } from '../../src/errors.ts';
import { labelledFolder, pictureFolder } from '../kit/files/folder.ts';
import { patchstream } from '../kit/runs/terminal.ts';

const chain = 'stages: [decode, { resize: 16 }]\nsink: jsonl\n';
const training = `
stages: [decode, { resize: 32 }, { windows: { patch: 8, size: 3, views: 1 } }, { mask: 0.5 }]
train: { model: { lomar: { size: nano } }, batch: 2, steps: 1 }
`;

t.test(
  'each verb ends with 2 where what it is given names something that is not there, and leaves nothing behind',
  async (t) => {
    const dir = t.testdir({
      empty: {},
      'one.jpg': '',
      'folder.yaml': `source: { image-folder: ./none }\n${chain}output: ./runs/folder\n`,
      'files.yaml': `source: { manifest: ./none.csv }\n${chain}output: ./runs/files\n`,
      'shards.yaml': `source: { shards: ./none }\n${chain.replace('decode, ', '')}output: ./runs/shards\n`,
      'empty.yaml': `source: { image-folder: ./empty }\n${chain}output: ./runs/empty\n`,
      'one.yaml': `source: { mixture: [{ source: { image-folder: ./pictures }, weight: 1 }, { source: { image-folder: ./none }, weight: 1 }] }\n${chain}output: ./runs/one\n`,
      'share.yaml': `source: { mixture: [{ source: { image-folder: ./pictures }, weight: 1 }, { source: { image-folder: ./pictures }, weight: 1000 }] }\n${chain}output: ./runs/share\n`,
      'model.yaml': `source: { image-folder: ./pictures }\n${chain.replace('16 }', '16 }, { embed: { from: ./none } }')}output: ./runs/model\n`,
      'train.yaml': `source: { image-folder: ./none }${training}output: ./runs/train\n`,
      'held-out.yaml': `source: { image-folder: ./pictures }${training}evaluate: { reconstruction: { on: ./none } }\noutput: ./runs/held-out\n`,
      'init.yaml':
        `source: { image-folder: ./pictures }${training.replace('steps: 1', 'steps: 1, init: ./none')}output: ./runs/init\n`.replace(
          'steps: 1 }\n  init: ./none',
          'steps: 1, init: ./none }',
        ),
    });
    await pictureFolder(join(dir, 'pictures'), 2);
    const at = (name: string) => join(dir, name);
    const none = at('none');
    const pipelines = ['folder', 'files', 'shards', 'empty', 'one', 'share', 'model', 'train', 'held-out', 'init'];
    const given: Readonly<Record<string, readonly (readonly string[])[]>> = {
      run: [[at('none.yaml')], [at('empty')], ...pipelines.map((name) => [at(`${name}.yaml`)])],
      check: [[at('none.yaml')], [at('empty')]],
      describe: [[at('none.yaml')], [at('empty')]],
      profile: [[at('none.yaml')], [at('folder.yaml')], [at('files.yaml')], [at('train.yaml')]],
      evaluate: [[at('none.yaml')], [at('held-out.yaml')]],
      study: [[at('none.yaml')], [at('empty')]],
      reconstruct: [[none, at('one.jpg')], [at('empty'), at('one.jpg')], [at('held-out.yaml')]],
      attention: [
        [none, at('one.jpg')],
        [at('empty'), at('one.jpg')],
      ],
      predict: [
        [none, at('pictures')],
        [at('empty'), at('pictures')],
      ],
      embed: [
        [none, at('pictures')],
        [at('empty'), at('pictures')],
      ],
      compare: [[none], [at('empty')], [at('one.jpg')]],
      search: [
        [none, at('one.jpg')],
        [at('empty'), at('one.jpg')],
      ],
      duplicates: [[none], [at('empty')], [at('one.jpg')]],
      inspect: [[none], [at('empty')]],
      export: [[none], [at('empty')]],
      doctor: [['--none']],
    };
    t.same(Object.keys(given).toSorted(), (await commands()).map(({ name }) => name).toSorted(), 'every verb');
    const before = readdirSync(dir).toSorted();
    const output = ['predict', 'embed', 'duplicates'];
    for (const [verb, all] of Object.entries(given)) {
      for (const words of all) {
        const told = await patchstream([
          verb,
          ...words,
          ...(output.includes(verb) ? ['--output', at('runs/out')] : []),
        ]);
        t.equal(told.code, 2, `${verb} ${words.join(' ')}: ${told.err}`);
        t.notMatch(told.out + told.err, /ENOENT|EISDIR|ENOTDIR/, 'in words');
        t.same(readdirSync(dir).toSorted(), before, `${verb} ${words.join(' ')}`);
      }
    }
  },
);

/** A file of safetensors, whatever it says. */
function safetensors(header: object, body = Buffer.alloc(16)): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, body]);
}

t.test(
  'in the place of weights: another kind of file ends with 2, a damaged one with 1, each named once',
  async (t) => {
    const tensor = (bytes: number) => ({ 'norm.bias': { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] } });
    const dir = t.testdir({ empty: '', 'empty.safetensors': '', folder: {}, photos: {} });
    await pictureFolder(join(dir, 'photos'), 1);
    const at = (name: string) => join(dir, name);
    writeFileSync(at('picture.safetensors'), readFileSync(at('photos/00000.jpg')));
    writeFileSync(at('lies.safetensors'), safetensors(tensor(4_000_000)));
    writeFileSync(at('long.safetensors'), safetensors(tensor(8)));
    writeFileSync(at('cut.safetensors'), safetensors(tensor(16)).subarray(0, 40));
    writeFileSync(at('head.safetensors'), safetensors({ 'norm.bias': { dtype: 'F32' } }));
    writeFileSync(at('none.safetensors'), safetensors({}, Buffer.alloc(0)));
    writeFileSync(at('other.safetensors'), safetensors({ head: tensor(16)['norm.bias'] }));
    writeFileSync(at('whole.safetensors'), safetensors(tensor(16)));
    const told = async (...words: readonly string[]) => {
      const { code, out, err } = await patchstream(words);
      t.notMatch(err, /: [A-Z]+_[A-Z]+: /, `${words.join(' ')}: one code`);
      return { code, out, err };
    };
    for (const name of ['photos/00000.jpg', 'picture.safetensors', 'empty', 'empty.safetensors'])
      for (const verb of [['export'], ['predict', at('photos')], ['embed', at('photos')]]) {
        const [first, ...rest] = verb as [string, ...string[]];
        t.match(
          await told(first, at(name), ...rest),
          { code: 2, err: /^WEIGHTS_BROKEN.*a file of another kind/ },
          name,
        );
      }
    for (const name of ['lies', 'long', 'cut', 'head'])
      for (const verb of [['export'], ['inspect'], ['predict', at('photos')]]) {
        const [first, ...rest] = verb as [string, ...string[]];
        const found = await told(first, at(`${name}.safetensors`), ...rest);
        t.match(found, { code: 1, err: new RegExp(`^SAFETENSORS_INVALID: \\S*${name}\\.safetensors: `) }, name);
      }
    t.match(await told('export', at('none.safetensors')), { code: 2, err: /^WEIGHTS_BROKEN.*a file without tensors/ });
    t.match(await told('export', at('other.safetensors'), '--encoder'), { code: 2, err: /^EXPORT_ENCODER/ });
    t.match(await told('export', at('folder')), { code: 2, err: /^CHECKPOINT_NONE/ });
    t.match(await told('predict', at('whole.safetensors'), at('photos')), { code: 2, err: /^TRAINED_UNKNOWN/ });
    for (const name of ['photos/00000.jpg', 'empty', 'folder'])
      t.match(await told('inspect', at(name)), { code: 2, err: /^INSPECT_NOTHING.* of another kind/ });
    for (const name of ['photos/00000.jpg', 'empty', 'folder', 'lies.safetensors'])
      t.match(await told('describe', at(name)), { code: 2, err: /a pipeline file must be .*\[PIPELINE_FILE\]/ });
    t.notOk(existsSync(at('model.safetensors')), 'nothing is written');
  },
);

t.test(
  'an empty text, which would be the current folder, is refused by each verb, before anything is done',
  async (t) => {
    const photos = join(t.testdir({ photos: {} }), 'photos');
    for (const { name } of await commands())
      t.match(await patchstream([name, '', photos]), { code: 2, err: /^ARGUMENT.*empty text in the place of/ }, name);
    for (const option of ['--output', '--sheet'])
      for (const args of [[option, ''], [`${option}=`]]) {
        const { code, err } = await patchstream(['duplicates', photos, ...args]);
        t.match({ code, err }, { code: 2, err: /^ARGUMENT.*got --(output|sheet) with an empty text/ });
      }
  },
);

t.test('a run that had begun ends with 1; what was in its folder before stays', async (t) => {
  const dir = t.testdir({ photos: { 'a.jpg': 'no picture' }, output: { 'notes.txt': 'mine' } });
  const file = join(dir, 'job.yaml');
  writeFileSync(file, `source: { image-folder: ./photos }\n${chain}output: ./output\n`);
  t.match(await patchstream(['run', file, '--set', 'source.path=none']), { code: 2, err: /FOLDER_MISSING/ });
  t.same(readdirSync(join(dir, 'output')), ['notes.txt']);
  mkdirSync(join(dir, 'mine'));
  const inMine = ['--set', 'source.path=none', '--set', `output=${join(dir, 'mine/a/b')}`];
  t.match(await patchstream(['run', file, ...inMine]), { code: 2 });
  t.same(readdirSync(join(dir, 'mine')), [], 'no more is removed than was made');
  t.match(await patchstream(['run', file]), { code: 1, err: /NOTHING_LEFT|STAGE_BUDGET/ });
  t.ok(existsSync(join(dir, 'output/events.jsonl')));
});

t.test('what does not fit, or would be written over something else, ends with 2, and changes nothing', async (t) => {
  const dir = t.testdir({
    'list.csv': 'file\na.jpg\n',
    output: 'a file',
    mine: { 'pipeline.json': '{"name":"of mine"}' },
    'columns.yaml': `source: { manifest: ./list.csv }\n${chain}output: ./runs/columns\n`,
    'file.yaml': `source: { image-folder: ./pictures }\n${chain}output: ./output\n`,
    'below.yaml': `source: { image-folder: ./pictures }\n${chain}output: ./output/below\n`,
    'other.yaml': `source: { image-folder: ./pictures }\n${chain}output: ./mine\n`,
    'few.yaml': `source: { image-folder: ./pictures }${training.replace('batch: 2, steps: 1', 'batch: 8, epochs: 1')}output: ./runs/few\n`,
    'device.yaml': `source: { image-folder: ./pictures }${training.replace('steps: 1', 'steps: 1, thread: main, device: cuda:9')}output: ./runs/device\n`,
    'classes.yaml': `source: { image-folder: { path: ./classes, labels: true } }
stages: [decode, { resize: 32 }]
train: { model: { classifier: { encoder: mae, size: nano, patch: 8, classes: 2 } }, batch: 2, steps: 1 }
output: ./runs/classes
`,
  });
  await pictureFolder(join(dir, 'pictures'), 2);
  await labelledFolder(join(dir, 'classes'), 3);
  const at = (name: string) => join(dir, name);
  const before = readdirSync(dir).toSorted();
  const cases: readonly (readonly [words: readonly string[], code: RegExp])[] = [
    [['run', at('columns.yaml')], /TABLE_COLUMN/],
    [['run', at('file.yaml')], /OUTPUT_FOLDER/],
    [['run', at('below.yaml')], /OUTPUT_FOLDER/],
    [['run', at('other.yaml')], /OUTPUT_OTHER/],
    [['run', at('few.yaml')], /TRAIN_TOO_FEW/],
    [['run', at('classes.yaml')], /LABEL_CLASSES/],
    [['run', at('device.yaml')], /DEVICE_MISSING/],
    [['evaluate', at('few.yaml')], /EVALUATE_MISSING/],
    [['duplicates', at('pictures'), '--output', at('output')], /OUTPUT_FOLDER/],
    [['duplicates', at('pictures'), '--output', at('mine')], /OUTPUT_OTHER/],
  ];
  for (const [words, expected] of cases) {
    const told = await patchstream(words);
    t.match(told, { code: 2, err: expected }, `${words.join(' ')}: ${told.err}`);
    t.same(readdirSync(dir).toSorted(), before, words.join(' '));
  }
});

t.test('the same error is another one after the beginning', (t) => {
  const missing = fail('FOLDER_MISSING', { path: '/none', advice: '' });
  t.same([exitOf(missing, { begun: false }), exitOf(missing, { begun: true })], [2, 1]);
  const file = (code: string) =>
    fail('FILE_UNREADABLE', { file: 'a', reason: '' }, { cause: Object.assign(new Error(), { code }) });
  t.same(
    ['ENOENT', 'EISDIR', 'EEXIST', 'EACCES', 'EIO'].map((code) => exitOf(file(code), { begun: false })),
    [2, 2, 2, 1, 1],
  );
  t.equal(exitOf(new Error('none of ours'), { begun: false }), 1);
  t.end();
});
