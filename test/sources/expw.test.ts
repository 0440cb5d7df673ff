import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { expw } from '../../src/sources/expw.ts';

const { definition } = expw;
const signal = new AbortController().signal;

const lines = [
  'angry actor_1.jpg 0 10 20 120 130 61.5 0',
  'angry actor_1.jpg 1 0 0 79 200 12 3',
  'b.jpg 0 5 6 90 91 30 6',
  'c.jpg 2 -4 -3 200 100 30 4',
];

async function open(t: import('tap').Test, list: string | undefined, more = {}) {
  const base = t.testdir({});
  mkdirSync(join(base, 'expw/image/origin'), { recursive: true });
  mkdirSync(join(base, 'expw/label'));
  for (const name of ['angry actor_1.jpg', 'b.jpg']) writeFileSync(join(base, 'expw/image/origin', name), name);
  if (list !== undefined) writeFileSync(join(base, 'expw/label/label.lst'), list);
  return definition.open(definition.options.parse({ path: 'expw', ...more }), { base, signal, progress() {} });
}

t.test('a sample for each face that is large enough: photo, box, expression', async (t) => {
  const source = await open(t, `${lines.join('\n')}\n`);
  t.equal(source.count, 3, 'one face is 79 px wide');
  t.same([source.classNames?.length, source.classNames?.[3]], [7, 'happy']);
  t.same([0, 1, 2].map(source.key), ['angry actor_1.jpg/0', 'b.jpg/0', 'c.jpg/2']);
  const { bytes, box, label } = await source.read(0, signal);
  t.same(
    [Buffer.from(bytes as Uint8Array).toString(), [...(box as Int32Array)], label],
    ['angry actor_1.jpg', [20, 10, 100, 120], 0],
  );
  await t.rejects(async () => source.read(2, signal), { code: 'FILE_UNREADABLE' });
  t.equal((await open(t, lines.join('\r\n'), { minSide: 1 })).count, 4, 'with the line ends of other systems');
  await t.rejects(open(t, lines.join('\n'), { minSide: 1000 }), { code: 'EXPW_EMPTY', message: /4 faces/ });
});

t.test('the parts are made by photo, a fifth for testing', async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => `photo${i >> 1}.jpg ${i % 2} 0 0 100 100 1 2`).join('\n');
  const [train, test] = [await open(t, many, { part: 'train' }), await open(t, many, { part: 'test' })];
  t.equal(train.count + test.count, 1000);
  t.ok(test.count > 140 && test.count < 260, `${test.count} of 1000`);
  const photosOf = (source: typeof train) =>
    new Set(Array.from({ length: source.count }, (_, i) => source.key(i).split('/')[0]!));
  const trained = photosOf(train);
  t.notOk(
    [...photosOf(test)].some((photo) => trained.has(photo)),
    'no photo is in both',
  );
});

t.test('a list that is missing, and lines that are none', async (t) => {
  await t.rejects(open(t, undefined), { code: 'FILE_UNREADABLE' });
  await t.rejects(open(t, ''), { code: 'EXPW_EMPTY' });
  for (const line of [
    'a.jpg 0 10 20 120 130 61.5',
    'a.jpg 0 10 20 120 130 61.5 7',
    'a.jpg 0 10 20 20 130 61.5 1',
    'a.jpg 0 10 x 120 130 61.5 1',
    'a.jpg 0 10 1.5 120 130 61.5 1',
    'a.jpg 0 10 20 120 130 Infinity 1',
    'a.jpg 0 10 20 120 130  1',
    'a.jpg 0 10 4294967316 4294967416 130 61.5 1',
    '../../etc/passwd 0 10 20 120 130 1 1',
    '.. 0 10 20 120 130 1 1',
    'a\\b.jpg 0 10 20 120 130 1 1',
  ])
    await t.rejects(open(t, `${lines[0]}\n${line}`), { code: 'EXPW_LINE', message: /label\.lst: line 2/ }, line);
});

t.test('spec and options', async (t) => {
  t.same(definition.spec(definition.options.parse({ path: 'a' })).fields, {
    bytes: 'bytes',
    box: { dtype: 'int32', shape: [4] },
    label: { dtype: 'int32', shape: [] },
  });
  for (const options of [{}, { path: '' }, { path: 'a', part: 'val' }, { path: 'a', minSide: 0 }])
    t.notOk(definition.options.safeParse(options).success);
});
