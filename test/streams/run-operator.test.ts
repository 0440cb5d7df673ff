import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import {
  auditTime,
  bufferTime,
  concatMap,
  debounceTime,
  delay,
  EMPTY,
  filter,
  from,
  ignoreElements,
  interval,
  lastValueFrom,
  map,
  mergeMap,
  type Observable,
  type OperatorFunction,
  of,
  type SchedulerLike,
  Subject,
  sampleTime,
  takeUntil,
  tap,
  throttleTime,
  timer,
  toArray,
  VirtualTimeScheduler,
} from 'rxjs';
import t, { type Test } from 'tap';
import { Budget } from '../../src/streams/failures.ts';
import { gate } from '../../src/streams/gate.ts';
import { StageMeter } from '../../src/streams/meter.ts';
import { inOrder } from '../../src/streams/ordered/in-order.ts';
import { Permits } from '../../src/streams/permits.ts';
import { runOperator } from '../../src/streams/run-operator.ts';
import type { Sample } from '../../src/streams/sample.ts';
import { operator } from '../../src/streams/stage.ts';
import { type Link, tryChain } from '../kit/laws.ts';

type Op = OperatorFunction<Sample, Sample>;
type Keep = (sample: Sample) => boolean;

/** Operators that wait, and let out what `keep` says, with what each must be allowed to hold. */
const swallowing: Record<string, { holds: number; op: (scheduler: SchedulerLike, keep: Keep) => Op }> = {
  'delay, filter': { holds: 1, op: (scheduler, keep) => (source) => source.pipe(delay(10, scheduler), filter(keep)) },
  'delay, delay, filter': {
    holds: 2,
    op: (scheduler, keep) => (source) => source.pipe(delay(10, scheduler), delay(5, scheduler), filter(keep)),
  },
  throttleTime: {
    holds: 1,
    op: (scheduler, keep) => (source) => source.pipe(throttleTime(20, scheduler), filter(keep)),
  },
  'throttleTime, its last': {
    holds: 1,
    op: (scheduler) => throttleTime(20, scheduler, { leading: false, trailing: true }),
  },
  auditTime: { holds: 1, op: (scheduler, keep) => (source) => source.pipe(auditTime(20, scheduler), filter(keep)) },
  debounceTime: {
    holds: 1,
    op: (scheduler, keep) => (source) => source.pipe(debounceTime(20, scheduler), filter(keep)),
  },
  sampleTime: { holds: 1, op: (scheduler, keep) => (source) => source.pipe(sampleTime(20, scheduler), filter(keep)) },
  bufferTime: {
    holds: 2,
    op: (scheduler, keep) => (source) =>
      source.pipe(
        bufferTime(30, scheduler),
        mergeMap((many) => from(many)),
        filter(keep),
      ),
  },
  'bufferTime of three at most': {
    holds: 3,
    op: (scheduler, keep) => (source) =>
      source.pipe(
        bufferTime(30, null, 3, scheduler),
        mergeMap((many) => from(many)),
        filter(keep),
      ),
  },
  'bufferTime, delay': {
    holds: 2,
    op: (scheduler, keep) => (source) =>
      source.pipe(
        bufferTime(30, scheduler),
        mergeMap((many) => from(many).pipe(delay(70, scheduler))),
        filter(keep),
      ),
  },
  mergeMap: {
    holds: 3,
    op: (scheduler, keep) =>
      mergeMap((sample) => {
        const time = (sample.position * 31) % 40;
        return keep(sample)
          ? of(sample).pipe(delay(time, scheduler))
          : timer(time, scheduler).pipe(
              ignoreElements(),
              map(() => sample),
            );
      }),
  },
  'mergeMap, two at a time': {
    holds: 4,
    op: (scheduler, keep) =>
      mergeMap((sample) => {
        const waited = timer((sample.position * 17) % 50, scheduler);
        return waited.pipe(mergeMap(() => (keep(sample) ? of(sample) : EMPTY)));
      }, 2),
  },
  concatMap: {
    holds: 2,
    op: (scheduler, keep) =>
      concatMap((sample) => timer(10, scheduler).pipe(mergeMap(() => (keep(sample) ? of(sample) : EMPTY)))),
  },
};

