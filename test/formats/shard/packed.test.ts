import t from 'tap';
import { counted } from '../../../src/counts.ts';
import { crc32 } from '../../../src/formats/shard/checksum.ts';
import { Damage, decodeFrame, encodeFrame, prefixBytes, TooLarge } from '../../../src/formats/shard/frame.ts';
import { pack, unpack, valuesOf } from '../../../src/formats/shard/packed.ts';

/** A sound frame with a header as it is given. */
function frameOf(kind: string, header: Uint8Array): Buffer {
  const frame = Buffer.concat([Buffer.alloc(prefixBytes), header]);
  frame.write(kind, 4, 'latin1');
  frame.writeUInt32LE(header.length, 8);
  frame.writeUInt32LE(crc32(frame.subarray(4)), 0);
  return frame;
}

/** A map with one list of so many empty maps: one byte each, and an object each where it is unpacked. */
function bomb(count: number): Buffer {
  const header = Buffer.concat([Buffer.from([0x81, 0xa1, 0x61, 0xdd, 0, 0, 0, 0]), Buffer.alloc(count, 0x80)]);
  header.writeUInt32BE(count, 4);
  return header;
}

t.test('values are counted, and only so many are taken', (t) => {
  t.equal(valuesOf(pack({ a: [1, 'b', { c: null }], d: true })), 10);
  t.same(unpack(pack([1, 2]), 3), [1, 2]);
  t.throws(() => unpack(pack([1, 2]), 2), /more than 2 values/);
  t.end();
});

t.test('a header of few bytes and very many values is damage, before anything is made of it', (t) => {
  for (const [kind, most] of [
    ['RECD', 2 ** 15],
    ['INFO', 2 ** 18],
  ] as const) {
    // The map, its key and its list are values too.
    t.equal((decodeFrame(frameOf(kind, bomb(most - 3)), kind).header.a as unknown[]).length, most - 3);
    t.throws(
      () => decodeFrame(frameOf(kind, bomb(most - 2)), kind),
      new Damage(`a header with more than ${counted(most, 'value')}`),
    );
    t.throws(
      () => encodeFrame(kind, { a: Array(most - 2).fill({}) }),
      new TooLarge('header', `${counted(most + 1, 'value')} in its fields`, `${counted(most, 'value')} in its fields`),
    );
    t.ok(encodeFrame(kind, { a: Array(most - 3).fill({}) }));
  }
  t.end();
});
