import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import t from 'tap';
import { z } from 'zod';
import { ParquetForm } from '../../src/sinks/parquet/form.ts';
import { toParquet } from '../../src/sinks/to-parquet.ts';
import { defineStage } from '../../src/stages/stage.ts';
import { each } from '../../src/streams/stage.ts';
import type { Spec } from '../../src/vision/spec.ts';
import { filesOf, runNumbered } from '../kit/runs/jobs.ts';

const bytesOf = (path: string) => {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
};
const rowsOf = (path: string) => parquetReadObjects({ file: bytesOf(path) });
const columnsOf = (path: string) =>
  parquetMetadata(bytesOf(path)).schema.map(({ name, type, converted_type }) =>
    [name, type, converted_type].filter(Boolean).join(' '),
  );

const origin = { from: './runs/a', pool: 'mean', fingerprint: 'f00d' };

/** A vector for each sample, as `embed` declares it, and tokens of shape [2, 3]. */
const vectors = defineStage({
  name: 'vectors',
  summary: 'Adds vectors.',
  options: z.strictObject({}),
  needs: [],
  output: (spec: Spec): Spec => ({
    ...spec,
    fields: {
      ...spec.fields,
      embedding: { dtype: 'float32', shape: [4], origin },
      tokens: { dtype: 'float32', shape: [2, 3] },
      name: 'text',
    },
  }),
  run: () => (sample: { readonly position: number }) => ({
    ...sample,
    embedding: Float32Array.of(sample.position, 0.1, Number.NaN, -0),
    tokens: Float32Array.from({ length: 6 }, (_, i) => i),
    name: ['a', 'é'],
  }),
});

t.test('a row for each sample: what the chain declares has columns of its types, with its origin', async (t) => {
  const output = t.testdir({});
  const { files, done } = await runNumbered(output, toParquet(), { count: 3, stages: [vectors()] });
  t.same([files, done], [[join(output, 'parquet/job-00000.parquet')], 3]);
  const f = Math.fround(0.1);
  t.same((await rowsOf(files[0]!))[2], {
    key: 'n/2.png',
    position: 2n,
    label: 2,
    embedding: [2, f, Number.NaN, -0],
    tokens: [
      [0, 1, 2],
      [3, 4, 5],
    ],
    name: ['a', 'é'],
  });
  t.same(columnsOf(files[0]!), [
    'schema',
    ...['key BYTE_ARRAY UTF8', 'position INT64', 'label INT32', 'embedding LIST', 'list', 'element FLOAT'],
    ...['tokens LIST', 'list', 'element LIST', 'list', 'element FLOAT', 'name LIST', 'list', 'element BYTE_ARRAY UTF8'],
  ]);
  const said = parquetMetadata(bytesOf(files[0]!)).key_value_metadata?.find(({ key }) => key === 'patchstream');
  t.match(JSON.parse(said!.value!), { name: 'job', fields: { embedding: { shape: [4], origin } } });
});

t.test(
  'fields that nothing declares: types by the first samples, names of any kind; what does not fit is kept beside',
  async (t) => {
    const output = t.testdir({});
    const more = each((sample) => {
      const { position } = sample;
      return {
        ...sample,
        bytes: new Uint8Array(9),
        score: Float32Array.of(0.5, position),
        wide: [0.1, 2 ** 40],
        text: position === 2 ? 'half \ud800' : 'a\n\u2028"',
        flag: true,
        map: { deep: [position, { x: null }] },
        'a.b': position,
        '': 1,
        other: 'mine',
        ...JSON.parse('{"__proto__": 7, "constructor": "c"}'),
        ...(position === 1 && { rare: [1, 'x'], label: 'seven' }),
        nothing: undefined,
      };
    });
    const { files, done } = await runNumbered(output, toParquet(), { count: 3, stages: [more] });
    t.equal(done, 3);
    const rows = await rowsOf(files[0]!);
    t.match(rows[1], { rare: [1, 'x'], label: 'seven', map: { deep: [1, { x: null }] }, other_: null });
    const { text, score, wide, flag, 'a.b': dotted, '': empty, constructor: named, other, other_ } = rows[2]!;
    t.same(
      [text, score, wide, flag, dotted, empty, named, other],
      [null, [0.5, 2], [0.1, 2 ** 40], true, 2, 1, 'c', 'mine'],
    );
    t.same(other_, { text: 'half \ud800' });
    t.ok(columnsOf(files[0]!).includes('__proto__ DOUBLE'));
  },
);