/** Which samples are kept, from all to none. */
const keeps: Record<string, Keep> = {
  all: () => true,
  most: ({ position }) => position % 40 !== 7,
  some: ({ position }) => position % 3 === 1,
  few: ({ position }) => position % 17 === 3,
  none: () => false,
};

t.test('M2: what an operator swallows behind a timer is dropped, and nothing waits for its time-out', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(swallowing)),
      fc.constantFrom(...Object.keys(keeps)),
      fc.integer({ min: 0, max: 4 }),
      fc.record({
        count: fc.integer({ min: 0, max: 120 }),
        permits: fc.integer({ min: 16, max: 40 }),
        consumerMs: fc.constantFrom(0, 3, 50),
        ordered: fc.boolean(),
      }),
      (name, kept, more, trial) => {
        const { op, holds } = swallowing[name]!;
        const link: Link = (scheduler) => operator(op(scheduler, keeps[kept]!), { holds: holds + more, name: 'op' });
        // What would wait once would wait longer than all the rest takes.
        const verdict = tryChain([link], { ...trial, timeoutSeconds: 600 });
        const { broken, error, failures, completed, keys, drops, milliseconds } = verdict;
        if (error !== undefined) throw error;
        if (broken.length > 0) throw new Error(broken.join('; '));
        if (!completed || failures.length > 0) throw new Error(`${failures.length} failed`);
        if (keys.length + drops !== trial.count) throw new Error(`${keys.length} out, ${drops} dropped`);
        if (milliseconds >= 600_000) throw new Error(`a time-out was waited for: ${milliseconds} ms`);
      },
    ),
    { numRuns: 1500 },
  );
  t.pass('1500 trials');
  t.end();
});

t.test('M2: one that keeps as many as it may, and works on them later, loses none', (t) => {
  for (const [name, { op, holds }] of Object.entries(swallowing)) {
    if (/Time$|Time,|throttle/.test(name) && !name.startsWith('buffer')) continue;
    for (const ordered of [false, true]) {
      const link: Link = (scheduler) => operator(op(scheduler, keeps.all!), { holds, name: 'op' });
      const { keys, error } = tryChain([link], { count: 200, permits: 16, ordered, consumerMs: 4 });
      t.same({ out: keys.length, error }, { out: 200, error: undefined }, name);
    }
  }
  t.end();
});

t.test('M2: where nothing can be known the run ends after ten time-outs, and says what to do', (t) => {
  const looks: Link = (scheduler) =>
    operator(
      mergeMap((sample: Sample) =>
        interval(1000, scheduler).pipe(
          filter(() => false),
          map(() => sample),
        ),
      ),
      { holds: 3, name: 'looks', timeout: 5 },
    );
  const { error, broken, failures, milliseconds } = tryChain([looks], { count: 1000, permits: 16 });
  t.match(error, {
    code: 'OPERATOR_STALLS',
    where: 'stage 0:looks',
    message: /10 times .*\(`filter` before `delay`\)/,
  });
  t.same(broken, []);
  t.ok(failures.length <= 40, 'what hangs has failed');
  t.ok(milliseconds <= 51_000, `${milliseconds} ms`);
  t.end();
});

t.test('what comes out after its time-out is the failure of that sample, and of no other', (t) => {
  const late: Link = (scheduler) =>
    operator(
      mergeMap((sample: Sample) => timer(sample.position % 5 === 2 ? 8000 : 10, scheduler).pipe(map(() => sample))),
      { holds: 3, name: 'late', timeout: 5 },
    );
  const { error, broken, failures, completed, keys } = tryChain([late], { count: 40, permits: 16 });
  t.same({ error, broken, completed }, { error: undefined, broken: [], completed: true });
  t.equal(failures.length, 8);
  t.equal(keys.length, 32);
  t.end();
});

t.test('what comes out in the very moment of its time-out is in time', (t) => {
  const exact: Link = (scheduler) => operator(delay<Sample>(5000, scheduler), { holds: 2, name: 'exact', timeout: 5 });
  const { error, broken, failures, keys } = tryChain([exact], { count: 20, permits: 16 });
  t.same({ error, broken, failures, out: keys.length }, { error: undefined, broken: [], failures: [], out: 20 });
  t.end();
});

