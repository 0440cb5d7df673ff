import fc from 'fast-check';
import {
  bufferCount,
  bufferTime,
  concatMap,
  debounceTime,
  delay,
  distinctUntilChanged,
  filter,
  from,
  lastValueFrom,
  map,
  mergeMap,
  type OperatorFunction,
  of,
  pairwise,
  type SchedulerLike,
  take,
  takeWhile,
  tap,
  throttleTime,
  toArray,
} from 'rxjs';
import t from 'tap';
import { Budget, type Failure } from '../../src/streams/failures.ts';
import { gate } from '../../src/streams/gate.ts';
import { StageMeter } from '../../src/streams/meter.ts';
import { Permits } from '../../src/streams/permits.ts';
import { runOperator } from '../../src/streams/run-operator.ts';
import { drop, type Sample } from '../../src/streams/sample.ts';
import { each, operator } from '../../src/streams/stage.ts';
import { type Link, tryChain } from '../kit/laws.ts';
import { after, never } from '../kit/virtual.ts';

const nth = (sample: Sample, n: number) => sample.position % n === n - 1;

/** Neighbours of every temper. `alone` says what becomes of 20 samples when nothing stands beside it. */
const neighbours: Record<string, Link> = {
  quick: () => each((s: Sample) => ({ ...s, quick: true })),
  slow: (scheduler) => each((s: Sample) => after(scheduler, 50, () => s)),
  uneven: (scheduler) => each((s: Sample) => after(scheduler, ((s.position * 7919) % 13) * 10, () => s)),
  failing: () =>
    each((s: Sample) => {
      if (nth(s, 3)) throw new Error(`cannot do ${s.key}`);
      return s;
    }),
  rejecting: (scheduler) =>
    each((s: Sample) =>
      after(scheduler, 5, () => {
        if (nth(s, 4)) throw new Error(`cannot do ${s.key}`);
        return s;
      }),
    ),
  swallowing: () => each((s: Sample) => (nth(s, 2) ? drop('not wanted') : s)),
  duplicating: () => each((s: Sample) => (nth(s, 5) ? [s, s, s] : s)),
  emptying: () => each((s: Sample) => (nth(s, 5) ? [] : s)),
  stalling: (scheduler) =>
    each((s: Sample) => (s.position === 3 ? never<Sample>() : after(scheduler, 1, () => s)), {
      timeout: 1,
      concurrency: 4,
    }),
};

type Op = OperatorFunction<Sample, Sample>;
/** The operators of the contract, each as a user would paste it. Those that collect hand the samples on one by one. */
const operators: Record<string, (scheduler: SchedulerLike) => { op: Op; holds: number }> = {
  map: () => ({ op: map((s) => ({ ...s, mapped: true })), holds: 0 }),
  filter: () => ({ op: filter((s) => s.position % 3 !== 0), holds: 0 }),
  distinctUntilChanged: () => ({ op: distinctUntilChanged((a, b) => a.position >> 1 === b.position >> 1), holds: 0 }),
  throttleTime: (scheduler) => ({ op: throttleTime(20, scheduler), holds: 0 }),
  pairwise: () => ({
    op: (source) =>
      source.pipe(
        pairwise(),
        map(([a, b]) => ({ ...b, before: a.key })),
      ),
    holds: 0,
  }),
  bufferCount: () => ({
    op: (source) =>
      source.pipe(
        bufferCount(3),
        mergeMap((many) => from(many)),
      ),
    holds: 2,
  }),
  bufferTime: (scheduler) => ({
    op: (source) =>
      source.pipe(
        bufferTime(30, scheduler),
        mergeMap((many) => from(many)),
      ),
    holds: 4,
  }),
  mergeMap: (scheduler) => ({ op: mergeMap((s) => of(s).pipe(delay((s.position * 31) % 40, scheduler))), holds: 3 }),
  bufferCountOfTwo: () => ({
    op: (source) =>
      source.pipe(
        bufferCount(2),
        map(([first]) => first!),
      ),
    holds: 1,
  }),
  filterThatMayHold: () => ({ op: filter((s) => s.position % 3 !== 0), holds: 2 }),
  debounceTime: (scheduler) => ({ op: debounceTime(20, scheduler), holds: 1 }),
  concatMap: (scheduler) => ({ op: concatMap((s) => of(s).pipe(delay(10, scheduler))), holds: 2 }),
  twice: () => ({ op: mergeMap((s) => of(s, s)), holds: 0 }),
};
const operatorLink =
  (name: string): Link =>
  (scheduler) => {
    const { op, holds } = operators[name]!(scheduler);
    return operator(op, { holds, name });
  };

