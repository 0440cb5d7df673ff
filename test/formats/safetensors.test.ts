import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import {
  decodeSafetensors,
  encodeSafetensors,
  floatsOf,
  looksLikeSafetensors,
  openSafetensors,
} from '../../src/formats/safetensors.ts';

/** A file from a header of any kind and that many bytes of values. */
function file(header: unknown, bytes = 0, length?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([size, json, Buffer.alloc(bytes)]);
}

const tensor = (shape: unknown, begin: unknown, end: unknown, dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

t.test('what is written is read again, bit for bit', (t) => {
  const tensors = new Map([
    [
      'blocks.0.weight',
      { shape: [2, 3], data: Float32Array.of(1, -2.5, 3e-30, Number.NaN, -0, Number.POSITIVE_INFINITY) },
    ],
    ['scalar', { shape: [], data: Float32Array.of(7) }],
    ['empty', { shape: [0, 4], data: new Float32Array(0) }],
  ]);
  const bytes = Buffer.concat(encodeSafetensors(tensors, { format: 'pt' }));
  // An odd offset: the reader must not rely on where the file's buffer begins.
  const shifted = Buffer.concat([Buffer.alloc(1), bytes]).subarray(1);
  const read = decodeSafetensors(shifted);
  t.equal((8 + Number(bytes.readBigUInt64LE())) % 8, 0, 'values begin at a multiple of eight');
  t.same(read.metadata, { format: 'pt' });
  t.same([...read.tensors.keys()], [...tensors.keys()]);
  for (const [name, { shape, data }] of tensors) {
    const stored = read.tensors.get(name)!;
    t.same(stored.shape, shape);
    t.same(Buffer.from(stored.bytes), Buffer.from(data.buffer), name);
    t.same(floatsOf(stored), data);
  }
  t.end();
});

t.test('half precision and double precision become float32', (t) => {
  const of = (dtype: 'F16' | 'BF16' | 'F64' | 'I32', bytes: ArrayBufferView) => ({
    dtype,
    shape: [1],
    bytes: new Uint8Array(bytes.buffer),
  });
  t.same(
    [...floatsOf(of('F16', Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555)))],
    [1, -2, 2 ** -24, Number.POSITIVE_INFINITY, 0.333251953125],
  );
  t.same([...floatsOf(of('BF16', Uint16Array.of(0x3f80, 0xc040)))], [1, -3]);
  t.same([...floatsOf(of('F64', Float64Array.of(0.5)))], [0.5]);
  t.throws(() => floatsOf(of('I32', Int32Array.of(1))), { code: 'SAFETENSORS_INVALID' });
  t.end();
});

t.test('hostile files are refused before a value is read', (t) => {
  const cases: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['seven bytes', new Uint8Array(7)],
    ['a header longer than the file', file('{}', 0, 50n)],
    ['a header of 2^63 bytes', file('{}', 0, 2n ** 63n)],
    ['a header over the limit', file('{}', 0, 100_000_001n)],
    ['an empty header', file('')],
    ['a header that is a list', file('[1]')],
    ['a header that is cut', file('{"a":')],
    ['a header that is not UTF-8', Buffer.concat([Buffer.of(3, 0, 0, 0, 0, 0, 0, 0), Buffer.of(0x7b, 0xff, 0x7d)])],
    ['an entry that is null', file({ a: null })],
    ['an unknown dtype', file({ a: tensor([1], 0, 4, 'F33') }, 4)],
    ['a dtype of the prototype', file({ a: tensor([1], 0, 4, 'toString') }, 4)],
    ['no dtype', file({ a: { shape: [1], data_offsets: [0, 4] } }, 4)],
    ['a negative side', file({ a: tensor([-1, -1], 0, 4) }, 4)],
    ['half a side', file({ a: tensor([0.5], 0, 2) }, 2)],
    ['a shape that is text', file({ a: tensor('4', 0, 16) }, 16)],
    ['sides whose product overflows', file({ a: tensor([2 ** 40, 2 ** 40], 0, 4) }, 4)],
    ['one offset', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0] } }, 4)],
    ['offsets backwards', file({ a: tensor([1], 4, 0) }, 4)],
    ['offsets beyond the file', file({ a: tensor([2], 0, 8) }, 4)],
    ['a size that the shape does not have', file({ a: tensor([1], 0, 8) }, 8)],
    ['an overlap', file({ a: tensor([2], 0, 8), b: tensor([2], 4, 12) }, 12)],
    ['the same bytes twice', file({ a: tensor([1], 0, 4), b: tensor([1], 0, 4) }, 4)],
    ['a gap', file({ a: tensor([1], 0, 4), b: tensor([1], 8, 12) }, 12)],
    ['a rest', file({ a: tensor([1], 0, 4) }, 5)],
    ['values cut short', file({ a: tensor([4], 0, 16) }, 15)],
    ['metadata that is not text', file({ __metadata__: { a: 1 } })],
  ];
  for (const [what, bytes] of cases)
    t.throws(() => decodeSafetensors(bytes, what), { code: 'SAFETENSORS_INVALID' }, what);
  t.equal(decodeSafetensors(file({})).tensors.size, 0, 'a file without tensors is a file');
  t.ok(
    decodeSafetensors(file('{"__proto__":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}', 1)).tensors.has('__proto__'),
  );
  t.end();
});

t.test(
  'a pipe in the place of a file is refused, and not waited for',
  { skip: process.platform === 'win32' && 'there are no pipes with names' },
  (t) => {
    const path = join(t.testdir({}), 'pipe.safetensors');
    execFileSync('mkfifo', [path]);
    t.throws(() => openSafetensors(path), { code: 'SAFETENSORS_INVALID', message: /must be a file/ });
    t.equal(looksLikeSafetensors(path), false);
    t.end();
  },
);
