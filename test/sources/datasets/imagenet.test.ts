import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { imagenet } from '../../../src/sources/datasets/imagenet.ts';
import { type ImagenetShape, imagenetExample, synsetsOf } from '../../kit/datasets/examples.ts';
import { openExample } from '../../kit/datasets/mutate.ts';
import { writeFiles } from '../../kit/files/folder.ts';

const signal = new AbortController().signal;
const classes = 5;
const wnids = synsetsOf(classes).map(({ wnid }) => wnid);
const kit = 'ILSVRC2012_devkit_t12/data';
type Files = Record<string, Uint8Array | string>;

interface Given extends ImagenetShape {
  readonly change?: (files: Files) => void;
  readonly options?: object;
  readonly folders?: readonly string[];
}

async function open(t: import('tap').Test, { change = () => {}, options = {}, folders = [], ...shape }: Given = {}) {
  const root = t.testdir({});
  const files = { ...(await imagenetExample(shape)).files };
  change(files);
  writeFiles(join(root, 'data'), files);
  for (const folder of folders) mkdirSync(join(root, 'data', folder), { recursive: true });
  return openExample({ source: imagenet, options: { classes, ...options } }, root);
}

function emptyAll(files: Files) {
  for (const path of Object.keys(files)) delete files[path];
}

async function samplesOf(source: Awaited<ReturnType<typeof open>>) {
  return Promise.all(
    Array.from(
      { length: source.count },
      async (_, i) => [source.key(i), (await source.read(i, signal)).label] as const,
    ),
  );
}

t.test('the parts by folders, and the validation by the numbers of the devkit: every label as it was', async (t) => {
  const shapes: readonly ImagenetShape[] = [
    {},
    { val: 'folders' },
    { val: 'folders', devkit: false },
    { characters: 'utf16', deflate: false },
  ];
  for (const shape of shapes) {
    const { files, labels } = await imagenetExample(shape);
    for (const part of ['train', 'val'] as const) {
      const source = await open(t, { ...shape, options: { part } });
      const samples = await samplesOf(source);
      t.equal(samples.length, part === 'train' ? 15 : 8);
      for (const [key, label] of samples) t.equal(label, labels.get(key), `${part} ${key}`);
      t.same(Buffer.from((await source.read(3, signal)).bytes as Uint8Array), files[`${part}/${source.key(3)}`]);
      t.same(source.classNames, wnids, 'the synsets in sorted order');
      t.same(source.classCounts, part === 'train' ? [3, 3, 3, 3, 3] : [2, 2, 1, 2, 1]);
    }
  }
  t.not(synsetsOf(classes)[0]!.id, 1, 'numbers of the devkit are no ranks');
});

t.test('a devkit that lies elsewhere', async (t) => {
  const change = (files: Files) => {
    for (const name of ['meta.mat', 'ILSVRC2012_validation_ground_truth.txt']) {
      files[`kit/data/${name}`] = files[`${kit}/${name}`]!;
      delete files[`${kit}/${name}`];
    }
  };
  const part = 'val';
  t.equal((await open(t, { change, options: { part, devkit: 'data/kit' } })).count, 8);
  await t.rejects(open(t, { change, options: { part } }), {
    code: 'IMAGENET_FORMAT',
    message: /folder for each class, or/,
  });
  for (const devkit of ['none', 'x'.repeat(5000)])
    await t.rejects(open(t, { options: { part, devkit } }), { code: 'FILE_UNREADABLE' });
  const tars = (files: Files) => {
    for (const path of Object.keys(files)) if (path.startsWith('train/')) delete files[path];
    files[`train/${wnids[0]}.tar`] = '';
  };
  await t.rejects(open(t, { change: tars }), { code: 'IMAGENET_FORMAT', message: /\.tar/ });
});

