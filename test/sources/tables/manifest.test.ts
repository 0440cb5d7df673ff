import fc from 'fast-check';
import t from 'tap';
import { manifest } from '../../../src/sources/tables/manifest.ts';
import { writeFiles } from '../../kit/files/folder.ts';

const { definition } = manifest;
const signal = new AbortController().signal;

async function open(t: import('tap').Test, files: Readonly<Record<string, string | Uint8Array>>, more = {}) {
  const base = t.testdir({});
  writeFiles(base, files);
  const [file] = Object.keys(files);
  return definition.open(definition.options.parse({ file, ...more }), { base, signal, progress() {} });
}

type Opened = Awaited<ReturnType<typeof open>>;
const keysOf = ({ count, key }: Opened) => Array.from({ length: count }, (_, index) => key(index));
const labelsOf = async ({ count, read }: Opened) =>
  Promise.all(Array.from({ length: count }, async (_, index) => (await read(index, signal)).label));

const csv = ['path,label,split', 'a.jpg,happy,train', '"b,1.jpg",sad,train', 'c/d.jpg,angry,test', 'a.jpg,sad,train'];
const pictures = { 'a.jpg': 'A', 'b,1.jpg': 'B', 'c/d.jpg': 'D' };

t.test('a sample for each row of a CSV, in its order: file, label by name, keys of rows of one file', async (t) => {
  const files = { 'list.csv': `\uFEFF${csv.join('\r\n')}\r\n\r\n`, ...pictures };
  const source = await open(t, files, { labels: true });
  t.same(keysOf(source), ['a.jpg', 'b,1.jpg', 'c/d.jpg', 'a.jpg#2']);
  t.same(
    [source.classNames, source.classCounts],
    [
      ['angry', 'happy', 'sad'],
      [1, 1, 2],
    ],
  );
  t.same(await labelsOf(source), [1, 2, 0, 2]);
  t.equal(Buffer.from((await source.read(2, signal)).bytes as Uint8Array).toString(), 'D');
  t.same([source.subject?.(0), source.subject?.(3)], ['a.jpg', 'a.jpg'], 'rows of one file are in one fold');
});

t.test('JSON Lines, TSV, no header, another delimiter and other columns say the same', async (t) => {
  const expected = [
    ['a.jpg', 'b,1.jpg', 'c/d.jpg', 'a.jpg#2'],
    [1, 2, 0, 2],
  ];
  const rows = [
    ['a.jpg', 'happy'],
    ['b,1.jpg', 'sad'],
    ['c/d.jpg', 'angry'],
    ['./c/../a.jpg', 'sad'],
  ] as const;
  const same = async (list: Readonly<Record<string, string>>, more = {}) => {
    const source = await open(t, { ...list, ...pictures }, { labels: true, ...more });
    t.same([keysOf(source), await labelsOf(source)], expected, Object.keys(list)[0]);
  };
  const lines = (join: string) => rows.map((row) => row.join(join)).join('\n');
  await same({ 'l.jsonl': rows.map(([path, label]) => JSON.stringify({ path, label })).join('\n\n') });
  await same({ 'l.tsv': `path\tlabel\n${lines('\t')}` });
  await same({ 'l.csv': lines(';') }, { header: ['path', 'label'], delimiter: ';' });
  await same(
    { 'l.txt': `label file\n${rows.map(([path, label]) => `${label} ${path}`).join('\r')}` },
    {
      ...{ format: 'csv', delimiter: ' ', columns: { path: 'file' } },
    },
  );
  const deep = { 'lists/l.csv': `path,label\n../c/d.jpg,x\nlists/../a.jpg,y`, 'c/d.jpg': 'D', 'lists/a.jpg': 'A' };
  t.same(keysOf(await open(t, deep)), ['../c/d.jpg', 'a.jpg']);
  const rooted = await open(t, deep, { root: './c' });
  t.same([rooted.key(0), Buffer.from((await rooted.read(0, signal)).bytes as Uint8Array).toString()], ['d.jpg', 'D']);
});

