import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { unpacked } from '../../../src/formats/parquet/unpack.ts';

const plain = Buffer.from('a page of values, of values, of values, and so on. '.repeat(9));

/** A length as LZ4 has it: what does not fit into half a byte follows. */
function lengthBytes(length: number): number[] {
  if (length < 15) return [];
  const rest = length - 15;
  return [...Array<number>(Math.floor(rest / 255)).fill(255), rest % 255];
}

/** A block of LZ4: `literals`, then `repeated` bytes from `back` bytes before, then `last`. */
function lz4(literals: Uint8Array, back: number, repeated: number, last: Uint8Array): Buffer {
  const half = (length: number) => Math.min(15, length);
  return Buffer.from([
    (half(literals.length) << 4) | half(repeated - 4),
    ...lengthBytes(literals.length),
    ...literals,
    ...[back & 255, back >> 8],
    ...lengthBytes(repeated - 4),
    ...[half(last.length) << 4, ...lengthBytes(last.length), ...last],
  ]);
}

function literal(bytes: Uint8Array): Buffer {
  return Buffer.from([Math.min(15, bytes.length) << 4, ...lengthBytes(bytes.length), ...bytes]);
}

/** The length of the text of which `plain` has nine. */
const once = plain.length / 9;
const block = lz4(plain.subarray(0, once), once, 7 * once, plain.subarray(8 * once));

function behindLengths(blocks: readonly (readonly [length: number, packed: Uint8Array])[]): Buffer {
  return Buffer.concat(
    blocks.flatMap(([length, packed]) => {
      const head = Buffer.alloc(8);
      head.writeUInt32BE(length);
      head.writeUInt32BE(packed.length, 4);
      return [head, packed];
    }),
  );
}

const pages = [
  ['GZIP', gzipSync(plain)],
  ['GZIP', deflateSync(plain)],
  ['GZIP', Buffer.concat([gzipSync(plain.subarray(0, 100)), gzipSync(plain.subarray(100))])],
  ['BROTLI', brotliCompressSync(plain)],
  ['LZ4_RAW', block],
  ['LZ4', block],
  ['LZ4', behindLengths([[plain.length, block]])],
  [
    'LZ4',
    behindLengths([
      [once, literal(plain.subarray(0, once))],
      [8 * once, literal(plain.subarray(once))],
    ]),
  ],
] as const;

t.test('pages come out as they went in', (t) => {
  for (const [codec, page] of pages) t.ok(plain.equals(unpacked(codec, page, plain.length)), codec);
  const overlapping = lz4(Buffer.from('ab'), 2, 298, Buffer.from('!'));
  t.equal(Buffer.from(unpacked('LZ4_RAW', overlapping, 301)).toString(), `${'ab'.repeat(150)}!`);
  t.equal(unpacked('LZ4_RAW', Buffer.of(0), 0).length, 0, 'an empty page');
  t.end();
});

t.test('a page that ends early, wherever that is, or has another length than it says, is no page', (t) => {
  for (const [codec, page] of pages) {
    for (let cut = 0; cut < page.length; cut++)
      t.throws(() => unpacked(codec, page.subarray(0, cut), plain.length), `${codec} cut at ${cut}`);
    for (const length of [0, plain.length - 1, plain.length + 1])
      t.throws(() => unpacked(codec, page, length), `${codec}, of ${length}`);
  }
  t.throws(() => unpacked('LZ4_RAW', lz4(Buffer.from('ab'), 3, 4, Buffer.from('!')), 7), /repeats what is not there/);
  const changed = gzipSync(plain);
  changed[changed.length - 6]! ^= 1;
  t.throws(() => unpacked('GZIP', changed, plain.length), /data check/, 'a checksum that is another');
  t.end();
});
