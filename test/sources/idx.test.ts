import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { idx } from '../../src/sources/idx.ts';
import type { Picture } from '../../src/vision/picture.ts';

const { definition } = idx;
const signal = new AbortController().signal;

function header(magic: number, ...shape: number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * shape.length);
  for (const [i, word] of [magic, ...shape].entries()) bytes.writeUInt32BE(word, 4 * i);
  return bytes;
}

const images = Buffer.concat([header(0x803, 3, 2, 2), Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])]);
const labels = Buffer.concat([header(0x801, 3), Buffer.from([7, 0, 2])]);

async function open(t: import('tap').Test, image: Uint8Array, label?: Uint8Array, more = {}) {
  const base = t.testdir({});
  writeFileSync(join(base, 'images.gz'), image);
  if (label !== undefined) writeFileSync(join(base, 'labels'), label);
  const options = definition.options.parse({
    images: 'images.gz',
    ...(label === undefined ? {} : { labels: 'labels' }),
    ...more,
  });
  return definition.open(options, { base, signal, progress() {} });
}

t.test('images and labels, plain or gzip', async (t) => {
  for (const pack of [(b: Buffer) => b, gzipSync]) {
    const source = await open(t, pack(images), pack(labels));
    t.same([source.count, source.key(1), source.classNames?.length], [3, 'images/1', 8]);
    const sample = await source.read(1, signal);
    t.equal(sample.label, 0);
    const pixels = await (sample.picture as Picture).pixels();
    t.same([pixels.width, pixels.height, [...pixels.data]], [2, 2, [5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8]]);
  }
  const bare = await open(t, images);
  t.same([bare.classNames, (await bare.read(0, signal)).label], [undefined, undefined]);
});

t.test('M6: gzip filled up with zeros, labels of all widths, and pixels of three channels', async (t) => {
  const zeros = Buffer.alloc(200_000);
  t.equal((await open(t, Buffer.concat([gzipSync(images), zeros]))).count, 3);
  t.equal((await open(t, Buffer.concat([gzipSync(images.subarray(0, 20)), gzipSync(images.subarray(20))]))).count, 3);
  await t.rejects(open(t, Buffer.concat([gzipSync(images), zeros, Buffer.from('x')])), {
    code: 'IDX_LENGTH',
    message: /other bytes after its end/,
  });
  const wide = (magic: number, bytes: number) => {
    const data = Buffer.alloc(3 * bytes);
    for (const [i, label] of [7, 0, 2].entries()) data.writeIntBE(label, i * bytes, bytes);
    return Buffer.concat([header(magic, 3), data]);
  };
  for (const [magic, bytes] of [
    [0x901, 1],
    [0xb01, 2],
    [0xc01, 4],
  ] as const) {
    const source = await open(t, images, wide(magic, bytes));
    t.same([(await source.read(0, signal)).label, source.classNames?.length], [7, 8], `${bytes} bytes`);
  }
  const negative = Buffer.concat([header(0x901, 3), Buffer.from([1, 255, 2])]);
  await t.rejects(open(t, images, negative), { code: 'IDX_LABEL', message: /got -1/ });
  const colour = Buffer.concat([header(0x804, 1, 1, 2, 3), Buffer.from([1, 2, 3, 4, 5, 6])]);
  const { data } = await ((await (await open(t, colour)).read(0, signal)).picture as Picture).pixels();
  t.same([...data], [1, 2, 3, 4, 5, 6]);
  await t.rejects(open(t, Buffer.from('PK\u0003\u0004 and more')), { code: 'IDX_HEADER', message: /a zip file/ });
});

t.test('what the header says is judged before memory is taken', async (t) => {
  const huge = (pack: (b: Buffer) => Buffer) => open(t, pack(header(0x803, 0xffffffff, 0xffffffff, 0xffffffff)));
  await t.rejects(
    huge((b) => b),
    { code: 'IDX_LIMIT', message: /4294967295 × 4294967295 × 4294967295/ },
  );
  await t.rejects(huge(gzipSync), { code: 'IDX_LIMIT' });
  await t.rejects(open(t, header(0x803, 1000, 1000, 1000)), { code: 'IDX_LENGTH' });
  await t.rejects(open(t, gzipSync(header(0x803, 1000, 1000, 1000))), { code: 'IDX_LENGTH' });
  await t.rejects(open(t, header(0x803, 3, 0, 2)), { code: 'IDX_LIMIT' });
  await t.rejects(open(t, images, undefined, { maxBytes: 11 }), { code: 'IDX_LIMIT' });
});

t.test('wrong, short and long files', async (t) => {
  await t.rejects(open(t, labels), { code: 'IDX_HEADER', message: /0x00000803; got 0x00000801/ });
  await t.rejects(open(t, images, images), { code: 'IDX_HEADER' });
  await t.rejects(open(t, Buffer.alloc(0)), { code: 'IDX_HEADER', message: /a file of 0 bytes/ });
  await t.rejects(open(t, Buffer.from('hello, this is text')), { code: 'IDX_HEADER' });
  await t.rejects(open(t, images.subarray(0, 20)), { code: 'IDX_LENGTH' });
  await t.rejects(open(t, gzipSync(images.subarray(0, 20))), { code: 'IDX_LENGTH', message: /12 bytes; got 4/ });
  await t.rejects(open(t, gzipSync(images).subarray(0, 25)), { code: 'IDX_LENGTH' });
  await t.rejects(open(t, Buffer.concat([images, images])), { code: 'IDX_LENGTH', message: /got more/ });
  await t.rejects(open(t, images, Buffer.concat([header(0x801, 2), Buffer.from([1, 2])])), { code: 'IDX_COUNTS' });
  const options = definition.options.parse({ images: 'no-such-file' });
  await t.rejects(definition.open(options, { base: t.testdir({}), signal, progress() {} }), {
    code: 'FILE_UNREADABLE',
  });
});

t.test('spec and options', async (t) => {
  t.same(definition.spec(definition.options.parse({ images: 'a', labels: 'b' })).fields, {
    picture: 'picture',
    label: { dtype: 'int32', shape: [] },
  });
  for (const options of [{}, { images: '' }, { images: 'a', maxBytes: 0 }, { images: 'a', size: 28 }])
    t.notOk(definition.options.safeParse(options).success);
});