t.test('only the rows of a split; a class has one number in all of them', async (t) => {
  const files = { 'list.csv': csv.join('\n'), ...pictures };
  const train = await open(t, files, { labels: true, split: 'train' });
  t.same(keysOf(train), ['a.jpg', 'b,1.jpg', 'a.jpg#2']);
  t.same(
    [train.classNames, train.classCounts],
    [
      ['angry', 'happy', 'sad'],
      [0, 1, 2],
    ],
    'a class without rows keeps its number',
  );
  t.same(train.passedOver, [{ reason: 'split', count: 1, example: 'c/d.jpg' }]);
  const test = await open(t, files, { labels: true, split: 'test' });
  t.same(await labelsOf(test), [0]);
  const unlabelled = ['path,label,split', 'a.jpg,1,train', 'c/d.jpg,,test'].join('\n');
  t.same(await labelsOf(await open(t, { 'l.csv': unlabelled, ...pictures }, { labels: true, split: 'train' })), [1]);
  await t.rejects(open(t, files, { split: 'val' }), { code: 'TABLE_EMPTY', message: /train \(3\), test \(1\)/ });
});

t.test(
  'a label never shifts: numbers stay, names are those of `classes`, what could be either is refused',
  async (t) => {
    const labelled = (labels: readonly string[]) => ({
      'l.csv': `path,label\n${labels.map((label, i) => `${i}.jpg,${label}`).join('\n')}`,
      ...Object.fromEntries(labels.map((_, i) => [`${i}.jpg`, ''])),
      'classes.txt': 'neutral\nangry\nhappy\n',
    });
    const labelsIn = async (labels: readonly string[], more = {}) =>
      labelsOf(await open(t, labelled(labels), { labels: true, ...more }));
    t.same(await labelsIn(['2', '10', '9']), [2, 10, 9], 'not by their ranks as texts');
    t.same((await open(t, labelled(['3', '1']), { labels: true })).classNames, ['0', '1', '2', '3']);
    const classes = ['neutral', 'angry', 'happy'];
    for (const more of [{ classes }, { classes: './classes.txt' }]) {
      t.same(await labelsIn(['happy', 'angry'], more), [2, 1], 'with a class that no row has');
      t.same(await labelsIn(['2', 'angry'], more), [2, 1]);
      await t.rejects(labelsIn(['happy', 'hapy'], more), {
        code: 'TABLE_ROW',
        message: /line 3: the label hapy.*mean happy/,
      });
      await t.rejects(labelsIn(['3'], more), { code: 'TABLE_ROW', message: /3 classes.*the label 3/ });
    }
    t.same(await labelsIn(['20', '10'], { classes: ['10', '20'] }), [1, 0], 'names that are numbers are names');
    await t.rejects(labelsIn(['1'], { classes: ['10', '20'] }), { code: 'TABLE_ROW' });
    t.same(await labelsIn(['caf\u00e9', 'cafe\u0301', 'bar']), [1, 1, 0], 'in whatever spelling of Unicode');
    t.same(await labelsIn(['A', 'a', '001.Albatross']), [1, 2, 0]);
    for (const labels of [
      ['1', 'x'],
      ['1', '01'],
      ['1.0', '10.0'],
      ['-1', '1'],
      ['x', '1e3'],
    ])
      await t.rejects(labelsIn(labels), { code: 'TABLE_LABELS', message: /in line \d/ }, String(labels));
    for (const labels of [
      ['a', ''],
      ['1', '65536'],
      ['x', '" "'],
    ])
      await t.rejects(labelsIn(labels), { code: 'TABLE_ROW' });
    for (const classes of [
      ['a', 'a'],
      ['a', ''],
      ['caf\u00e9', 'cafe\u0301'],
    ])
      await t.rejects(labelsIn(['a'], { classes }), { code: 'TABLE_CLASSES' }, String(classes));
    await t.rejects(open(t, { 'l.jsonl': '{"path":"a.jpg","label":1.5}' }, { labels: true }), {
      code: 'TABLE_ROW',
      message: /1\.5/,
    });
    await t.rejects(open(t, { 'l.jsonl': '{"path":"a.jpg"}' }, { labels: true }), {
      code: 'TABLE_ROW',
      message: /line 1: no label/,
    });
  },
);