t.test('a class that is empty keeps its label; one that is missing or too much is an error', async (t) => {
  const emptied = (files: Files) => {
    for (const path of Object.keys(files)) if (path.startsWith(`train/${wnids[1]}`)) delete files[path];
  };
  for (const devkit of [true, false]) {
    const given = { devkit, val: 'folders' as const, change: emptied };
    const source = await open(t, { ...given, folders: [`train/${wnids[1]}`] });
    const { labels } = await imagenetExample();
    for (const [key, label] of await samplesOf(source)) t.equal(label, labels.get(key), key);
    t.same(source.classCounts, [3, 0, 3, 3, 3]);
    const refused = { code: 'IMAGENET_CLASSES', message: new RegExp(wnids[1]!) };
    await t.rejects(open(t, given), refused, 'missing');
    for (const extra of ['n00000001', 'n99999999'])
      await t.rejects(
        open(t, { ...given, change: () => {}, folders: [`train/${extra}`] }),
        { code: 'IMAGENET_CLASSES', message: new RegExp(extra) },
        'too much',
      );
    const both = open(t, { ...given, folders: ['train/n99999999'] });
    await t.rejects(both, { code: 'IMAGENET_CLASSES', message: new RegExp(wnids[1]!) }, 'one for another');
  }
  const last = {
    change: (files: Files) => {
      for (const path of Object.keys(files)) if (path.startsWith(`train/${wnids[4]}`)) delete files[path];
    },
  };
  await t.rejects(open(t, last), { code: 'IMAGENET_CLASSES', message: /4 classes, without n/ });
  await t.rejects(
    open(t, { ...last, options: { part: 'val' } }),
    { code: 'IMAGENET_CLASSES' },
    'folders beside a list',
  );
  await t.rejects(open(t, { devkit: false, options: { classes: 1000 } }), {
    code: 'IMAGENET_CLASSES',
    message: /1,000 classes.*got 5/,
  });
  await t.rejects(open(t, { options: { classes: 1000, part: 'val' } }), { code: 'IMAGENET_CLASSES' });
});

t.test('folders and files that are named otherwise', async (t) => {
  const refused = (message: RegExp, given: Given) =>
    t.rejects(open(t, given), { code: 'IMAGENET_FORMAT', message }, String(message));
  await refused(/named as n01440764.*got tench/, { folders: ['train/tench'] });
  const [first, second] = wnids as [string, string];
  await refused(/outside/, { change: (files) => (files['train/a.JPEG'] = '') });
  await refused(/folder of its class/, { change: (files) => (files[`train/${first}/${second}_1.JPEG`] = '') });
  const val = { options: { part: 'val' } };
  await refused(/got ILSVRC2012_val_00000009/, {
    ...val,
    change: (files) => (files['val/ILSVRC2012_val_00000009.JPEG'] = ''),
  });
  await refused(/got ILSVRC2012_val_00000008\.jpg/, {
    ...val,
    change: (files) => (files['val/ILSVRC2012_val_00000008.jpg'] = ''),
  });
  await refused(/got a\.JPEG/, { ...val, change: (files) => (files['val/a.JPEG'] = '') });
  await refused(/8 pictures.*no number 3/, {
    ...val,
    change: (files) => delete files['val/ILSVRC2012_val_00000003.JPEG'],
  });
  await t.rejects(open(t, { change: emptyAll, folders: ['train'] }), {
    code: 'IMAGENET_FORMAT',
    message: /have pictures \(.*\.jpeg.*\) in train; got an empty folder/,
  });
  await t.rejects(
    open(t, { options: { maxBytes: 10 } }).then((source) => source.read(0, signal)),
    { code: 'FILE_LARGE' },
  );
});

t.test('a list of the devkit that is damaged, by line', async (t) => {
  const change = (list: string) => (files: Files) => (files[`${kit}/ILSVRC2012_validation_ground_truth.txt`] = list);
  for (const [list, line] of [
    ['1\n2\n\n4\n5\n1\n2\n3\n', 3],
    ['1\n2\n6\n4\n5\n1\n2\n3\n', 3],
    ['0\n2\n3\n4\n5\n1\n2\n3', 1],
    ['1\n2\n3\n4\n5\n1\n2\nx\n', 8],
    ['1\n2\n3\n4\n5\n1\n2 \n3\n', 7],
    ['', 1],
  ] as const) {
    const message = new RegExp(`ground_truth\\.txt: line ${line} `);
    await t.rejects(open(t, { options: { part: 'val' }, change: change(list) }), { code: 'IMAGENET_LINE', message });
  }
  const short = open(t, { options: { part: 'val' }, change: change('1\n2\n3\n') });
  await t.rejects(short, { code: 'IMAGENET_FORMAT' }, 'fewer lines than pictures');
  t.equal(
    (await open(t, { options: { part: 'val' }, change: change('1\r\n2\r\n3\r\n4\r\n5\r\n1\r\n2\r\n3\r\n') })).count,
    8,
  );
});

t.test('spec and options', async (t) => {
  const { options, spec } = imagenet.definition;
  t.match(spec(options.parse({ path: 'a' })).fields, { bytes: 'bytes', label: { dtype: 'int32', shape: [] } });
  for (const given of [
    {},
    { path: '' },
    { path: 'a', part: 'test' },
    { path: 'a', classes: 1 },
    { path: 'a', devkit: '' },
  ])
    t.notOk(options.safeParse(given).success);
});
