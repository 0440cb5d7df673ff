import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import t from 'tap';
import { BufferPool } from '../../../src/files/buffer-pool.ts';
import { parquet } from '../../../src/sources/tables/parquet.ts';
import { openPicture } from '../../../src/vision/open.ts';
import { writeFiles } from '../../kit/files/folder.ts';
import { serve } from '../../kit/files/server.ts';
import { openSource } from '../../kit/runs/jobs.ts';

const { definition } = parquet;
const signal = new AbortController().signal;
const hub = (written: object) => openSource(definition, written, { base: 'fixtures/parquet' });
const all = { labels: true, boxes: true, fields: { name: { dtype: 'text' } } };
const brightness = async (bytes: unknown) => {
  const { data } = await (await openPicture(Buffer.from(bytes as Uint8Array))).pixels();
  return data[0];
};

t.test(
  "a hub's tables by a pattern: pictures, labels with names, boxes and text of every row, in any order",
  async (t) => {
    const source = await hub({ path: './train-*.parquet', ...all });
    t.equal(source.count, 20);
    t.same(source.classNames, ['cat', 'dog', 'owl']);
    t.same(
      [source.key(0), source.key(8), source.key(19)],
      ['train-00000-of-00003.parquet/0', 'train-00001-of-00003.parquet/0', 'train-00002-of-00003.parquet/5'],
    );
    const order = Array.from({ length: 20 }, (_, i) => (7 * i) % 20);
    await Promise.all(
      order.map(async (i) => {
        const { bytes, label, box, name } = await source.read(i, signal);
        const found = [await brightness(bytes), label, [...(box as Int32Array)], name];
        t.same(found, [i, (7 * i) % 3, [i, 2 * i, 10, 20], ['cat', 'dog', 'owl'][(7 * i) % 3]], `row ${i}`);
      }),
    );
    await source.close?.();
  },
);

t.test('files by name, in a list, of a folder; of another split the classes are the same', async (t) => {
  const test = await hub({ path: 'test-00000-of-00001.parquet', labels: true });
  t.same([test.count, test.classNames, (await test.read(1, signal)).label], [4, ['cat', 'dog', 'owl'], (7 * 21) % 3]);
  t.equal((await hub({ path: '.' })).count, 24);
  t.equal((await hub({ path: ['train-{00000..00001}-of-00003.parquet', 'test-*.parquet'] })).count, 18);
  t.same(Object.keys(await (await hub({ path: '.' })).read(0, signal)), ['bytes'], 'what is not asked for is not read');
});

t.test(
  'labels keep their names: by `classes` in another order, by a column of names, and never of other classes',
  async (t) => {
    const nameOf = async (written: object, index: number) => {
      const source = await hub({ path: 'train-*.parquet', labels: true, ...written });
      const { label } = await source.read(index, signal);
      return source.classNames![label as number];
    };
    const names = ['cat', 'dog', 'owl'];
    for (const index of [0, 1, 2, 9, 17]) {
      for (const written of [
        {},
        { classes: ['owl', 'bat', 'cat', 'dog'] },
        { columns: { label: 'name' } },
        { columns: { label: 'name' }, classes: ['owl', 'dog', 'cat'] },
      ])
        t.equal(await nameOf(written, index), names[(7 * index) % 3]);
    }
    await t.rejects(hub({ path: 'train-*.parquet', labels: true, classes: ['cat', 'dog'] }), {
      code: 'TABLE_CLASSES_OTHER',
      message: /class owl/,
    });
    await t.rejects(
      hub({ path: 'train-*.parquet', labels: true, classes: ['cat', 'dog'], columns: { label: 'name' } }),
      { code: 'TABLE_ROW', message: /row 2: the label owl/ },
    );
  },
);