t.test('property: names and numbers come out as they went in, whatever the order of the rows', async (t) => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 6 })
    .filter((text) => text.trim() !== '' && !Number.isFinite(Number(text)));
  const written = fc.oneof(fc.array(fc.nat(300), { minLength: 1 }), fc.array(name, { minLength: 1 }));
  await fc.assert(
    fc.asyncProperty(written, async (labels) => {
      const source = await open(
        t,
        {
          'l.jsonl': labels.map((label, i) => JSON.stringify({ path: `p${i}`, label })).join('\n'),
          ...Object.fromEntries(labels.map((_, i) => [`p${i}`, ''])),
        },
        { labels: true },
      );
      const names = (await labelsOf(source)).map((label) => source.classNames![label as number]);
      t.same(
        names,
        labels.map((label) => String(label).normalize('NFC')),
      );
    }),
    { numRuns: 30 },
  );
});

t.test('boxes by size or corners, of one column or four; fields of numbers, lists and text', async (t) => {
  const list = ['path,x,y,w,h,age,points,who', 'a.jpg,10.4,20,30,40.2,3.5,"[1, 2]",ann', 'a.jpg,-2,0,4,4,4,7 8,'].join(
    '\n',
  );
  const more = {
    boxes: true,
    columns: { box: ['x', 'y', 'w', 'h'] },
    fields: {
      age: { dtype: 'float32' },
      at: { dtype: 'int32', shape: [2], column: 'points' },
      who: { dtype: 'text' },
    },
  };
  const source = await open(t, { 'l.csv': list, ...pictures }, more);
  const samples = await Promise.all([0, 1].map((index) => source.read(index, signal)));
  t.same(
    samples.map(({ box, age, at, who }) => [[...(box as Int32Array)], age, [...(at as Int32Array)], who]),
    [
      [[10, 20, 30, 40], 3.5, [1, 2], 'ann'],
      [[-2, 0, 4, 4], 4, [7, 8], ''],
    ],
  );
  const jsonl = '{"path":"a.jpg","box":[1,2,11,22.4],"ok":true}';
  const corners = await open(
    t,
    { 'l.jsonl': jsonl, ...pictures },
    { boxes: true, boxForm: 'corners', fields: { ok: { dtype: 'uint8' } } },
  );
  const { box, ok } = await corners.read(0, signal);
  t.same([[...(box as Int32Array)], ok], [[1, 2, 10, 20], 1]);
  for (const box of ['1,2,3', '[1,2,0,4]', '[1,2,0.2,0.3]', '["a",2,3,4]', 'null', '[1,2,1e12,3]'])
    await t.rejects(
      open(t, { 'l.jsonl': `\n{"path":"a.jpg","box":${box.startsWith('1') ? `"${box}"` : box}}` }, { boxes: true }),
      {
        code: 'TABLE_ROW',
        message: /l\.jsonl: .*in line 2/,
      },
    );
  for (const [cell, field] of [
    ['x', { dtype: 'int32' }],
    ['1.5', { dtype: 'int32' }],
    ['300', { dtype: 'uint8' }],
    ['', { dtype: 'float32' }],
    ['"1,2"', { dtype: 'int32', shape: [3] }],
    ['1e99', { dtype: 'float32' }],
  ] as const)
    await t.rejects(
      open(t, { 'l.csv': `path,n\na.jpg,${cell}` }, { fields: { n: field } }),
      { code: 'TABLE_ROW', message: /line 2/ },
      cell,
    );
});

t.test('persons, or whatever a column says, stay in one fold', async (t) => {
  const list = Array.from({ length: 60 }, (_, i) => `${i}.jpg,person${i % 12}`);
  const files = { 'l.csv': ['path,who', ...list].join('\n') };
  const personsOf = async (more: object) => {
    const source = await open(t, files, { columns: { subject: 'who' }, ...more });
    return new Set(keysOf(source).map((key) => Number(key.split('.')[0]) % 12));
  };
  const [one, rest] = [await personsOf({ fold: '1/3' }), await personsOf({ without: '1/3' })];
  t.equal(one.size + rest.size, 12);
  t.ok(one.size > 0 && ![...one].some((person) => rest.has(person)));
});

