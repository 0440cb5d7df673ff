import fs, { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { type MatArray, readMat } from '../../src/formats/mat.ts';

const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const filled = (data: Buffer) => Buffer.concat([data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
const element = (type: number, data: Buffer) => Buffer.concat([words(type, data.length), filled(data)]);
/** Up to four bytes of data, in the tag itself. */
const small = (type: number, data: Buffer) =>
  Buffer.concat([words(type | (data.length << 16)), data, Buffer.alloc(4 - data.length)]);
const short = (type: number, data: Buffer) => (data.length <= 4 ? small : element)(type, data);

/** What is inside of a matrix. */
const inside = (name: string, shape: readonly number[], values: Buffer) =>
  Buffer.concat([
    element(6, words(6, 0)),
    short(5, Buffer.from(Int32Array.from(shape).buffer)),
    short(1, Buffer.from(name)),
    values,
  ]);
const matrix = (name: string, shape: readonly number[], type: number, data: Buffer) =>
  element(14, inside(name, shape, short(type, data)));
/** Deflated without shrinking: as many bytes, whatever they are. */
const deflated = (inner: Buffer, level = 0) => {
  const packed = deflateSync(inner, { level });
  return Buffer.concat([words(15, packed.length), packed]);
};
const header = (text = 'MATLAB 5.0 MAT-file, of a test', mark = 'IM', version = 0x0100) =>
  Buffer.concat([Buffer.from(text.padEnd(124)), Buffer.from([version & 255, version >> 8]), Buffer.from(mark)]);
const file = (...elements: Buffer[]) => Buffer.concat([header(), ...elements]);

const path = join(t.testdir({}), 'a.mat');
const read = <Name extends string>(bytes: Buffer, names: readonly Name[], maxBytes = 1e6) => {
  writeFileSync(path, bytes);
  return readMat(path, names, { maxBytes });
};
const plain = ({ shape, data }: MatArray) => ({ shape, kind: data.constructor.name, data: [...data] });
const bytesOf = (values: ArrayBufferView) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** The types of values by their number in the file. */
const types = {
  1: Int8Array,
  2: Uint8Array,
  3: Int16Array,
  4: Uint16Array,
  5: Int32Array,
  6: Uint32Array,
  7: Float32Array,
  9: Float64Array,
} as const;

const one = matrix('one', [2, 1], 2, Buffer.from([5, 6]));

t.test('arrays of every type and shape, deflated or not, among other elements: those that are asked for', async (t) => {
  const array = fc
    .tuple(
      fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 9),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 4 }),
    )
    .map(([type, shape]) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const values = new types[type as keyof typeof types](count).map((_: number, i: number) => (i * 37) % 100);
      return { type, shape, values };
    });
  const part = fc.record({
    name: fc.constantFrom('X', 'y', 'name-of-9'),
    array,
    packed: fc.boolean(),
    before: fc.constantFrom(
      Buffer.alloc(0),
      element(1, Buffer.alloc(3)),
      words(14, 0),
      words(15, 0),
      deflated(element(1, Buffer.alloc(20))),
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), fc.constantFrom(0, 9), async (parts, level) => {
      const elements = parts.flatMap(({ name, array: { type, shape, values }, packed, before }) => {
        const whole = matrix(name, shape, type, bytesOf(values));
        return [before, packed ? deflated(whole, level) : whole];
      });
      const last = new Map(parts.map(({ name, array }) => [name, array]));
      const names = [...last.keys()].slice(0, 2);
      const found = await read(file(...elements), names);
      t.strictSame(Object.keys(found), names);
      for (const name of names) {
        const { shape, values } = last.get(name)!;
        t.strictSame(plain(found[name]!), { shape, kind: values.constructor.name, data: [...values] });
      }
    }),
    { seed: 9, numRuns: 60 },
  );
});

t.test('an array of many pieces of the file', async (t) => {
  const values = Buffer.from(Uint8Array.from({ length: 200_003 }, (_, i) => (i * 31 + (i >> 8)) % 256));
  const many = matrix('many', [200_003, 1], 2, values);
  for (const bytes of [file(many), file(deflated(many, 1))])
    t.ok(values.equals((await read(bytes, ['many'])).many.data as Uint8Array));
});

t.test('cut anywhere: an error of the file, except where what is asked for is whole', async (t) => {
  const other = matrix('other', [1, 1], 9, Buffer.alloc(8));
  for (const [bytes, enough] of [
    [file(one, deflated(other)), [128 + one.length]],
    [file(deflated(one), other), [128 + deflated(one).length]],
  ] as const) {
    for (let cut = 0; cut < bytes.length; cut++) {
      const result = await read(bytes.subarray(0, cut), ['one']).then(
        ({ one }) => [...one.data],
        (error: { code: string; where: string }) => [error.code, error.where],
      );
      t.same(
        result,
        (enough as readonly number[]).includes(cut) ? [5, 6] : ['MAT_FORMAT', path],
        `${cut} of ${bytes.length}`,
      );
    }
  }
});

