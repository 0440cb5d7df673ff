import fc from 'fast-check';
import t from 'tap';
import { order } from '../../../src/streams/ordered/order.ts';

t.test('each epoch is a permutation, a pure function of count, seed and epoch', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(), fc.integer({ min: 0, max: 5 }), (count, seed, epoch) => {
      const place = order({ count }, seed, true);
      const places = Array.from({ length: count }, (_, i) => place(epoch * count + i));
      const indices = places.map(({ index }) => index);
      const sorted = [...indices].sort((a, b) => a - b);
      // Asked for alone, and after another epoch: the same.
      const again = order({ count }, seed, true);
      again(0);
      return (
        sorted.every((index, i) => index === i) &&
        places.every((one) => one.epoch === epoch) &&
        indices.every((index, i) => again(epoch * count + i).index === index)
      );
    }),
  );
  t.pass('any count, seed and epoch');
  t.end();
});

t.test('epochs differ, seeds differ, and listing order is kept without shuffling', (t) => {
  const first = (seed: number, start: number) => {
    const place = order({ count: 50 }, seed, true);
    return Array.from({ length: 50 }, (_, i) => place(start + i).index).join();
  };
  t.not(first(1, 0), first(1, 50));
  t.not(first(1, 0), first(2, 0));
  const listing = order({ count: 3 }, 1, false);
  t.strictSame(
    [0, 1, 2, 3, 4].map((position) => listing(position)),
    [
      { epoch: 0, index: 0 },
      { epoch: 0, index: 1 },
      { epoch: 0, index: 2 },
      { epoch: 1, index: 0 },
      { epoch: 1, index: 1 },
    ],
  );
  t.end();
});

t.test('indices of a source that turns go on from epoch to epoch, in the order of one that does not', (t) => {
  for (const shuffle of [true, false]) {
    const [turning, resting] = [order({ count: 9, turns: true }, 3, shuffle), order({ count: 9 }, 3, shuffle)];
    for (let position = 0; position < 30; position++) {
      const { epoch, index } = resting(position);
      t.strictSame(turning(position), { epoch, index: 9 * epoch + index });
    }
  }
  t.end();
});

t.test('VECTOR: count 10, seed 7, epochs 0 and 1', (t) => {
  const place = order({ count: 10 }, 7, true);
  t.matchSnapshot(Array.from({ length: 20 }, (_, i) => place(i).index).join(' '));
  t.end();
});
