import t from 'tap';
import { endOfStruct } from '../../../src/formats/parquet/thrift.ts';

/** A field of a structure: `kind` in its low half, how far it is behind the one before in the high one. */
const field = (kind: number, ...value: number[]) => [(1 << 4) | kind, ...value];

t.test('the end of a structure, whatever is in it', (t) => {
  const bytes = Uint8Array.from([
    ...field(1),
    ...field(2),
    ...field(3, 7),
    ...field(5, 0x80, 1),
    ...field(6, ...Array<number>(9).fill(0xff), 1),
    ...field(7, ...Array<number>(8).fill(0)),
    ...field(8, 2, 65, 66),
    ...field(9, 0x21, 1, 2),
    ...field(9, 0xf5, 16, ...Array<number>(16).fill(3)),
    ...field(9, 0x1c, ...field(5, 1), 0),
    ...field(12, ...field(8, 0), 0),
    ...[5, 40, 1], // a field by its number
    0,
    99,
  ]);
  t.equal(endOfStruct(bytes, 0), bytes.length - 1);
  for (let cut = 0; cut < bytes.length - 1; cut++)
    t.throws(() => endOfStruct(bytes.subarray(0, cut), 0), /beyond the end|in \d+ bytes?/, `cut at ${cut}`);
  t.end();
});

t.test('lists and numbers that are longer than what is there, and structures without an end', (t) => {
  const many = [0xff, 0xff, 0xff, 0x0f];
  t.throws(() => endOfStruct(Uint8Array.from([...field(9, 0xf5, ...many), 1, 0]), 0), /a list of 33554431 in 2 bytes/);
  t.throws(() => endOfStruct(Uint8Array.from([...field(9, 0x3c), 0, 0, 0, 0]), 0), /a list of 3 in 4 bytes/);
  const empty = [...field(9, 0x2c), 0, 0, 0, 0, 0, 0, 0];
  t.throws(() => endOfStruct(Uint8Array.from(empty), 0), /structures without fields/);
  t.throws(() => endOfStruct(Uint8Array.from([...field(8, ...many), 1, 0]), 0), /beyond the end/);
  t.throws(() => endOfStruct(Uint8Array.from(field(6, ...Array<number>(99).fill(0xff))), 0), /more than 10 bytes/);
  t.throws(() => endOfStruct(new Uint8Array(1000).fill((1 << 4) | 12), 0), /deeper than 32/);
  t.throws(() => endOfStruct(new Uint8Array(1000).fill(0x19), 0), /deeper than 32/);
  t.throws(() => endOfStruct(Uint8Array.from([...field(13), 0]), 0), /unknown kind 13/);
  t.end();
});
