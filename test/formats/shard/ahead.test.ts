import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { BufferPool } from '../../../src/files/buffer-pool.ts';
import { ReadAhead } from '../../../src/formats/shard/ahead.ts';

const { signal } = new AbortController();

/** Records that are read when `end` says so, and what has become of them. */
function records(count: number, bytes = 2 ** 17) {
  let open: { readonly index: number; resolve(): void; reject(error: Error): void }[] = [];
  const begun: number[] = [];
  const dropped: string[] = [];
  const ahead = new ReadAhead<string>({
    count,
    bytes: () => bytes,
    read(index) {
      begun.push(index);
      return new Promise((resolve, reject) => {
        open.push({ index, resolve: () => resolve(`record ${index}`), reject });
      });
    },
    drop: (record) => void dropped.push(record),
  });
  const end = (isWanted: (index: number) => boolean) => {
    open = open.filter(({ index, resolve }) => {
      if (!isWanted(index)) return true;
      resolve();
      return false;
    });
  };
  const fail = (index: number) => open.find((one) => one.index === index)!.reject(new Error('damaged'));
  return { ahead, begun, dropped, fail, end };
}

t.test('records that are asked for in order are read before they are asked for', async (t) => {
  const memory = new BufferPool();
  const { ahead, begun, fail, end } = records(1000);
  for (let i = 0; i < 3; i++) ahead.read(i, signal, memory);
  t.same(begun, [0, 1, 2], 'three may be chance');
  for (let i = 3; i < 5; i++) ahead.read(i, signal, memory);
  t.same(begun.length, 5 + 32, 'as many as 4 MiB hold');
  end(() => true);
  await Promise.resolve();
  t.equal(ahead.read(5, signal, memory), 'record 5', 'at once');
  t.equal(begun.at(-1), 37, 'and one more is begun');
  t.same(begun, [...begun.keys()], 'none twice');
  fail(37);
  for (let i = 6; i < 37; i++) await ahead.read(i, signal, memory);
  await t.rejects(Promise.resolve(ahead.read(37, signal, memory)), { message: 'damaged' });
});

t.test('small records are not read without end, large ones not ahead, and none without memory that comes back', (t) => {
  const memory = new BufferPool();
  const small = records(1000, 10);
  const large = records(1000, 2 ** 23);
  const own = records(1000);
  for (let i = 0; i < 8; i++) {
    small.ahead.read(i, signal, memory);
    large.ahead.read(i, signal, memory);
    own.ahead.read(i, signal, undefined);
  }
  t.equal(small.begun.length, 8 + 64);
  t.equal(large.begun.length, 8);
  t.equal(own.begun.length, 8);
  t.end();
});

t.test('in every order, each record is what was asked for, and what nobody asks for goes back', async (t) => {
  t.plan(1);
  const runs = fc.array(fc.record({ from: fc.nat(199), length: fc.integer({ min: 1, max: 40 }) }), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(runs, fc.infiniteStream(fc.nat(3)), async (runs, chances) => {
      const memory = new BufferPool();
      const { ahead, begun, dropped, end } = records(200, 2 ** 18);
      let [asked, last] = [0, 0];
      for (const { from, length } of runs) {
        for (let i = from; i < Math.min(200, from + length); i++) {
          last = i;
          const reading = ahead.read(i, signal, memory);
          asked++;
          end((index) => index === i || chances.next().value === 0);
          if ((await reading) !== `record ${i}`) return false;
        }
      }
      // Far from there: what was read ahead is let go of, once it is there.
      ahead.read((last + 100) % 200, signal, memory);
      end(() => true);
      await setImmediate();
      return begun.length - dropped.length === asked + 1;
    }),
    { seed: 11, numRuns: 200 },
  );
  t.pass('in all of them');
});
