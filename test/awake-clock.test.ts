import { asyncScheduler, from, lastValueFrom, Subject, toArray } from 'rxjs';
import t from 'tap';
import { AwakeClock } from '../src/awake-clock.ts';
import { mapOrdered } from '../src/streams/ordered/map-ordered.ts';
import { virtualTime } from './kit/virtual.ts';

/** A clock whose time the test makes. */
function madeTime() {
  let now = 1000;
  let ran = 0;
  let look = () => {};
  const timers = new Set<{ due: number; ring: () => void }>();
  const clock = new AwakeClock({
    now: () => now,
    ran: () => ran,
    every: (_, given) => {
      look = given;
    },
    after: (milliseconds, ring) => {
      const timer = { due: now + milliseconds, ring };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  });
  const ring = () => {
    for (const timer of [...timers]) {
      if (timer.due > now) continue;
      timers.delete(timer);
      timer.ring();
    }
  };
  return {
    clock,
    /** So much time passes, and the process has its turns, but has little to do. */
    run(milliseconds: number) {
      for (const end = now + milliseconds; now < end; look()) {
        now = Math.min(end, now + 1000);
        ring();
      }
    },
    /** So much time passes in which it does not run. Timers that are due then ring before anything else. */
    stop(milliseconds: number) {
      now += milliseconds;
      ring();
    },
    /** So much time passes in which the thread computes, or waits for a core. */
    compute(milliseconds: number) {
      now += milliseconds;
      ran += milliseconds;
      ring();
    },
  };
}

t.test('E3: time in which the process stood still does not count', (t) => {
  const { clock, run, stop } = madeTime();
  const since = clock.now();
  run(30_000);
  t.equal(clock.now() - since, 30_000);
  stop(64_000);
  t.ok(clock.now() - since <= 31_000, `${clock.now() - since} ms after a pause of 64 s`);
  const after = clock.now();
  run(10_000);
  t.equal(clock.now() - after, 10_000, 'it goes on from there');
  stop(3000);
  t.equal(clock.now() - after, 13_000, 'a busy machine is no pause');
  for (let i = 0; i < 5; i++) {
    stop(3_600_000);
    run(1000);
  }
  t.ok(clock.now() - after < 25_000, 'nor do many pauses add up');
  t.end();
});

t.test('E3: a thread that computes for long does not stand still; one that is stopped meanwhile does', (t) => {
  const { clock, run, stop, compute } = madeTime();
  const since = clock.now();
  compute(30_000);
  t.equal(clock.now() - since, 30_000, 'a step of half a minute');
  run(5000);
  compute(9000);
  compute(9000);
  t.equal(clock.now() - since, 53_000, 'steps without a turn between them');
  const before = clock.now();
  compute(8000);
  stop(64_000);
  compute(8000);
  const counted = clock.now() - before;
  t.ok(counted >= 16_000 && counted <= 18_000, `${counted} ms for 16 s of computing around a pause of 64 s`);
  t.end();
});

t.test('E3: a timer of this clock rings when its time could be used, and begins anew where there was progress', (t) => {
  const { clock, run, stop } = madeTime();
  let rung = 0;
  clock.timer(10_000, () => rung++);
  run(8000);
  stop(64_000);
  t.equal(rung, 0, 'not because of a pause');
  run(3000);
  t.equal(rung, 1);
  run(60_000);
  t.equal(rung, 1, 'once');
  const timer = clock.timer(10_000, () => rung++);
  run(9000);
  timer.refresh();
  run(9000);
  t.equal(rung, 1);
  run(2000);
  t.equal(rung, 2);
  const other = clock.timer(10_000, () => rung++);
  run(5000);
  other.refresh();
  run(7000);
  other.clear();
  run(60_000);
  t.equal(rung, 2, 'not when it was cleared');
  t.end();
});

t.test('E3: a time-out rings again when the pause is over, and then only when its time has passed', (t) => {
  // Virtual time rings; the clock that is asked forgives 64 s, as the real one does after a pause.
  const scheduler = virtualTime();
  scheduler.maxFrames = Number.POSITIVE_INFINITY;
  let forgiven = 0;
  const paused = Object.assign(Object.create(scheduler), { now: () => scheduler.frame - forgiven });
  const late: number[] = [];
  const source = new Subject<number>();
  const subscription = source
    .pipe(
      mapOrdered(() => new Promise<number>(() => {}), {
        concurrency: 2,
        timeout: {
          milliseconds: 60_000,
          late: (item) => {
            late.push(scheduler.frame);
            return item;
          },
          stuck: (places) => new Error(`stuck ${places}`),
        },
        scheduler: paused,
      }),
    )
    .subscribe();
  source.next(1);
  scheduler.schedule(() => {
    forgiven = 64_000;
  }, 1000);
  scheduler.flush();
  t.same(late, [124_000], 'not after the 60 s of the wall');
  subscription.unsubscribe();
  t.end();
});

t.test('E3: real time is the clock of streams', async (t) => {
  t.same(
    await lastValueFrom(
      from([1, 2]).pipe(
        mapOrdered((n) => n, { scheduler: asyncScheduler }),
        toArray(),
      ),
    ),
    [1, 2],
  );
  t.end();
});
