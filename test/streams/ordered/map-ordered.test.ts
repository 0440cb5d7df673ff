import { BehaviorSubject, concat, from, NEVER, type Observable, Subject, type Subscription, throwError } from 'rxjs';
import t from 'tap';
import { mapOrdered } from '../../../src/streams/ordered/map-ordered.ts';
import { after, never, virtualTime } from '../../kit/virtual.ts';

/** What an observable of virtual time emits, and how it ends. */
function collect<B>(make: (scheduler: ReturnType<typeof virtualTime>) => Observable<B>) {
  const scheduler = virtualTime();
  const seen: B[] = [];
  let end: unknown = 'open';
  make(scheduler).subscribe({
    next: (value) => seen.push(value),
    error: (error) => {
      end = error;
    },
    complete: () => {
      end = 'completed';
    },
  });
  scheduler.flush();
  return { seen, end, now: scheduler.now() };
}

t.test('empty, one, many, never', (t) => {
  const double = mapOrdered((x: number) => x * 2);
  t.match(
    collect(() => from<number[]>([]).pipe(double)),
    { seen: [], end: 'completed' },
  );
  t.match(
    collect(() => from([4]).pipe(double)),
    { seen: [8], end: 'completed' },
  );
  t.match(
    collect(() => from([1, 2, 3]).pipe(double)),
    { seen: [2, 4, 6], end: 'completed' },
  );
  t.match(
    collect(() => NEVER.pipe(mapOrdered((x: number) => x))),
    { seen: [], end: 'open' },
  );
  t.end();
});

t.test('an error of the source, of the work, and of a promise', (t) => {
  const oops = new Error('oops');
  const source = concat(
    from([1]),
    throwError(() => oops),
  );
  t.match(
    collect(() => source.pipe(mapOrdered((x) => x))),
    { seen: [1], end: oops },
  );
  const throws = (x: number) => {
    if (x === 2) throw oops;
    return x;
  };
  t.match(
    collect(() => from([1, 2, 3]).pipe(mapOrdered(throws))),
    { seen: [1], end: oops },
  );
  t.match(
    collect((s) => from([1, 2, 3]).pipe(mapOrdered((x: number) => after(s, x, () => throws(x)), { concurrency: 3 }))),
    {
      seen: [1],
      end: oops,
    },
  );
  t.end();
});

t.test('results come in order, and no more works run than allowed', (t) => {
  for (const concurrency of [1, 2, 5]) {
    let running = 0;
    let most = 0;
    const { seen } = collect((s) =>
      from([50, 10, 40, 5, 30, 1]).pipe(
        mapOrdered(
          (ms: number) => {
            most = Math.max(most, ++running);
            return after(s, ms, () => {
              running--;
              return ms;
            });
          },
          { concurrency, scheduler: s },
        ),
      ),
    );
    t.strictSame(seen, [50, 10, 40, 5, 30, 1]);
    t.equal(most, concurrency);
  }
  t.end();
});

t.test('concurrency may change while works run', (t) => {
  const concurrency = new BehaviorSubject(1);
  const starts: [number, number][] = [];
  collect((s) => {
    s.schedule(() => concurrency.next(3), 15);
    s.schedule(() => concurrency.next(1), 35);
    return from([0, 1, 2, 3, 4, 5, 6]).pipe(
      mapOrdered(
        (i: number) => {
          starts.push([i, s.now()]);
          return after(s, 10, () => i);
        },
        { concurrency, scheduler: s },
      ),
    );
  });
  t.strictSame(
    starts.map(([, at]) => at),
    [0, 10, 15, 15, 20, 25, 25],
  );
  t.end();
});

t.test('what comes too late is replaced, keeps its place, and all places late end the stream', (t) => {
  const work = (s: ReturnType<typeof virtualTime>) => (ms: number) =>
    ms < 0 ? never<string>() : after(s, ms, () => `done ${ms}`);
  const timeout = {
    milliseconds: 100,
    late: (ms: number) => `late ${ms}`,
    stuck: (places: number) => `stuck ${places}`,
  };
  t.match(
    collect((s) => from([10, 150, 20, 30]).pipe(mapOrdered(work(s), { concurrency: 2, timeout, scheduler: s }))),
    {
      seen: ['done 10', 'late 150', 'done 20', 'done 30'],
      end: 'completed',
    },
  );
  t.match(
    collect((s) => from([-1, 20, -1, 30]).pipe(mapOrdered(work(s), { concurrency: 2, timeout, scheduler: s }))),
    {
      seen: ['late -1', 'done 20', 'late -1'],
      end: 'stuck 2',
    },
  );
  t.end();
});

t.test('a work that ends the subscription and promises more is given up, and leaves no timer', (t) => {
  for (const before of [0, 1]) {
    const scheduler = virtualTime();
    const given: number[] = [];
    const source = new Subject<number>();
    const subscription: Subscription = source
      .pipe(
        mapOrdered(
          (i: number) => {
            if (i === before) subscription.unsubscribe();
            return after(scheduler, 5, () => i);
          },
          {
            concurrency: 2,
            scheduler,
            abandon: (i) => given.push(i),
            timeout: { milliseconds: 1000, late: (i) => i, stuck: () => 'stuck' },
          },
        ),
      )
      .subscribe();
    for (let i = 0; i <= before; i++) source.next(i);
    t.strictSame(
      given.sort(),
      Array.from({ length: before + 1 }, (_, i) => i),
    );
    scheduler.flush();
    t.ok(scheduler.now() < 1000, 'no alarm is left');
  }
  t.end();
});

t.test('what is inside when the subscription ends is given up, once', (t) => {
  const scheduler = virtualTime();
  const given: number[] = [];
  const seen: number[] = [];
  const subscription = from([0, 1, 2, 3, 4])
    .pipe(
      mapOrdered((i: number) => after(scheduler, i === 0 ? 1 : 100, () => i), {
        concurrency: 2,
        scheduler,
        abandon: (i) => given.push(i),
      }),
    )
    .subscribe((i) => seen.push(i));
  scheduler.schedule(() => subscription.unsubscribe(), 50);
  scheduler.flush();
  t.strictSame({ seen, given }, { seen: [0], given: [1, 2, 3, 4] });
  t.end();
});
