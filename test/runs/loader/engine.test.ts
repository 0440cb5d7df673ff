import t from 'tap';
import type { ResolvedStage } from '../../../src/pipeline/resolve/infer-specs.ts';
import { loader } from '../../../src/runs/loader/engine.ts';
import { decode } from '../../../src/stages/index.ts';
import { batcher } from '../../../src/streams/batcher.ts';
import type { Failure } from '../../../src/streams/failures.ts';
import { Ring } from '../../../src/streams/ring.ts';
import type { Sample } from '../../../src/streams/sample.ts';
import { queuedPerThread } from '../../../src/vision/render/native.ts';
import { VirtualPromise, virtualTime } from '../../kit/virtual.ts';

/** Stands in the place of `decode`, with its policy, and lets samples through. */
const decoding = (timeout: number): ResolvedStage => ({
  index: 0,
  id: 'decode',
  name: 'decode',
  policy: { timeout, maxFailures: 100 },
  stage: { kind: 'each', name: 'decode', policy: {}, work: (sample) => sample },
  options: {},
  definition: (decode() as { stage: { definition: NonNullable<ResolvedStage['definition']> } }).stage.definition,
  holds: 0,
  before: { fields: {} },
  after: { fields: {} },
});

/**
 * Runs samples into cells through a renderer with a queue and `threads` threads that need `renderMs` for each, or never end it. Returns who came
 * through and who failed, how, and at what time.
 */
function run({
  count,
  threads,
  timeout,
  perThread,
  renderMs,
}: {
  count: number;
  threads: number;
  timeout: number;
  perThread: number;
  renderMs: (sample: Sample) => number;
}) {
  const scheduler = virtualTime();
  scheduler.maxFrames = Number.POSITIVE_INFINITY;
  const failures: (Failure & { readonly at: number })[] = [];
  const { ordered, ending, permits } = loader(
    { count, key: (index) => `s${index}`, read: () => ({}) },
    {
      seed: 1,
      stages: [decoding(timeout)],
      threads,
      permits: 32,
      shuffle: false,
      end: count,
      onFailure: (failure) => failures.push({ ...failure, at: scheduler.now() }),
      signal: new AbortController().signal,
      scheduler,
    },
  );
  const waiting: (() => void)[] = [];
  let free = threads;
  const next = () => {
    if (free === 0) return;
    const job = waiting.shift();
    if (job === undefined) return;
    free--;
    job();
  };
  const write = (sample: Sample) =>
    new VirtualPromise<void>((settle) => {
      waiting.push(() => {
        const took = renderMs(sample);
        if (took === Number.POSITIVE_INFINITY) return;
        scheduler.schedule(() => {
          free++;
          settle({ value: undefined });
          next();
        }, took);
      });
      next();
    });
  const ring = new Ring(32, 64);
  const keys: string[] = [];
  let completed = false;
  ordered.pipe(batcher({ ring, size: 1, write, ...ending('render', perThread) })).subscribe({
    next(list) {
      keys.push(...list.keys);
      ring.free(list.cells);
    },
    complete: () => {
      completed = true;
    },
  });
  scheduler.flush();
  return { keys, failures, completed, open: permits.issued - permits.returned };
}

t.test('the renderer’s queue does not count against a sample that needs less than its time', (t) => {
  for (const threads of [1, 2]) {
    const { keys, failures, completed, open } = run({
      count: 14,
      threads,
      timeout: 1,
      perThread: 6,
      renderMs: () => 900,
    });
    t.equal(keys.length, 14, `${threads} threads`);
    t.strictSame(failures, []);
    t.ok(completed);
    t.equal(open, 0);
  }
  t.end();
});

t.test('a sample that never ends fails after the time of the whole queue, and its error names it', (t) => {
  const { keys, failures, completed } = run({
    count: 9,
    threads: 2,
    timeout: 1,
    perThread: 6,
    renderMs: ({ position }) => (position === 3 ? Number.POSITIVE_INFINITY : 100),
  });
  t.equal(keys.length, 8);
  t.match(failures, [{ key: 's3', error: { code: 'STAGE_TIMEOUT', message: /within 6 s/ }, at: 6000 }]);
  t.ok(completed);
  t.end();
});

t.test('without a queue the time is what decode allows', (t) => {
  const { keys, failures } = run({
    count: 4,
    threads: 2,
    timeout: 1,
    perThread: 1,
    renderMs: ({ position }) => (position === 1 ? 1001 : 900),
  });
  t.strictSame(keys, ['s0', 's2', 's3']);
  t.match(failures, [{ key: 's1', error: { code: 'STAGE_TIMEOUT', message: /within 1 s/ }, at: 1000 }]);
  t.end();
});

t.test('only native/image is sent more samples than it has threads', (t) => {
  t.equal(queuedPerThread({ found: 'it is not built', remedy: 'build it' }), 1);
  t.end();
});
