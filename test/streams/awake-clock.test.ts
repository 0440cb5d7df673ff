import { asyncScheduler, from, lastValueFrom, Subject, toArray } from 'rxjs';
import t from 'tap';
import { AwakeClock } from '../../src/streams/awake-clock.ts';
import { mapOrdered } from '../../src/streams/map-ordered.ts';
import { virtualTime } from '../kit/virtual.ts';

/** A clock whose time the test makes. */
function madeTime() {
  let now = 1000;
  let look = () => {};
  const clock = new AwakeClock({
    now: () => now,
    every: (_, given) => {
      look = given;
    },
  });
  return {
    clock,
    /** So much time passes, and the process runs. */
    run(milliseconds: number) {
      for (const end = now + milliseconds; now < end; look()) now = Math.min(end, now + 1000);
    },
    /** So much time passes in which it does not. */
    stop(milliseconds: number) {
      now += milliseconds;
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
