import fc from 'fast-check';
import t from 'tap';
import { ProtoMessage } from '../../src/formats/proto.ts';
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

t.test('large fields are not copied', (t) => {
  const large = new Uint8Array(1 << 17);
  const message = new ProtoMessage().int(1, 1).message(5, new ProtoMessage().bytes(1, large)).int(1, 2);
  t.ok([...message.pieces()].includes(large));
  t.end();
});