/** A file of one row group in the form of a hub: made by the package that our sink writes with. */
function table(
  rows: readonly { image?: Uint8Array | null; label?: unknown }[],
  {
    names,
    more = [],
    packed = 'SNAPPY',
  }: { names?: readonly unknown[]; more?: ColumnSource[]; packed?: 'SNAPPY' | 'UNCOMPRESSED' } = {},
) {
  const labels = rows.map(({ label }) => label);
  const type = labels.some((label) => typeof label === 'string') ? 'STRING' : 'INT64';
  const huggingface = JSON.stringify({ info: { features: { label: { names, _type: 'ClassLabel' } } } });
  return Buffer.from(
    parquetWriteBuffer({
      columnData: [
        { name: 'image', data: rows.map(({ image }) => image ?? null) as never, type: 'BYTE_ARRAY' },
        ...(labels.every((label) => label === undefined)
          ? []
          : [{ name: 'label', type, data: labels as never } as ColumnSource]),
        ...more,
      ],
      codec: packed,
      pageSize: 64,
      ...(names && { kvMetadata: [{ key: 'huggingface', value: huggingface }] }),
    }),
  );
}

const image = Buffer.from('a picture, as far as the source knows');
const ofFiles = (t: import('tap').Test, files: Readonly<Record<string, Uint8Array>>, written = {}) => {
  const base = t.testdir({});
  writeFiles(base, files);
  return openSource(definition, { path: '.', ...written }, { base });
};

t.test('files that do not fit together, or have not what is asked of them', async (t) => {
  const row = { image, label: 1n };
  const two = (one: Buffer, other: Buffer) => ofFiles(t, { 'a.parquet': one, 'b.parquet': other }, { labels: true });
  const cats = ['cat', 'dog'];
  const other = { code: 'TABLE_CLASSES_OTHER' };
  await t.rejects(two(table([row], { names: cats }), table([row], { names: ['dog', 'cat'] })), {
    ...other,
    message: /another order/,
  });
  await t.rejects(two(table([row], { names: cats }), table([row], { names: ['cat', 'dog', 'owl'] })), {
    ...other,
    message: /owl/,
  });
  await t.rejects(two(table([row], { names: ['cat', 'dog', 'owl'] }), table([row], { names: cats })), {
    ...other,
    message: /owl/,
  });
  await t.rejects(two(table([row], { names: cats }), table([row])), { ...other, message: /no names/ });
  await t.rejects(two(table([row], { names: cats }), table([{ image, label: 'cat' }])), other);
  for (const names of [['cat', 'cat'], ['cat', ''], ['cat', 7], []])
    await t.rejects(ofFiles(t, { 'a.parquet': table([row], { names }) }, { labels: true }), { code: 'TABLE_CLASSES' });
  const one = { 'a.parquet': table([row], { more: [{ name: 'tags', data: [[1, 2]] as never }] }) };
  await t.rejects(ofFiles(t, one, { columns: { image: 'img' } }), {
    code: 'TABLE_COLUMN',
    message: /img; got image, label, tags/,
  });
  await t.rejects(ofFiles(t, one, { columns: { image: 'label' } }), {
    code: 'TABLE_COLUMN',
    message: /INT64 as label/,
  });
  await t.rejects(ofFiles(t, one, { labels: true, columns: { label: 'y' } }), { code: 'TABLE_COLUMN' });
  await t.rejects(ofFiles(t, { 'a.txt': image }), { code: 'PARQUET_NONE', message: /\.txt/ });
  await t.rejects(ofFiles(t, {}, { path: 'none-*.parquet' }), { code: 'PARQUET_NONE' });
  await t.rejects(ofFiles(t, { 'a.parquet': table([]) }), { code: /TABLE_EMPTY|PARQUET_BROKEN/ });
  for (const bytes of [Buffer.alloc(0), image, Buffer.from('PAR1....PAR1')])
    await t.rejects(ofFiles(t, { 'a.parquet': bytes }), {
      code: 'PARQUET_BROKEN',
      message: /a\.parquet: .*in its metadata/,
    });
});

