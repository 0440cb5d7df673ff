import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import t from 'tap';
import { svhn } from '../../src/sources/svhn.ts';
import type { Picture } from '../../src/vision/picture.ts';

const { definition } = svhn;
const signal = new AbortController().signal;

const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const padded = (data: Buffer) => Buffer.concat([data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
const element = (type: number, data: Buffer) => Buffer.concat([words(type, data.length), padded(data)]);
/** Data of up to four bytes inside its tag. */
const small = (type: number, data: Buffer) =>
  Buffer.concat([words(type | (data.length << 16)), data, Buffer.alloc(4 - data.length)]);

/** A matrix as a MAT-file of level 5 has it. `type` is how its values are stored. */
function matrix(name: string, shape: number[], type: number, data: Buffer, length = data.length): Buffer {
  const parts = [
    element(6, words(9, 0)),
    element(5, words(...shape)),
    small(1, Buffer.from(name)),
    data.length <= 4 && length === data.length ? small(type, data) : Buffer.concat([words(type, length), padded(data)]),
  ];
  return element(14, Buffer.concat(parts));
}

const deflated = (inner: Buffer) => {
  const packed = deflateSync(inner);
  return Buffer.concat([words(15, packed.length), packed]);
};

const header = (mark = 'IM') =>
  Buffer.concat([Buffer.from('MATLAB 5.0 MAT-file'.padEnd(124)), Buffer.from([0x00, 0x01]), Buffer.from(mark)]);
const file = (...elements: Buffer[]) => Buffer.concat([header(), ...elements]);

/** Three pictures of 4 × 2 px whose bytes count up; labels 1, 10, 9. */
const count = 3;
const pixels = Buffer.from(Array.from({ length: 4 * 2 * 3 * count }, (_, i) => i));
const X = matrix('X', [4, 2, 3, count], 2, pixels);
const y = matrix('y', [count, 1], 2, Buffer.from([1, 10, 9]));

async function open(t: import('tap').Test, bytes: Uint8Array, more = {}) {
  const base = t.testdir({});
  writeFileSync(join(base, 'train_32x32.mat'), bytes);
  const options = definition.options.parse({ file: 'train_32x32.mat', ...more });
  return definition.open(options, { base, signal, progress() {} });
}

t.test('pictures row by row from columns, labels with 10 as 0; deflated or not, in any order', async (t) => {
  const other = matrix('meta', [1, 1], 9, Buffer.alloc(8));
  for (const bytes of [
    file(deflated(X), deflated(y)),
    file(X, y),
    file(deflated(other), y, element(1, Buffer.alloc(3)), deflated(X)),
    file(X, matrix('y', [count, 1], 9, Buffer.from(Float64Array.of(1, 10, 9).buffer))),
  ]) {
    const source = await open(t, bytes);
    t.same([source.count, source.key(2), source.classNames?.join('')], [3, 'train_32x32/2', '0123456789']);
    const samples = await Promise.all([0, 1, 2].map((i) => source.read(i, signal)));
    t.same(
      samples.map(({ label }) => label),
      [1, 0, 9],
    );
    const shown = await (samples[1]!.picture as Picture).pixels();
    t.same([shown.width, shown.height], [2, 4]);
    // Byte of (row 3, column 1, channel 2, picture 1): 3 + 4·(1 + 2·(2 + 3·1)) = 47.
    t.equal(shown.data[(3 * 2 + 1) * 3 + 2], 47);
    t.equal(shown.data[0], 24);
  }
});

t.test('M6: labels and pixels of all widths of integers', async (t) => {
  const labels = [1, 10, 9];
  const wide = [
    [3, Int16Array.from(labels)],
    [4, Uint16Array.from(labels)],
    [5, Int32Array.from(labels)],
    [6, Uint32Array.from(labels)],
    [12, BigInt64Array.from(labels, BigInt)],
    [13, BigUint64Array.from(labels, BigInt)],
  ] as const;
  for (const [type, values] of wide) {
    const source = await open(t, file(X, matrix('y', [count, 1], type, Buffer.from(values.buffer))));
    t.same(
      [0, 1, 2].map((i) => (source.read(i, signal) as { label: number }).label),
      [1, 0, 9],
      `type ${type}`,
    );
  }
  const pixels64 = matrix('X', [4, 2, 3, count], 12, Buffer.from(BigInt64Array.from(pixels, BigInt).buffer));
  const source = await open(t, file(pixels64, y));
  t.equal((await ((await source.read(1, signal)).picture as Picture).pixels()).data[0], 24);
  const large = matrix('y', [count, 1], 12, Buffer.from(BigInt64Array.of(1n, 2n ** 60n, 2n).buffer));
  await t.rejects(open(t, file(X, large)), { code: 'MAT_FORMAT', message: /integers up to 2\^53 in y/ });
});

t.test('what an array announces is judged before memory is taken', async (t) => {
  const huge = matrix('X', [2 ** 30, 2 ** 30, 3, 7], 2, Buffer.alloc(8), 8);
  for (const bytes of [file(huge, y), file(deflated(huge), y)])
    await t.rejects(open(t, bytes), { code: 'MAT_LIMIT', message: /1073741824 × 1073741824 × 3 × 7/ });
  await t.rejects(open(t, file(matrix('X', [32, 32, 3, 0], 2, Buffer.alloc(0)), y)), { code: 'MAT_LIMIT' });
  await t.rejects(open(t, file(matrix('X', [32, 32, 3, -1], 2, Buffer.alloc(8)), y)), { code: 'MAT_LIMIT' });
  await t.rejects(open(t, file(X, y), { maxBytes: 71 }), { code: 'MAT_LIMIT', message: /at most 71 bytes/ });
  const lies = matrix('X', [1000, 1000, 3, 100], 2, Buffer.alloc(8), 300_000_000);
  for (const bytes of [file(lies, y), file(deflated(lies), y)])
    await t.rejects(open(t, bytes), { code: 'MAT_FORMAT', message: /room for no more/ });
});

t.test('files that are none, are cut off or damaged', async (t) => {
  const refused = async (bytes: Buffer, message: RegExp) =>
    t.rejects(open(t, bytes), { code: 'MAT_FORMAT', message }, String(message));
  await refused(Buffer.alloc(0), /header of 128 bytes; got 0 bytes/);
  await refused(Buffer.from('\x89HDF\r\n'.padEnd(600)), /level 5 and little-endian; got a header that begins/);
  await refused(Buffer.concat([header('MI'), X, y]), /little-endian/);
  await refused(file(), /arrays X and y; got none/);
  await refused(file(words(14, 0), words(15, 0)), /arrays X and y; got none/);
  await refused(file(X), /X and y; got X/);
  await refused(file(X, y).subarray(0, 300), /past its end/);
  await refused(Buffer.concat([file(X, y), Buffer.alloc(5)]), /5 bytes after the last/);
  await refused(file(deflated(X.subarray(0, -32)), y), /bytes more of an element; got 40/);
  const broken = deflated(X);
  broken[broken.length - 1]! ^= 1;
  await refused(file(broken, y), /inflate to its end; got incorrect data check/);
  await refused(file(Buffer.concat([words(15, 8), Buffer.alloc(8)]), y), /inflate/);
  await refused(file(matrix('X', [4, 2, 3, count], 9, pixels), y), /hold 576 bytes of X; got 72/);
  await refused(file(matrix('X', [4, 2, 3, count], 18, pixels), y), /arrays of numbers; got X of type 18/);
  await refused(file(matrix('X', [4, 2, 3, 3], 1, pixels), y), /X, uint8 .* got int8 \[4, 2, 3, 3\]/);
  await refused(file(matrix('X', [4, 3, 2, 3], 2, pixels), y), /X, uint8/);
  await refused(file(X, matrix('y', [2, 1], 2, Buffer.from([1, 2]))), /label for each of 3 pictures; got 2/);
  await refused(file(X, matrix('y', [3, 1], 2, Buffer.from([1, 11, 2]))), /from 1 to 10.* got 11/);
  await refused(file(deflated(Buffer.concat([X, Buffer.alloc(100)])), y), /end its elements with their values/);
  const options = definition.options.parse({ file: 'no-such.mat' });
  await t.rejects(definition.open(options, { base: t.testdir({}), signal, progress() {} }), {
    code: 'FILE_UNREADABLE',
  });
});

t.test('spec and options', async (t) => {
  t.same(definition.spec(definition.options.parse({ file: 'a' })).fields, {
    picture: 'picture',
    label: { dtype: 'int32', shape: [] },
  });
  for (const options of [{}, { file: '' }, { file: 'a', maxBytes: 0 }, { file: 'a', labels: 'b' }])
    t.notOk(definition.options.safeParse(options).success);
});
