import fc from 'fast-check';
import t from 'tap';
import { judgeReading } from '../../../src/balance/reading.ts';
import { loader } from '../../../src/runs/loader/engine.ts';
import { bytesHeld } from '../../../src/runs/loader/reading.ts';
import type { OpenSource } from '../../../src/sources/source.ts';
import { batcher } from '../../../src/streams/batcher.ts';
import type { Failure } from '../../../src/streams/failures.ts';
import { Ring } from '../../../src/streams/ring.ts';
import { after, never, virtualTime } from '../../kit/virtual.ts';

interface Run {
  readonly count: number;
  /** Milliseconds of the read of each sample; none: it never comes. */
  readonly readMs: (index: number) => number | undefined;
  readonly renderMs?: number;
  readonly reads?: number;
  readonly mostPermits?: number;
  readonly permits?: number;
  /** Reads a second that the source can do; as many as there are in flight otherwise. */
  readonly mostRate?: number;
  /** When the run is left, in milliseconds. */
  readonly until?: number;
}

/** A run from a slow source through a renderer of one place, in virtual time. */
function run({ count, readMs, renderMs = 1, reads, permits: least = 32, mostPermits = 16_384, mostRate, until }: Run) {
  const scheduler = virtualTime();
  scheduler.maxFrames = Number.POSITIVE_INFINITY;
  const failures: Failure[] = [];
  let [inFlight, mostInFlight] = [0, 0];
  const bytes = new Uint8Array(1000);
  /** When a source of a limited rate has done all that it was asked. */
  let free = 0;
  const read = (index: number) => {
    let time = readMs(index);
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    if (time === undefined) return never();
    if (mostRate !== undefined) {
      free = Math.max(free + 1000 / mostRate, scheduler.now());
      time += free - scheduler.now();
    }
    return after(scheduler, time, () => {
      inFlight--;
      return { bytes };
    });
  };
  const source = { count, key: (index: number) => `s${index}`, read } as unknown as OpenSource;
  const { ordered, ending, permits, ...rest } = loader(source, {
    seed: 1,
    stages: [],
    threads: 1,
    reads,
    permits: least,
    mostPermits,
    shuffle: false,
    end: count,
    onFailure: (failure) => failures.push(failure),
    signal: new AbortController().signal,
    scheduler,
  });
  const ring = new Ring(32, 64);
  const keys: string[] = [];
  let ended = 0;
  const write = () => after(scheduler, renderMs, () => undefined);
  const running = ordered.pipe(batcher({ ring, size: 1, write, ...ending('render') })).subscribe({
    next(list) {
      keys.push(...list.keys);
      ring.free(list.cells);
    },
    complete: () => {
      ended = scheduler.now();
    },
    error: () => undefined,
  });
  if (until !== undefined) scheduler.schedule(() => running.unsubscribe(), until);
  scheduler.flush();
  return { keys, failures, ended, permits, mostInFlight, ...rest };
}

const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `s${i}`);

t.test('a source that answers late is read as fast as its samples are rendered', (t) => {
  for (const readMs of [5, 40, 200]) {
    const { keys, ended, mostInFlight } = run({ count: 8000, readMs: () => readMs });
    t.strictSame(keys, keysOf(8000));
    t.ok(ended < 8000 / 0.8, `${readMs} ms: ${ended} ms for 8,000 pictures of 1 ms`);
    t.ok(mostInFlight <= Math.max(32, 4 * readMs), `${mostInFlight} reads in flight`);
  }
  const { ended } = run({ count: 20_000, readMs: (index) => (index % 200 === 77 ? 2000 : 40) });
  t.ok(ended < 20_000 / 0.8, `one in 200 takes two seconds: ${ended} ms`);
  t.end();
});

t.test('reads and permits that are set stay as they are', (t) => {
  const { mostInFlight, permits, keys } = run({ count: 500, readMs: () => 40, reads: 3, mostPermits: 32 });
  t.equal(mostInFlight, 3);
  t.ok(permits.most <= 32);
  t.strictSame(keys, keysOf(500));
  t.end();
});

t.test('a read that never comes fails alone, and the rest goes on', (t) => {
  const { keys, failures } = run({ count: 3000, readMs: (index) => (index === 40 ? undefined : 20) });
  t.match(failures, [{ key: 's40', error: { code: 'STAGE_TIMEOUT' } }]);
  t.strictSame(
    keys,
    keysOf(3000).filter((key) => key !== 's40'),
  );
  t.end();
});

t.test('whatever reads take: order, permits, and nothing open at the end, also of a run that is left', (t) => {
  const times = fc.array(fc.oneof(fc.nat(3), fc.nat(100), fc.nat(3000)), { minLength: 1, maxLength: 40 });
  const property = fc.property(times, fc.nat(5), fc.option(fc.nat(3000)), (times, renderMs, until) => {
    const count = 300;
    const readMs = (index: number) => times[(index * 7919) % times.length]!;
    const { keys, permits, failures } = run({ count, readMs, renderMs, ...(until !== null && { until }) });
    t.equal(permits.open, 0);
    t.equal(permits.issued, permits.returned);
    t.strictSame(failures, []);
    if (until === null) t.equal(keys.length, count);
    t.strictSame(keys, keysOf(keys.length));
  });
  fc.assert(property, { numRuns: 40, seed: 18 });
  t.end();
});

t.test('what stalls is said: the disk, and why, or what comes behind it', (t) => {
  const paceOf = (plan: Run, terms = { hasFiles: true }) => {
    const { ahead } = run({ until: 20_000, ...plan });
    return judgeReading(ahead.pace()!, { ...plan, ...terms });
  };
  const count = 100_000;
  const fed = paceOf({ count, readMs: () => 20 });
  t.match(fed, { state: 'fed', medianMs: 20, p99Ms: 20, helps: undefined });
  t.ok(fed.slowShare < 0.1 && fed.inFlight >= 15, `${fed.slowShare}, ${fed.inFlight} in flight`);
  const most = paceOf({ count, readMs: () => 600 });
  t.match(most, { state: 'full', places: 256, helps: 'shards' }, '600 in flight are wanted');
  t.ok(Math.abs(most.bytesPerSecond - 256_000 / 0.6) < 60_000, String(most.bytesPerSecond));
  t.equal(paceOf({ count, readMs: () => 600 }, { hasFiles: false }).helps, 'disk');
  const limited = paceOf({ count, readMs: () => 10, mostRate: 300 });
  t.match(limited, { state: 'saturated', helps: 'shards' });
  t.ok(limited.slowShare > 0.9, String(limited.slowShare));
  t.match(paceOf({ count, readMs: () => 40, reads: 3 }), { state: 'full', places: 3, helps: 'reads' });
  t.match(paceOf({ count, readMs: () => 40, permits: 8, mostPermits: 8 }), { state: 'permits', helps: 'permits' });
  const late = { count, readMs: (index: number) => (index % 300 === 77 ? 2000 : 5), permits: 64, mostPermits: 64 };
  t.match(paceOf(late), { state: 'ordered', helps: 'permits', medianMs: 5 });
  t.equal(run({ count: 3, readMs: () => 1 }).ahead.pace(), undefined, 'too few to say');
  t.end();
});

t.test('a sample holds its room, and of a large array what it shows of it', (t) => {
  t.equal(bytesHeld({ bytes: new Uint8Array(2 ** 16).subarray(0, 100) }), 2 ** 16);
  t.equal(bytesHeld({ bytes: new Uint8Array(2 ** 20).subarray(0, 100) }), 100);
  t.equal(bytesHeld({ label: 1 }), 0);
  t.end();
});