t.test('a row without a picture, with one that is too large, or a label of no class fails alone', async (t) => {
  const rows = [
    { image, label: 0n },
    { image: null, label: 1n },
    { image: Buffer.alloc(100), label: 1n },
    { image, label: 2n },
    { image, label: -1n },
  ];
  const source = await ofFiles(
    t,
    { 'a.parquet': table(rows, { names: ['cat', 'dog'] }) },
    { labels: true, maxBytes: 99 },
  );
  t.same(await source.read(0, signal), { bytes: new Uint8Array(image), label: 0 });
  const fails = async (index: number, code: string, message: RegExp) =>
    t.rejects(async () => source.read(index, signal), { code, message });
  await fails(1, 'TABLE_ROW', /a\.parquet: .*row 1: nothing/);
  await fails(2, 'FILE_LARGE', /99 bytes; got 100/);
  await fails(3, 'TABLE_ROW', /row 3: 2/);
  await fails(4, 'TABLE_ROW', /row 4: -1/);
  const unnamed = await ofFiles(t, { 'a.parquet': table(rows) }, { labels: true });
  t.same([unnamed.classNames, (await unnamed.read(3, signal)).label], [undefined, 2]);
});

t.test('damage in a page fails the samples of that page, and no other', async (t) => {
  const bytes = table(
    Array.from({ length: 12 }, (_, i) => ({ image: Buffer.alloc(40, i) })),
    { packed: 'UNCOMPRESSED' },
  );
  const at = bytes.indexOf(Buffer.alloc(40, 6)) - 4;
  bytes[at + 3] = 0x7f; // the length of picture 6
  const source = await ofFiles(t, { 'a.parquet': bytes });
  const results = await Promise.allSettled(Array.from({ length: 12 }, async (_, i) => source.read(i, signal)));
  const failed = results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []));
  t.ok(failed.includes(6) && failed.length < 4, `${failed}`);
  for (const result of results)
    if (result.status === 'rejected')
      t.match(result.reason, { code: 'PARQUET_BROKEN', message: /a\.parquet: .*rows \d+ to \d+/ });
});

t.test('memory that is lent is filled, and the bytes of a page stay whole', async (t) => {
  const source = await hub({ path: 'train-*.parquet' });
  const memory = new BufferPool();
  const { bytes } = await source.read(3, signal, memory);
  const kept = Buffer.from(bytes as Uint8Array);
  (bytes as Uint8Array).fill(0);
  memory.giveBack(bytes as Uint8Array);
  t.same(Buffer.from((await source.read(3, signal, memory)).bytes as Uint8Array), kept);
});

t.test('tables behind http are read in ranges, a page and not a file for a picture', async (t) => {
  const rows = Array.from({ length: 200 }, (_, i) => ({ image: Buffer.alloc(20_000, i), label: BigInt(i % 2) }));
  const bytes = table(rows, { names: ['cat', 'dog'], packed: 'UNCOMPRESSED' });
  let sent = 0;
  const { address } = await serve(t, bytes, (count) => {
    sent += count;
  });
  const source = await openSource(definition, { path: `${address}/data/train.parquet?token=secret`, labels: true });
  t.same([source.count, source.key(7), source.classNames], [200, 'train.parquet/7', ['cat', 'dog']]);
  t.same(await source.read(150, signal), { bytes: new Uint8Array(rows[150]!.image), label: 0 });
  t.ok(sent < bytes.length / 2, `${sent} of ${bytes.length} bytes`);
});

t.test('spec and options', (t) => {
  t.same(definition.spec(definition.options.parse({ path: 'a', ...all })).fields, {
    ...{ bytes: 'bytes', label: { dtype: 'int32', shape: [] }, box: { dtype: 'int32', shape: [4] }, name: 'text' },
  });
  t.same(
    definition.reads!(
      definition.options.parse({ path: ['d/*.parquet', 'https://a.example/b.parquet'], classes: './c.txt' }),
    ),
    ['d', './c.txt'],
  );
  for (const written of [
    {},
    { path: '' },
    { path: [] },
    { path: 'a', columns: { image: '' } },
    { path: 'a', labels: 1 },
  ])
    t.notOk(definition.options.safeParse(written).success);
  t.end();
});
