import { Subject } from 'rxjs';
import t from 'tap';
import { inOrder } from '../../../src/streams/ordered/in-order.ts';
import { type Carried, Permits, whole } from '../../../src/streams/permits.ts';

/** Samples 0 … n − 1 with their permits, a subject to send them in any order, and what comes out. */
function setUp(n: number, start = 0) {
  const permits = new Permits(n);
  const carried = Array.from({ length: n }, (_, i): Carried => {
    const position = start + i;
    return { sample: { key: `s${position}`, position, epoch: 0 }, permit: permits.take(position)!, part: whole };
  });
  const source = new Subject<Carried>();
  const seen: string[] = [];
  let completed = false;
  const subscription = source.pipe(inOrder(permits, start)).subscribe({
    next: ({ sample, permit }) => {
      seen.push(sample.key);
      permit.return();
    },
    complete: () => {
      completed = true;
    },
  });
  return { permits, carried, source, seen, subscription, done: () => completed };
}

t.test('samples leave in the order of their positions, from where the run begins', (t) => {
  const { carried, source, seen, permits, done } = setUp(5, 40);
  for (const i of [2, 0, 4, 1, 3]) source.next(carried[i]!);
  t.strictSame(seen, ['s40', 's41', 's42', 's43', 's44']);
  source.complete();
  t.ok(done());
  t.equal(permits.open, 0);
  t.end();
});

t.test('a position whose permit has returned is passed over, whenever it returns', (t) => {
  const { carried, source, seen } = setUp(5);
  carried[0]!.permit.return();
  source.next(carried[1]!);
  t.strictSame(seen, ['s1']);
  source.next(carried[4]!);
  carried[3]!.permit.return();
  t.strictSame(seen, ['s1']);
  carried[2]!.permit.return();
  t.strictSame(seen, ['s1', 's4']);
  t.end();
});

t.test('the parts of a sample leave together, in the order of their numbers, without those that were dropped', (t) => {
  const { carried, source, seen } = setUp(2);
  const { sample, permit } = carried[0]!;
  permit.share(3);
  const part = (...path: number[]): Carried => ({ sample: { ...sample, key: path.join('/') }, permit, part: path });
  source.next(part(10));
  source.next(carried[1]!);
  source.next(part(2));
  t.strictSame(seen, [], 'one part is still under way');
  permit.return();
  t.strictSame(seen, ['2', '10', 's1']);
  t.end();
});

t.test('what waits goes out when the source ends before its predecessors have come', (t) => {
  const { carried, source, seen, done } = setUp(4);
  source.next(carried[3]!);
  source.next(carried[1]!);
  source.complete();
  t.strictSame(seen, ['s1', 's3']);
  t.ok(done());
  t.end();
});

t.test('what waits gives its permits back when the subscription ends', (t) => {
  const { carried, source, permits, subscription } = setUp(3);
  source.next(carried[2]!);
  source.next(carried[1]!);
  subscription.unsubscribe();
  t.equal(permits.open, 1, 'the first was never handed over');
  t.end();
});