t.test('LAW issued = returned + open: every pair of operators completes with nothing outstanding', (t) => {
  for (const first of Object.keys(operators)) {
    for (const second of Object.keys(operators)) {
      const { broken, completed, error, keys } = tryChain(
        [neighbours.slow!, operatorLink(first), operatorLink(second)],
        { count: 60, permits: 16 },
      );
      t.strictSame(
        { broken, completed, error },
        { broken: [], completed: true, error: undefined },
        `${first} → ${second}`,
      );
      t.ok(keys.length > 0, `${first} → ${second} lets something through`);
    }
  }
  t.end();
});

t.test('LAW issued = returned + open: every pair of neighbours, with a quick and a slow consumer', (t) => {
  const all = [
    ...Object.entries(neighbours),
    ...Object.keys(operators).map((name) => [name, operatorLink(name)] as const),
  ];
  for (const [first, a] of all) {
    for (const [second, b] of all) {
      for (const consumerMs of [0, 30]) {
        const { broken, completed } = tryChain([a, b], { count: 40, permits: 12, consumerMs });
        t.strictSame(
          { broken, completed },
          { broken: [], completed: true },
          `${first} → ${second}, consumer ${consumerMs} ms`,
        );
      }
    }
  }
  t.end();
});

t.test('LAW issued = returned + open: any chain, any permits, cancelled at any time', (t) => {
  const names = [...Object.keys(neighbours), ...Object.keys(operators)];
  const link = (name: string) => neighbours[name] ?? operatorLink(name);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...names), { maxLength: 5 }),
      fc.record({
        count: fc.integer({ min: 0, max: 80 }),
        permits: fc.integer({ min: 24, max: 40 }),
        consumerMs: fc.constantFrom(0, 7, 100),
        concurrency: fc.integer({ min: 2, max: 6 }),
      }),
      fc.option(fc.integer({ min: 0, max: 800 }), { nil: undefined }),
      (chain, trial, cancelAt) => {
        const verdict = tryChain(chain.map(link), { ...trial, ...(cancelAt !== undefined && { cancelAt }) });
        if (verdict.broken.length > 0) throw new Error(verdict.broken.join('; '));
        // Duplicated, the sample that never ends may hold every place: then the run has to stop.
        const stuck = chain.includes('stalling') && (verdict.error as { code?: string })?.code === 'STAGE_STUCK';
        if (cancelAt === undefined && !verdict.completed && !stuck) throw verdict.error;
      },
    ),
    { numRuns: 1000 },
  );
  t.pass('1000 chains');
  t.end();
});

t.test('stages keep the order of samples, whatever their timing', (t) => {
  const { keys } = tryChain([neighbours.uneven!, neighbours.slow!], { count: 30, permits: 10, concurrency: 5 });
  t.strictSame(
    keys,
    Array.from({ length: 30 }, (_, i) => `s${i}`),
  );
  t.end();
});

t.test('every sample is accounted for: out, dropped or failed', (t) => {
  const chain = [neighbours.stalling!, neighbours.failing!, neighbours.swallowing!];
  const { keys, drops, failures } = tryChain(chain, { count: 100, permits: 16 });
  t.equal(keys.length + drops + failures.length, 100);
  t.ok(failures.some(({ error }) => String(error).includes('STAGE_TIMEOUT')));
  t.end();
});

t.test('parts of a sample share its permit and get keys of their own', (t) => {
  const { keys, broken } = tryChain([neighbours.duplicating!, neighbours.duplicating!], { count: 5, permits: 1 });
  t.strictSame(broken, []);
  t.strictSame(
    keys.slice(4),
    [1, 2, 3].flatMap((i) => [1, 2, 3].map((j) => `s4/${i}/${j}`)),
  );
  t.end();
});

t.test('a stage whose places are all held by work that never ends stops the run and is named', (t) => {
  const stuck: Link = () => each(() => never<Sample>(), { name: 'stuck', timeout: 2 });
  const { broken, error } = tryChain([stuck], { count: 20, permits: 16, concurrency: 3 });
  t.strictSame(broken, []);
  t.match(error, { code: 'STAGE_STUCK', where: 'stage 0:stuck' });
  t.end();
});