t.test('lists that are malformed say the file and the line', async (t) => {
  const refused = async (text: string | Uint8Array, code: string, message: RegExp, more = {}, name = 'l.csv') =>
    t.rejects(open(t, { [name]: text }, more), { code, message }, String(message));
  await refused('path,label\na.jpg,1\n"b.jpg,2\nc,3', 'MANIFEST_BROKEN', /l\.csv: .*line 3: Quote Not Closed/);
  await refused('path,label\na.jpg', 'MANIFEST_BROKEN', /comma-separated.*line 2: 1 field of 2 columns, \["a\.jpg"\]/);
  await refused('path,label\na.jpg,1,2', 'MANIFEST_BROKEN', /line 2: 3 fields/);
  await refused('', 'MANIFEST_BROKEN', /line 1: no line of column names/);
  await refused(Buffer.from('path\na\nb\xe9.jpg\n', 'latin1'), 'MANIFEST_BROKEN', /line 3: bytes that are no text/);
  await refused(Buffer.from([0x1f, 0x8b, 8, 0, 255]), 'MANIFEST_BROKEN', /a gzip file/);
  await refused('path,path\na,b', 'TABLE_COLUMNS', /path twice/);
  await refused('file,label\na,b', 'TABLE_COLUMN', /column path; got file, label/);
  await refused('path\na', 'TABLE_COLUMN', /column label/, { labels: true });
  await refused('path\na', 'TABLE_COLUMN', /the field age/, { fields: { age: { dtype: 'int32' } } });
  await refused('path\n', 'TABLE_EMPTY', /one row of a picture/);
  for (const path of ['', '.', 'https://a.example/x.jpg', 'a\\0'])
    await refused(JSON.stringify({ path: path.replace('\\0', '\0') }), 'TABLE_ROW', /line 1/, {}, 'l.jsonl');
  await refused('{"path":"a"}\n{"path":', 'MANIFEST_BROKEN', /line 2/, {}, 'l.jsonl');
  await refused('{"path":"a"}\n[1]', 'MANIFEST_BROKEN', /line 2: a list/, {}, 'l.jsonl');
  await refused('null', 'MANIFEST_BROKEN', /line 1: null/, {}, 'l.jsonl');
  await refused('{"__proto__":{"path":"a"}}', 'TABLE_ROW', /nothing/, {}, 'l.jsonl');
  await t.rejects(open(t, { 'other.csv': '' }, { file: 'none.csv' }), { code: 'FILE_UNREADABLE' });
  const source = await open(t, { 'l.csv': 'path\nnone.jpg' });
  await t.rejects(async () => source.read(0, signal), { code: 'FILE_UNREADABLE' });
});

t.test('spec and options', async (t) => {
  const options = definition.options.parse({
    file: 'l.csv',
    labels: true,
    boxes: true,
    fields: { who: { dtype: 'text' }, n: { dtype: 'uint8', shape: [2] } },
  });
  t.same(definition.spec(options).fields, {
    bytes: 'bytes',
    label: { dtype: 'int32', shape: [] },
    box: { dtype: 'int32', shape: [4] },
    who: 'text',
    n: { dtype: 'uint8', shape: [2] },
  });
  t.same(
    [...definition.check!(definition.options.parse({ file: 'list.txt' }))].map(({ error }) => error.code),
    ['MANIFEST_FORM'],
  );
  for (const options of [
    {},
    { file: '' },
    { file: 'a.csv', delimiter: '"' },
    { file: 'a.csv', delimiter: '  ' },
    { file: 'a.csv', fields: { label: { dtype: 'text' } } },
    { file: 'a.csv', columns: { box: ['x'] } },
  ])
    t.notOk(definition.options.safeParse(options).success);
});