t.test('what comes after columns were chosen is kept too', async (t) => {
  const row = (position: number, fields: object) => ({
    key: `${position}`,
    position,
    fields: { ...fields },
    bytes: 2 ** 22,
  });
  const open = new ParquetForm({ spec: { fields: {}, open: true }, limit: 2 ** 40, metadata: {} });
  const pieces = [...open.entry(row(0, { a: 1 })), ...open.entry(row(1, { a: 'x', late: [1] })), ...open.tail()];
  const file = new Uint8Array(Buffer.concat(pieces)).buffer;
  t.equal(parquetMetadata(file).row_groups.length, 2, 'groups have a bound');
  t.same(await parquetReadObjects({ file }), [
    { key: '0', position: 0n, a: 1, other: null },
    { key: '1', position: 1n, a: null, other: { a: 'x', late: [1] } },
  ]);
  const closed = new ParquetForm({
    spec: { fields: { a: { dtype: 'int32', shape: [] } } },
    limit: 2 ** 40,
    metadata: {},
  });
  closed.entry(row(0, { a: 1 }));
  t.notOk(closed.isFull(row(1, { a: 2 })));
  t.ok(closed.isFull(row(1, { a: 0.5 })), 'a file whose columns cannot hold it ends before it');
  t.ok(new ParquetForm({ spec: { fields: {} }, limit: 2 ** 40, metadata: {} }).isFull(row(0, {})) === false);
});

t.test('files are resumed and are the same; parts lie together; what has no JSON fails its sample', async (t) => {
  const output = t.testdir({});
  const sink = toParquet({ shardBytes: 700 });
  const stages = [vectors()];
  await runNumbered(join(output, 'a'), sink, { count: 40, stages });
  const expected = filesOf(join(output, 'a/parquet'));
  t.ok(Object.keys(expected).length > 3);
  for (const name of ['finished.json', 'parquet/job-00002.parquet']) rmSync(join(output, 'a', name));
  t.equal((await runNumbered(join(output, 'a'), sink, { count: 40, stages })).done, 40);
  t.same(filesOf(join(output, 'a/parquet')), expected);
  for (const index of [2, 1]) await runNumbered(join(output, 'b'), sink, { count: 40, stages, part: { index, of: 2 } });
  const positions = async (folder: string) => {
    const names = Object.keys(filesOf(join(output, folder))).filter((name) => name.endsWith('.parquet'));
    return (await Promise.all(names.map((name) => rowsOf(join(output, folder, name))))).flat();
  };
  t.same(await positions('b/parquet'), await positions('a/parquet'));
  const big = each((sample) => ({ ...sample, big: sample.position === 1 ? 1n : 0 }));
  const { done, failures } = await runNumbered(join(output, 'big'), toParquet(), { count: 4, stages: [big] });
  t.same([done, failures], [3, 1]);
});

t.test(
  'lists of float32 of any length, empty and missing ones among other columns, come back number by number',
  async (t) => {
    const lists = fc.array(fc.option(fc.float32Array({ maxLength: 5 }), { nil: undefined }), {
      minLength: 1,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(lists, lists, async (one, two) => {
        const list = { dtype: 'float32', shape: [5] } as const;
        const spec: Spec = { fields: { n: { dtype: 'int32', shape: [] }, a: list, text: 'text', b: list } };
        const form = new ParquetForm({ spec, limit: 2 ** 40, metadata: {} });
        const count = Math.min(one.length, two.length);
        const fields = Array.from({ length: count }, (_, i) => ({ n: i, a: one[i], text: `${i}`, b: two[i] }));
        // Several row groups.
        const pieces = fields.map((fields, i) => form.entry({ key: `${i}`, position: i, fields, bytes: 2 ** 20 }));
        const file = new Uint8Array(Buffer.concat([...pieces.flat(), ...form.tail()])).buffer;
        const rows = await parquetReadObjects({ file });
        t.same(
          rows.map(({ n, a, text, b }) => ({ n, a, text, b })),
          fields.map(({ n, a, text, b }) => ({ n, a: a ? [...a] : null, text: [text], b: b ? [...b] : null })),
        );
      }),
      { numRuns: 60 },
    );
  },
);
