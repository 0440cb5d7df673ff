import { Subject } from 'rxjs';
import t from 'tap';
import { gate } from '../../src/streams/gate.ts';
import { type Carried, Permits } from '../../src/streams/permits.ts';

function opened(capacity: number, ends: Subject<number> | number, start = 0) {
  const permits = new Permits(capacity);
  const out: Carried<number>[] = [];
  const told = { out, completed: false, error: undefined as unknown, permits };
  gate(permits, (position) => position, { start, end: ends }).subscribe({
    next: (carried) => out.push(carried),
    complete: () => {
      told.completed = true;
    },
    error: (error: unknown) => {
      told.error = error;
    },
  });
  return told;
}

const positions = (out: readonly Carried<number>[]) => out.map(({ sample }) => sample);

t.test('tickets up to the end, each for a permit', async (t) => {
  const { out, permits } = opened(2, 3);
  t.same(positions(out), [0, 1]);
  out[0]!.permit.return();
  t.same(positions(out), [0, 1, 2]);
  t.equal(permits.open, 2);
  t.equal(opened(2, 0).completed, true, 'none at all');
});

t.test('an end that becomes known: the gate waits there, and goes on', async (t) => {
  const ends = new Subject<number>();
  const told = opened(10, ends, 5);
  t.same(positions(told.out), []);
  ends.next(7);
  t.same(positions(told.out), [5, 6]);
  told.out[0]!.permit.return();
  t.same(positions(told.out), [5, 6], 'a free permit brings nothing that is not there');
  ends.next(7);
  ends.next(8);
  t.same(positions(told.out), [5, 6, 7]);
  t.equal(told.completed, false);
  ends.complete();
  t.equal(told.completed, true);
});

t.test('its completion is the end also of tickets that had no permit yet', async (t) => {
  const ends = new Subject<number>();
  const told = opened(2, ends);
  ends.next(100);
  ends.complete();
  t.equal(told.completed, true);
  told.out[0]!.permit.return();
  t.same(positions(told.out), [0, 1]);
});

t.test('its error is the error of the gate', async (t) => {
  const ends = new Subject<number>();
  const told = opened(2, ends);
  ends.error('gone');
  t.equal(told.error, 'gone');
});
