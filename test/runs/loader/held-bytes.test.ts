import t from 'tap';
import { HeldBytes } from '../../../src/runs/loader/held-bytes.ts';

t.test('samples that are still to be read count as mean ones; those that have ended count no more', (t) => {
  const held = new HeldBytes({ most: 100, free: 2 });
  t.same([held.hasRoom(0), held.hasRoom(1), held.hasRoom(2)], [true, true, false], 'nothing is known yet');
  t.equal(held.holds(0, 10), true, 'the first');
  t.equal(held.holds(1, 30), false);
  // 40 are held, and a mean one has 20.
  t.same([held.hasRoom(2), held.hasRoom(4), held.hasRoom(5)], [true, true, false]);
  held.let(1);
  t.same([held.hasRoom(4), held.hasRoom(5)], [true, false]);
  held.let(7);
  held.let(0);
  t.same([held.hasRoom(4), held.hasRoom(5)], [true, false], 'none is held');
  t.end();
});