t.test('what is not a sample, and what comes late, ends the run with the name of the stage', (t) => {
  const cases: [string, Link, string][] = [
    [
      'nothing returned',
      () => each((() => undefined) as unknown as (s: Sample) => Sample, { name: 'x' }),
      'STAGE_OUTPUT',
    ],
    ['another key', () => each((s: Sample) => ({ ...s, key: 'other' }), { name: 'x' }), 'STAGE_OUTPUT'],
    ['a number', () => operator(map(() => 3) as unknown as Op, { name: 'x' }), 'STAGE_OUTPUT'],
    ['pairs', () => operator(pairwise() as unknown as Op, { name: 'x' }), 'STAGE_OUTPUT'],
    [
      'kept back without a word',
      (scheduler) => operator<Sample, Sample>(delay(5, scheduler), { name: 'x' }),
      'OPERATOR_LATE',
    ],
    [
      'a stranger',
      () =>
        operator(
          map((s: Sample) => ({ ...s, key: 'other' })),
          { name: 'x' },
        ),
      'OPERATOR_LATE',
    ],
    [
      'an error inside',
      () =>
        operator(
          map((s: Sample) => {
            if (s.position === 4) throw new Error('broken inside');
            return s;
          }),
          { name: 'x' },
        ),
      'OPERATOR_FAILED',
    ],
  ];
  for (const [name, link, code] of cases) {
    const { broken, error } = tryChain([neighbours.uneven!, link, neighbours.slow!], { count: 20, permits: 12 });
    t.strictSame(broken, [], name);
    t.match(error, { code, where: 'stage 1:x' }, name);
  }
  t.end();
});

t.test(
  'M2: an operator that holds all that it may have says so at once; what it swallows is dropped, not failed',
  (t) => {
    const four = () =>
      operator<Sample>(
        (source) =>
          source.pipe(
            bufferCount(4),
            mergeMap((many) => from(many)),
          ),
        { holds: 1, name: 'four' },
      );
    const stuck = tryChain([four], { count: 20, permits: 12, timeoutSeconds: 60 });
    t.match(stuck.error, { code: 'OPERATOR_LATE', message: /holds all that it may have: raise `holds`.*at least 2/ });
    t.same({ broken: stuck.broken, failures: stuck.failures.length }, { broken: [], failures: 0 });
    t.ok(stuck.milliseconds < 1000, `no time-out passes: ${stuck.milliseconds} ms`);

    for (const name of ['filterThatMayHold', 'debounceTime', 'bufferCountOfTwo', 'concatMap']) {
      const all = tryChain([operatorLink(name)], { count: 300, permits: 12, timeoutSeconds: 1 });
      t.same(
        { broken: all.broken, failures: all.failures.length, error: all.error },
        { broken: [], failures: 0, error: undefined },
        name,
      );
      t.ok(all.completed, name);
    }
    t.end();
  },
);

t.test('M2: an operator that waits for a promise of its own is not taken for one that stands still', async (t) => {
  const permits = new Permits(8);
  const failures: Failure[] = [];
  const out = gate<Sample>(permits, (position) => ({ key: `s${position}`, position, epoch: 0 }), { end: 20 }).pipe(
    runOperator(
      concatMap(async (s) => {
        await null;
        return s;
      }),
      {
        id: 'waits',
        holds: 1,
        timeoutSeconds: 60,
        budget: new Budget('waits', 0, (failure) => failures.push(failure)),
        meter: new StageMeter('waits'),
      },
    ),
    tap(({ permit }) => permit.return()),
    map(({ sample }) => sample.position),
    toArray(),
  );
  t.same(
    await lastValueFrom(out),
    Array.from({ length: 20 }, (_, i) => i),
  );
  t.same(failures, []);
});

t.test('an operator that completes ends the chain with what it has let out', (t) => {
  const firsts: [string, Op, number, number][] = [
    ['take(3)', take(3), 0, 3],
    ['takeWhile', takeWhile((s) => s.position < 4, true), 0, 5],
    ['take(3) that may hold', take(3), 2, 3],
    [
      'first pair',
      (source) =>
        source.pipe(
          pairwise(),
          take(1),
          map(([, b]) => b),
        ),
      0,
      1,
    ],
  ];
  for (const [name, op, holds, expected] of firsts) {
    for (const before of [neighbours.quick!, neighbours.uneven!]) {
      const { keys, completed, broken } = tryChain([before, () => operator(op, { holds, name }), neighbours.slow!], {
        count: 50,
        permits: 12,
      });
      t.strictSame({ count: keys.length, completed, broken }, { count: expected, completed: true, broken: [] }, name);
    }
  }
  t.end();
});

t.test('the kit catches planted faults', (t) => {
  const forgets: Link = { raw: filter(({ sample }) => sample.position % 5 !== 0) };
  t.match(tryChain([forgets], { count: 20, permits: 64 }).broken, [/nothing open at the end/]);
  t.match(tryChain([forgets], { count: 2000, permits: 8 }).broken, [/nothing open at the end/, 'the run ends']);
  const returnsTwice: Link = {
    raw: map((carried) => {
      if (carried.sample.position === 3) carried.permit.return();
      return carried;
    }),
  };
  t.match(tryChain([returnsTwice], { count: 20, permits: 8 }).broken, ['a permit returns once']);
  t.end();
});