t.test('an operator has worked on a sample from when it was fed until it has come out', (t) => {
  const scheduler = new VirtualTimeScheduler();
  scheduler.frame = 1000;
  const permits = new Permits(16, () => scheduler.now());
  const meter = new StageMeter('op', scheduler);
  const budget = new Budget('op', 0, () => {});
  gate<Sample>(permits, (position) => ({ key: `s${position}`, position, epoch: 0 }), { end: 6, scheduler })
    .pipe(runOperator(delay(10, scheduler), { id: 'op', holds: 2, timeoutSeconds: 5, budget, meter, scheduler }))
    .subscribe(({ permit }) => permit.return('delivered'));
  scheduler.flush();
  const { out, busyMs } = meter.stats();
  t.same({ out, busyMs }, { out: 6, busyMs: 60 });
  t.end();
});

t.test('cancelled by the operator itself while it is fed: every permit comes back', (t) => {
  for (const holds of [0, 2]) {
    const permits = new Permits(16);
    const op = (source: Observable<Sample>) => source.pipe(tap(({ position }) => position === 3 && cancelled.next()));
    const cancelled = new Subject<void>();
    const budget = new Budget('op', 0, () => {});
    const runs = gate<Sample>(permits, (position) => ({ key: `s${position}`, position, epoch: 0 }), { end: 10 }).pipe(
      runOperator(op, { id: 'op', holds, timeoutSeconds: 5, budget, meter: new StageMeter('op') }),
      takeUntil(cancelled),
    );
    runs.subscribe(({ permit }) => permit.return('delivered'));
    if (holds === 0) t.equal(permits.open, 0);
    else setImmediate(() => t.equal(permits.open, 0));
  }
  setImmediate(() => t.end());
});

/** Runs an operator in real time, its output in order. @returns the positions that come out. */
async function positionsOf(t: Test, op: Op, holds: number, count = 60): Promise<number[]> {
  const permits = new Permits(16);
  const meter = new StageMeter('op');
  const budget = new Budget('op', 0, () => {});
  const out = gate<Sample>(permits, (position) => ({ key: `s${position}`, position, epoch: 0 }), { end: count }).pipe(
    runOperator(op, { id: 'op', holds, timeoutSeconds: 3600, budget, meter }),
    inOrder(permits),
    tap(({ permit }) => permit.return('delivered')),
    map(({ sample }) => sample.position),
    toArray(),
  );
  const positions = await lastValueFrom(out);
  t.equal(permits.open, 0);
  t.same(permits.ended, { delivered: positions.length, failed: 0, dropped: count - positions.length });
  return positions;
}

t.test('M2: the same of promises, timers and files of Node: nothing waits for an hour', async (t) => {
  const keep = ({ position }: Sample) => position % 3 === 0;
  const given = (sample: Sample) => (keep(sample) ? [sample] : []);
  const expected = Array.from({ length: 20 }, (_, i) => 3 * i);
  const file = new URL(import.meta.url);
  const ops: Record<string, Op> = {
    'a promise that gives nothing': (source) =>
      source.pipe(
        mergeMap(async (sample) => {
          await null;
          return given(sample);
        }),
        mergeMap((many) => from(many)),
      ),
    'a timer of promises': (source) =>
      source.pipe(
        mergeMap(async (sample) => {
          await pause(sample.position % 3);
          return given(sample);
        }),
        mergeMap((many) => from(many)),
      ),
    'a file': (source) =>
      source.pipe(
        mergeMap(async (sample) => {
          await readFile(file);
          return given(sample);
        }),
        mergeMap((many) => from(many)),
      ),
    'delay, filter': (source) => source.pipe(delay(1), filter(keep)),
    'bufferTime, filter': (source) =>
      source.pipe(
        bufferTime(2),
        mergeMap((many) => from(many)),
        filter(keep),
      ),
  };
  for (const [name, op] of Object.entries(ops)) t.same(await positionsOf(t, op, 4), expected, name);
  t.same(
    await positionsOf(
      t,
      (source) =>
        source.pipe(
          delay(1),
          filter(() => false),
        ),
      2,
    ),
    [],
    'none at all',
  );
});