t.test('limits: the most bytes of an array, and what its element has room for, to the byte', async (t) => {
  const refused = (bytes: Buffer, code: string, message: RegExp, most?: number) =>
    t.rejects(read(bytes, ['one'], most), { code, message, where: path }, String(message));
  const eight = matrix('one', [2, 2], 3, Buffer.alloc(8));
  t.equal((await read(file(eight), ['one'], 8)).one.data.length, 4);
  await refused(file(eight), 'MAT_LIMIT', /at most 7 bytes; got one, 2 × 2/, 7);
  for (const shape of [[], [4], [2, 0], [2, -2], [0, 0]])
    await refused(file(matrix('one', shape, 3, Buffer.alloc(8))), 'MAT_LIMIT', /at most 1,000,000 bytes; got one/);
  // The values are announced, and do not come.
  const lying = (count: number) => inside('one', [count, 1], words(2, count));
  const room = lying(1).length;
  await refused(file(element(14, lying(room))), 'MAT_FORMAT', /hold \d+ bytes more of an element/);
  await refused(
    file(element(14, lying(room + 1))),
    'MAT_FORMAT',
    new RegExp(`hold ${room + 1} bytes of one; got room for no more than ${room}`),
  );
  const most = (deflated(element(14, lying(1))).length - 8) * 1032;
  await refused(file(deflated(element(14, lying(most)))), 'MAT_FORMAT', /more of an element; got 0/);
  await refused(
    file(deflated(element(14, lying(most + 1)))),
    'MAT_FORMAT',
    new RegExp(`room for no more than ${most}`),
  );
  await refused(file(matrix('one', [3, 1], 4, Buffer.alloc(8))), 'MAT_FORMAT', /hold 6 bytes of one; got 8/);
  await refused(file(matrix('one', [3, 1], 8, Buffer.alloc(8))), 'MAT_FORMAT', /arrays of numbers; got one of type 8/);
});

t.test('what describes an array: small data in the tag, few bytes, nothing behind the values', async (t) => {
  const refused = (bytes: Buffer, message: RegExp) =>
    t.rejects(read(bytes, ['one']), { code: 'MAT_FORMAT', message }, String(message));
  const four = matrix('four', [4, 1], 2, Buffer.from([1, 2, 3, 4]));
  t.same([...(await read(file(four), ['four'])).four.data], [1, 2, 3, 4]);
  const five = element(14, inside('one', [5, 1], Buffer.concat([words(2 | (5 << 16)), Buffer.alloc(4)])));
  await refused(file(five), /two words, or data of up to 4 bytes in one; got 5 bytes in one/);
  for (const length of [1024, 1025]) {
    const long = file(matrix('n'.repeat(length), [1, 1], 2, Buffer.from([1])), one);
    if (length === 1024) t.same([...(await read(long, ['one'])).one.data], [5, 6]);
    else await refused(long, /describe its arrays in a few bytes; got 1,025 bytes/);
  }
  const named = 'n'.repeat(1024);
  t.same([...(await read(file(matrix(named, [1, 1], 2, Buffer.from([1]))), [named]))[named]!.data], [1]);
  const behind = (count: number) =>
    element(14, Buffer.concat([inside('one', [2, 1], small(2, Buffer.from([5, 6]))), Buffer.alloc(count)]));
  t.same([...(await read(file(behind(8)), ['one'])).one.data], [5, 6]);
  await refused(file(behind(9)), /end its elements with their values; got more bytes/);
  await refused(file(deflated(behind(16))), /end its elements with their values/);
  // A piece of the file ends five bytes behind the values, and six more come with the next.
  const { length: front } = inside('one', [9, 1], words(2, 9));
  const most = 2 ** 16 - 5 - front;
  const late = (extra: number, count = most) =>
    element(14, Buffer.concat([inside('one', [count, 1], words(2, count)), Buffer.alloc(count + extra, 7)]));
  t.equal((await read(file(late(8)), ['one'])).one.data.length, most);
  await refused(file(late(11)), /end its elements with their values/);
  await refused(file(late(9, most + 100)), /end its elements with their values/);
  const within = element(1, inside('one', [2, 1], small(2, Buffer.from([5, 6]))));
  await refused(file(deflated(within)), /hold the arrays one; got none of them/);
  const long = matrix('one', [2, 1], 2, Buffer.from([5, 6]));
  // Bytes that come later than the values, in pieces of their own.
  await refused(file(deflated(Buffer.concat([long, Buffer.alloc(200_000)]), 9)), /end its elements with their values/);
});

