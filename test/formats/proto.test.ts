import fc from 'fast-check';
import t from 'tap';
import type { Positioned } from '../../src/files/positioned.ts';
import { ProtoMessage, ProtoReader } from '../../src/formats/proto.ts';
import { readMessage } from '../kit/proto.ts';

const schemas = {
  Outer: '1 n *int64; 2 x double; 3 y float; 4 text string; 5 inner *Inner',
  Inner: '1 bytes bytes; 2 n int64',
};

t.test('messages are what an independent reader reads, in one piece and in several', (t) => {
  const whole = fc.maxSafeInteger();
  const inner = fc.record({ size: fc.constantFrom(0, 1, 127, 128, 70_000), n: whole });
  fc.assert(
    fc.property(
      fc.array(whole),
      fc.double(),
      fc.string({ unit: 'grapheme' }),
      fc.array(inner, { maxLength: 3 }),
      (n, x, text, all) => {
        const message = new ProtoMessage();
        for (const each of n) message.int(1, each);
        message.double(2, x).float(3, 0.5).text(4, text);
        for (const { size, n } of all)
          message.message(5, new ProtoMessage().bytes(1, new Uint8Array(size).fill(7)).int(2, n));
        const bytes = message.encoded();
        t.equal(message.length, bytes.length);
        t.ok(Buffer.concat([...message.pieces()]).equals(bytes), 'the pieces are the whole');
        const found = readMessage(schemas, 'Outer', bytes);
        t.same(found.n ?? [], n);
        t.ok(Object.is(found.x, x) && found.y === 0.5 && found.text === text);
        const read = (found.inner ?? []) as { bytes: Uint8Array; n: number }[];
        t.same(
          read.map(({ bytes, n }) => ({ size: bytes.length, n })),
          all,
        );
      },
    ),
  );
  t.end();
});

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

t.test('large fields are not copied', (t) => {
  const large = new Uint8Array(1 << 17);
  const message = new ProtoMessage().int(1, 1).message(5, new ProtoMessage().bytes(1, large)).int(1, 2);
  t.ok([...message.pieces()].includes(large));
  t.end();
});

const inMemory = (bytes: Uint8Array): Positioned => ({
  name: 'm',
  size: bytes.length,
  read: async (offset, length) => Buffer.from(bytes.subarray(offset, offset + length)),
});
const readerOf = (bytes: Uint8Array) =>
  new ProtoReader(inMemory(bytes), (at, found) => new Error(`byte ${at}: ${found}`));

t.test('a message that is read field by field is what was written, wherever windows end', async (t) => {
  const text = 'é'.repeat(40_000);
  const numbers = [0, -1, 127, 128, 2 ** 31, -(2 ** 40), Number.MAX_SAFE_INTEGER];
  const message = new ProtoMessage().double(2, 0.5).float(3, 1).text(4, text);
  for (const n of numbers) message.int(1, n);
  message.message(5, new ProtoMessage().bytes(1, new Uint8Array(100_000)).int(2, 7)).int(6, 1);
  const bytes = message.encoded();
  const reader = readerOf(bytes);
  const found: unknown[] = [];
  for await (const field of reader.fields({ at: 0, length: bytes.length })) {
    if (field.number === 1) found.push(reader.integer(field));
    else if (field.number === 4) found.push((await reader.text(field)) === text);
    else if (field.number === 5) {
      for await (const { number, length } of reader.fields(field)) found.push([number, length]);
    } else found.push([field.number, field.length]);
  }
  t.same(found, [[2, 8], [3, 4], true, ...numbers, [1, 100_000], [2, 1], [6, 1]]);
  const together = new ProtoMessage().bytes(1, Uint8Array.of(3, 0xac, 2));
  const packed = readerOf(together.encoded());
  for await (const field of packed.fields({ at: 0, length: together.length })) {
    t.same(await all(packed.integers(field)), [3, 300], 'integers that share a field');
    t.equal(await packed.countIntegers(field), 2);
  }
  const many = new ProtoMessage().bytes(1, Buffer.concat(Array<Uint8Array>(50_000).fill(Uint8Array.of(0xac, 0x82, 2))));
  const counted = readerOf(many.encoded());
  for await (const field of counted.fields({ at: 0, length: many.length }))
    t.equal(await counted.countIntegers(field), 50_000, 'over several windows, which part integers');
  const alone = new ProtoMessage().int(1, 300);
  const single = readerOf(alone.encoded());
  for await (const field of single.fields({ at: 0, length: alone.length })) {
    t.same(await all(single.integers(field)), [300]);
    t.equal(await single.countIntegers(field), 1);
  }
  const long = new ProtoMessage().text(1, 'a'.repeat(2 ** 20 + 1));
  const cut = readerOf(long.encoded());
  for await (const field of cut.fields({ at: 0, length: long.length }))
    t.equal((await cut.text(field)).length, 2 ** 20 + 1, 'cut, and an ellipsis');
});

t.test('what is no message is refused, with its place', async (t) => {
  const refused = async (bytes: readonly number[], message: string) => {
    const reader = readerOf(Uint8Array.from(bytes));
    const all = async () => {
      for await (const field of reader.fields({ at: 0, length: bytes.length })) {
        if (field.number === 1) reader.integer(field);
        if (field.number === 2) await reader.text(field);
        if (field.number === 3) for await (const _ of reader.fields(field));
        if (field.number === 4) for await (const _ of reader.integers(field));
        if (field.number === 5) await reader.countIntegers(field);
      }
    };
    await t.rejects(all(), { message });
  };
  await refused([0x00, 0x01], 'byte 0: a field without a number');
  await refused([0x28, 0x01, 0x2b], 'byte 2: bytes that are no field of a message');
  await refused([0x32, 0x05, 0x01], 'byte 0: a field of 5 bytes, of which 1 is there');
  await refused([0x29, 0x01], 'byte 0: a field of 8 bytes, of which 1 is there');
  await refused([0x28, 0x80], 'byte 1: its end within a number');
  await refused([0x28, ...Array(10).fill(0xff), 1], 'byte 1: a number of more than 64 bits');
  await refused([0x0a, 0x01, 0x01], 'byte 2: something else in the place of a number');
  await refused([0x10, 0x01], 'byte 1: a number in the place of a text');
  await refused([0x18, 0x01], 'byte 1: a number in the place of a message');
  for (const key of [0x22, 0x2a]) {
    await refused([key, 0x02, 0x01, 0x80], 'byte 3: its end within a number');
    await refused([key, 0x0c, 0x01, ...Array(10).fill(0x80), 1], 'byte 3: a number of more than 64 bits');
  }
});
