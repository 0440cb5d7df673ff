import fc from 'fast-check';
import t from 'tap';
import { type Cell, Ring } from '../../src/streams/ring.ts';

t.test('a cell is out once at a time, and there is one as long as one is free, wherever batches begin', (t) => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant('take' as const) },
    fc.record({ free: fc.nat(), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ left: fc.nat(6), size: fc.integer({ min: 1, max: 5 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16 }), fc.array(step, { maxLength: 200 }), (cells, steps) => {
      const ring = new Ring(cells, 64);
      const out: Cell[] = [];
      for (const step of steps) {
        if (step === 'take') {
          const cell = ring.take();
          if (cell === undefined) t.equal(out.length, cells, 'none where all are out');
          else {
            if (out.some(({ index }) => index === cell.index)) t.fail(`cell ${cell.index} twice`);
            out.push(cell);
          }
        } else if ('left' in step) ring.begins(step.left, step.size);
        else ring.free(out.splice(step.free % (out.length + 1), step.count).map(({ index }) => index));
        if (ring.available !== cells - out.length || !out.every(({ current }) => current)) t.fail('free and out');
      }
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('a batch begins at the first place where it fits', (t) => {
  const ring = new Ring(8, 64);
  const take = (count: number) => Array.from({ length: count }, () => ring.take()!.index);
  t.strictSame(take(6), [0, 1, 2, 3, 4, 5]);
  ring.free([1, 4, 5]);
  ring.begins(1, 2);
  t.strictSame(take(1), [6], 'one more of the batch before');
  t.strictSame(take(2), [4, 5]);
  ring.free([0]);
  t.strictSame(take(2), [0, 1], 'the next is as large');
  ring.free([3]);
  t.strictSame(take(2), [3, 7], 'where none fits, round the ring');
  t.end();
});
