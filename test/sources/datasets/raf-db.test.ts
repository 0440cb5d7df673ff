import { join } from 'node:path';
import t from 'tap';
import { rafDb } from '../../../src/sources/datasets/raf-db.ts';
import { rafDbExample } from '../../kit/datasets/examples.ts';
import { openExample } from '../../kit/datasets/mutate.ts';
import { writeFiles } from '../../kit/files/folder.ts';

const signal = new AbortController().signal;
const list = 'EmoLabel/list_patition_label.txt';

async function open(t: import('tap').Test, change: (text: string) => string = (text) => text, options = {}) {
  const root = t.testdir({});
  const { files } = await rafDbExample();
  writeFiles(join(root, 'data'), { ...files, [list]: change(files[list] as string) });
  return openExample({ source: rafDb, options }, root);
}

t.test('a sample for each line: every byte and label as published, in the parts that names say', async (t) => {
  const { files, labels } = await rafDbExample();
  for (const change of [
    (text: string) => text,
    (text: string) => text.replaceAll('\n', '\r\n'),
    (text: string) => text.trimEnd(),
  ]) {
    const source = await open(t, change);
    const samples = await Promise.all(
      Array.from({ length: source.count }, async (_, i) => [source.key(i), await source.read(i, signal)] as const),
    );
    t.same(
      samples.map(([key, { label }]) => [key, label]),
      [...labels],
    );
    for (const [key, { bytes }] of samples)
      t.same(Buffer.from(bytes as Uint8Array), files[`Image/aligned/${key.replace('.jpg', '_aligned.jpg')}`]);
    t.same([source.classNames?.[0], source.classNames?.[6]], ['surprise', 'neutral']);
    t.same(source.classCounts, [3, 3, 3, 3, 3, 3, 3]);
  }
  const [train, test] = [await open(t, undefined, { part: 'train' }), await open(t, undefined, { part: 'test' })];
  t.same([train.count, test.count], [14, 7]);
  t.same([train.key(13), test.key(0)], ['train_00014.jpg', 'test_0001.jpg']);
  t.match(test.passedOver, [{ reason: 'part', count: 14 }]);
});

t.test('lines that are none are refused by their number', async (t) => {
  for (const line of [
    'train_00001.jpg 1',
    'train_00099.jpg 0',
    'train_00099.jpg 8',
    'train_00099.jpg  1',
    'train_00099.jpg 1 2',
    'train_00099.jpg',
    'train_00099.jpg 1.0',
    'train_0099.jpg 1',
    'test_00099.jpg 1',
    'val_0099.jpg 1',
    '../train_00099.jpg 1',
    'train_00099_aligned.jpg 1',
    '\xff 1',
  ]) {
    const change = (text: string) => text.replace('\n', `\n${line}\n`);
    await t.rejects(open(t, change), { code: 'RAF_LINE', message: /label\.txt: line 2 / }, line);
  }
  await t.rejects(
    open(t, (text) => `\n${text}train_00001.jpg 2\n`),
    { message: /line 23 .*which is line 2 already/ },
  );
  await t.rejects(
    open(t, () => '\n'),
    { code: 'RAF_EMPTY' },
  );
  await t.rejects(
    open(t, () => 'train_00001.jpg 1\n', { part: 'test' }),
    { code: 'RAF_EMPTY', message: /test; got 1 face/ },
  );
  await t.rejects(openExample({ source: rafDb }, t.testdir({})), { code: 'FILE_UNREADABLE' });
});

t.test('a face that is not there fails alone', async (t) => {
  const source = await open(t, (text) => `${text}test_0099.jpg 1\n`);
  await t.rejects(async () => source.read(21, signal), { code: 'FILE_UNREADABLE' });
  const small = await open(t, undefined, { maxBytes: 10 });
  await t.rejects(async () => small.read(0, signal), { code: 'FILE_LARGE' });
});

t.test('spec and options', async (t) => {
  const { options, spec } = rafDb.definition;
  t.same(spec(options.parse({ path: 'a' })).fields, { bytes: 'bytes', label: { dtype: 'int32', shape: [] } });
  for (const given of [{}, { path: '' }, { path: 'a', part: 'val' }, { path: 'a', maxBytes: 0 }])
    t.notOk(options.safeParse(given).success);
});