t.test('integers of 64 bits: as numbers while those are exact', async (t) => {
  const of = (type: 12 | 13, ...values: bigint[]) => {
    const data = bytesOf((type === 12 ? BigInt64Array : BigUint64Array).from(values));
    return read(file(matrix('one', [values.length, 1], type, data)), ['one']);
  };
  const most = 2n ** 53n - 1n;
  t.strictSame(plain((await of(12, 1n, -most, most)).one), {
    shape: [3, 1],
    kind: 'Float64Array',
    data: [1, -Number(most), Number(most)],
  });
  t.same([...(await of(13, most)).one.data], [Number(most)]);
  for (const [type, value] of [
    [12, most + 1n],
    [12, -most - 1n],
    [13, 2n ** 64n - 1n],
  ] as const)
    await t.rejects(of(type, 1n, value), {
      code: 'MAT_FORMAT',
      message: `hold integers up to 2^53 in one; got ${value}`,
    });
});

t.test('headers: length, level, order of bytes, and files that are packed', async (t) => {
  const refused = (bytes: Buffer, message: string) =>
    t.rejects(read(bytes, ['one']), { code: 'MAT_FORMAT', message, where: path });
  await refused(header().subarray(0, 127), 'begin with a header of 128 bytes; got 127 bytes');
  const begins = 'be of level 5 and little-endian; got a header that begins with "MATLAB 5.0 MAT-file"';
  await refused(Buffer.concat([header(undefined, 'MI'), one]), begins);
  await refused(Buffer.concat([header(undefined, 'IM', 0x0200), one]), begins);
  await refused(Buffer.concat([header('short', 'xx'), one]), 'got a header that begins with "short"');
  await refused(
    gzipSync(Buffer.concat(Array.from({ length: 200 }, (_, i) => Buffer.from(String(i * 7919))))),
    'be of level 5 and plain; got a gzip file; unpack it',
  );
  t.same([...(await read(Buffer.concat([header('x'), one]), ['one'])).one.data], [5, 6], 'whatever its text');
});

t.test('names that are not there, files that cannot be read, data that does not inflate', async (t) => {
  const two = matrix('two', [1, 1], 2, Buffer.from([1]));
  const refused = (bytes: Buffer, names: string[], message: string) =>
    t.rejects(read(bytes, names), { code: 'MAT_FORMAT', message });
  await refused(file(one, two), ['one', 'three', 'two'], 'hold the arrays one and three and two; got one, two.');
  await refused(file(one), ['three'], 'hold the arrays three; got none of them');
  t.same(await read(file(one), []), {});
  await t.rejects(readMat(`${path}.none`, ['one'], { maxBytes: 9 }), {
    code: 'FILE_UNREADABLE',
    message: 'got nothing of this name',
    cause: { code: 'ENOENT' },
  });
  await t.rejects(readMat(join(path, '..'), ['one'], { maxBytes: 9 }), {
    code: 'FILE_UNREADABLE',
    message: 'got a folder',
  });
  const damaged = deflated(one);
  damaged[damaged.length - 1]! ^= 1;
  await t.rejects(read(file(damaged), ['one']), {
    code: 'MAT_FORMAT',
    message: 'inflate to its end; got incorrect data check',
    where: path,
    cause: { code: 'Z_DATA_ERROR' },
  });
});

t.test('a disk that fails while an array is read', async (t) => {
  const bytes = { plain: file(one), deflated: file(deflated(one)) };
  for (const [name, whole] of Object.entries(bytes)) {
    writeFileSync(path, whole);
    const { read: real } = fs;
    const failing = (...args: unknown[]) =>
      process.nextTick(args.at(-1) as () => void, Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
    Object.assign(fs, { read: failing });
    const reading = readMat(path, ['one'], { maxBytes: 9 }).finally(() => Object.assign(fs, { read: real }));
    await t.rejects(reading, { code: 'FILE_UNREADABLE', message: /EIO/, cause: { code: 'EIO' } }, name);
  }
});

const descriptors = '/proc/self/fd';
t.test('whatever happens, no file stays open', { skip: existsSync(descriptors) ? false : 'no /proc' }, async (t) => {
  const open = () => readdirSync(descriptors).length;
  const large = matrix('large', [300_000, 1], 2, Buffer.alloc(300_000));
  await read(file(one), ['one']);
  const before = open();
  for (let i = 0; i < 8; i++) {
    // Passed over, refused in the middle, damaged, whole.
    await read(file(large, deflated(large), one), ['one']);
    await read(file(large), ['large'], 9).catch(() => {});
    await read(file(deflated(large)), ['large'], 9).catch(() => {});
    await read(file(Buffer.concat([words(15, 300_000), Buffer.alloc(300_000)])), ['one']).catch(() => {});
    await read(header('x', 'xx'), ['one']).catch(() => {});
  }
  // Streams close a turn or more after they were destroyed.
  for (let turn = 0; turn < 2000 && open() > before; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.equal(open(), before);
  t.ok(readFileSync(path).length > 0);
});
