import fc from 'fast-check';
import t from 'tap';
import { batcher, type CellBatch } from '../../src/streams/batcher.ts';
import { Budget, type Failure } from '../../src/streams/failures.ts';
import { gate } from '../../src/streams/gate.ts';
import { StageMeter } from '../../src/streams/meter.ts';
import { inOrder } from '../../src/streams/ordered/in-order.ts';
import { Permits } from '../../src/streams/permits.ts';
import { Ring } from '../../src/streams/ring.ts';
import { runStage } from '../../src/streams/run-stage.ts';
import type { Sample } from '../../src/streams/sample.ts';
import { after, never, virtualTime } from '../kit/virtual.ts';

interface Setting {
  readonly count?: number;
  readonly concurrency?: number;
  readonly size?: number;
  readonly cells?: number;
  readonly permits?: number;
  /** How long the work before the batcher, and the write, take for a sample. */
  readonly workMs?: (sample: Sample) => number;
  readonly writeMs?: (sample: Sample) => number;
  readonly breaks?: (sample: Sample) => 'work' | 'write' | 'late' | undefined;
  readonly trainMs?: number;
  readonly cancelAt?: number;
  readonly dropLast?: boolean;
  readonly epochOf?: (position: number) => number;
}

/** Runs a source of numbered samples through a stage and the batcher, with a trainer that frees each batch after `trainMs`. */
function run({
  count = 100,
  concurrency = 4,
  size = 8,
  cells = 24,
  permits: capacity = 32,
  workMs = () => 0,
  writeMs = () => 0,
  breaks = () => undefined,
  trainMs = 0,
  cancelAt,
  dropLast = false,
  epochOf = () => 0,
}: Setting) {
  const scheduler = virtualTime();
  scheduler.maxFrames = Number.POSITIVE_INFINITY;
  const permits = new Permits(capacity);
  const ring = new Ring(cells, 64);
  const failures: Failure[] = [];
  const around = (id: string) => ({
    id,
    concurrency,
    timeoutSeconds: 1,
    scheduler,
    meter: new StageMeter(id, scheduler),
    budget: new Budget(id, count, (failure) => failures.push(failure)),
  });
  const batches: { keys: readonly string[]; bytes: number[]; cells: number[] }[] = [];
  const writtenWith: { key: string; open: number }[] = [];
  let error: unknown;
  let completed = false;
  let outstanding = 0;
  const work = (sample: Sample) =>
    after(scheduler, workMs(sample), () => {
      if (breaks(sample) === 'work') throw new Error('work');
      return sample;
    });
  const rendering = around('render');
  const subscription = gate(
    permits,
    (position): Sample => ({ key: `s${position}`, position, epoch: epochOf(position) }),
    {
      end: count,
      scheduler,
    },
  )
    .pipe(
      runStage(work, around('work')),
      inOrder(permits),
      batcher({
        ring,
        size,
        write: (sample, cell) => {
          if (breaks(sample) === 'late') return never<void>();
          return after(scheduler, writeMs(sample), () => {
            if (breaks(sample) === 'write') throw new Error('write');
            cell.put(0, new Uint8Array([sample.position % 251]));
          });
        },
        written: (sample) => {
          // The permit is still out: whoever takes the sample's memory back is before the one who gets it next.
          writtenWith.push({ key: sample.key, open: permits.open });
        },
        ...rendering,
        dropLast,
      }),
    )
    .subscribe({
      next(batch: CellBatch) {
        outstanding += batch.cells.length;
        batches.push({
          keys: batch.keys,
          cells: [...batch.cells],
          bytes: Array.from(batch.cells, (cell) => ring.bytes(cell)[0]!),
        });
        after(scheduler, trainMs, () => {
          outstanding -= batch.cells.length;
          ring.free(batch.cells);
        });
      },
      error: (reason) => {
        error = reason;
      },
      complete: () => {
        completed = true;
      },
    });
  if (cancelAt !== undefined) scheduler.schedule(() => subscription.unsubscribe(), cancelAt);
  scheduler.flush();
  const keys = batches.flatMap((batch) => batch.keys);
  const drops = rendering.meter.drops.get('in no full batch') ?? 0;
  return { batches, permits, ring, failures, error, completed, outstanding, keys, writtenWith, drops };
}

const hash = (n: number) => (Math.imul(n + 1, 2654435761) >>> 8) % 1000;

t.test('batch s is the samples [s·size, (s+1)·size) of those that succeed, whatever the timing', (t) => {
  const breaks = ({ position }: Sample) => (hash(position) < 30 ? 'work' : hash(position) < 60 ? 'write' : undefined);
  const expected = Array.from({ length: 500 }, (_, position) => ({ key: `s${position}`, position, epoch: 0 })).filter(
    (sample) => breaks(sample) === undefined,
  );
  for (const concurrency of [1, 4, 16]) {
    const { keys, batches, failures, permits, completed } = run({
      count: 500,
      concurrency,
      permits: 48,
      cells: 40,
      workMs: ({ position }) => hash(position) % 37,
      writeMs: ({ position }) => hash(position * 3) % 23,
      breaks,
      trainMs: 10,
    });
    t.strictSame(
      keys,
      expected.map(({ key }) => key),
      `concurrency ${concurrency}`,
    );
    t.ok(batches.slice(0, -1).every((batch) => batch.keys.length === 8));
    t.strictSame(
      batches.flatMap(({ bytes }) => bytes),
      expected.map(({ position }) => position % 251),
    );
    t.equal(failures.length, 500 - expected.length);
    t.equal(permits.open, 0);
    t.ok(completed);
  }
  t.end();
});

t.test('LAW nothing is open when a run has ended: any timing, any failures, cancelled at any time', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer({ min: 0, max: 1e6 }),
        count: fc.integer({ min: 0, max: 120 }),
        concurrency: fc.integer({ min: 1, max: 8 }),
        size: fc.integer({ min: 1, max: 16 }),
        extra: fc.integer({ min: 0, max: 24 }),
        trainMs: fc.constantFrom(0, 5, 300),
        cancelAt: fc.option(fc.integer({ min: 0, max: 600 }), { nil: undefined }),
      }),
      ({ seed, size, extra, cancelAt, ...setting }) => {
        const { permits, completed, batches, failures, error, ring, outstanding } = run({
          ...setting,
          size,
          cells: 2 * size + extra,
          workMs: ({ position }) => hash(position + seed) % 50,
          writeMs: ({ position }) => hash(position * 5 + seed) % 40,
          breaks: ({ position }) => (['work', 'write', 'late'] as const)[hash(position * 11 + seed) % 40],
          ...(cancelAt !== undefined && { cancelAt }),
        });
        const stuck = (error as { code?: string } | undefined)?.code === 'STAGE_STUCK';
        const out = batches.reduce((sum, { keys }) => sum + keys.length, 0);
        if (permits.open !== 0) throw new Error(`${permits.open} open`);
        if (cancelAt === undefined && !stuck) {
          if (!completed) throw new Error('not completed');
          if (out + failures.length !== setting.count) throw new Error(`${out} + ${failures.length}`);
          if (ring.available !== ring.cells || outstanding !== 0) throw new Error('a cell is lost');
        }
      },
    ),
    { numRuns: 500 },
  );
  t.pass('500 runs');
  t.end();
});

t.test('each write that has ended well is told once, while its permit is out; no other is', (t) => {
  const breaks = ({ position }: Sample) =>
    hash(position) < 30 ? 'write' : hash(position) < 60 ? 'late' : hash(position) < 90 ? 'work' : undefined;
  const { keys, writtenWith, failures, permits } = run({
    count: 300,
    concurrency: 40,
    permits: 48,
    cells: 60,
    writeMs: ({ position }) => hash(position * 3) % 23,
    breaks,
    trainMs: 5,
  });
  t.strictSame(writtenWith.map(({ key }) => key).toSorted(), keys.toSorted());
  t.ok(writtenWith.every(({ open }) => open > 0));
  t.ok(failures.length > 10);
  t.equal(permits.open, 0);
  t.end();
});

t.test('a trainer that stands still stops the source', (t) => {
  const { permits, keys } = run({ count: 10_000, cells: 16, size: 8, trainMs: 1e9, cancelAt: 10_000 });
  t.equal(keys.length, 16, 'the ring is full');
  t.ok(permits.issued <= 16 + permits.capacity, `${permits.issued} issued`);
  t.equal(permits.open, 0);
  t.end();
});

t.test('the cells of a batch are neighbours except at a hole or the ring’s end', (t) => {
  const { batches } = run({
    count: 48,
    size: 8,
    cells: 24,
    breaks: ({ position }) => (position === 3 ? 'write' : undefined),
  });
  t.strictSame(batches[0]?.cells, [0, 1, 2, 4, 5, 6, 7, 8]);
  t.end();
});

/** The numbers of its cells follow one another. */
const areNeighbours = (cells: readonly number[]) => cells.every((cell, i) => cell === cells[0]! + i);

t.test('a trainer that keeps up is given the same cells again and again', (t) => {
  for (const concurrency of [1, 4, 8]) {
    const { batches } = run({ count: 400, size: 8, cells: 40, concurrency, writeMs: () => 5 });
    t.ok(
      batches.every(({ cells }) => areNeighbours(cells)),
      'each batch lies in one piece',
    );
    const used = new Set(batches.slice(2).flatMap(({ cells }) => cells));
    t.ok(used.size <= 24, `${used.size} of 40 cells with ${concurrency} at a time`);
  }
  const { batches } = run({ count: 400, size: 8, cells: 40, writeMs: () => 5, trainMs: 500 });
  t.equal(new Set(batches.flatMap(({ cells }) => cells)).size, 40, 'a slow one is given all there are');
  t.end();
});

t.test('batches lie in one piece again when a sample has failed, whatever the timing', (t) => {
  const setting = fc.record({
    size: fc.integer({ min: 1, max: 12 }),
    more: fc.nat(11),
    failed: fc.uniqueArray(fc.nat(99), { maxLength: 4 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(setting, ({ size, more, failed, seed }) => {
      const concurrency = 1 + (more % size);
      const { batches } = run({
        count: 100 + 12 * size,
        size,
        concurrency,
        cells: 3 * size + concurrency,
        writeMs: ({ position }) => 1 + (hash(position + seed) % 7),
        breaks: ({ position }) => (failed.includes(position) ? 'write' : undefined),
      });
      const late = batches.slice(Math.ceil(100 / size) + 4, -1);
      for (const { cells } of late) if (!areNeighbours(cells)) throw new Error(`Cells ${cells}.`);
    }),
  );
  t.end();
});

t.test('a late writer cannot touch the cell that is someone else’s by then', (t) => {
  const ring = new Ring(2, 64);
  const cell = ring.take()!;
  cell.free();
  ring.take();
  const second = ring.take()!;
  t.equal(second.index, 0, 'the same place');
  cell.put(0, new Uint8Array([7]));
  t.equal(ring.bytes(0)[0], 0);
  second.put(0, new Uint8Array([9]));
  t.equal(ring.bytes(0)[0], 9);
  t.equal(ring.take(), undefined);
  ring.free([0, 0, 1]);
  t.equal(ring.available, 2, 'freeing twice counts once');
  t.end();
});

t.test('issue 16: samples that are in no full batch are dropped, those in one are delivered, whatever fails', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        count: fc.integer({ min: 0, max: 90 }),
        size: fc.integer({ min: 1, max: 9 }),
        perEpoch: fc.integer({ min: 1, max: 40 }),
        concurrency: fc.integer({ min: 1, max: 6 }),
      }),
      fc.integer({ min: 2, max: 20 }),
      ({ perEpoch, ...setting }, every) => {
        const { permits, keys, batches, failures, drops, error } = run({
          ...setting,
          dropLast: true,
          epochOf: (position) => Math.floor(position / perEpoch),
          breaks: ({ position }) => (position % every === 1 ? 'write' : undefined),
          writeMs: ({ position }) => hash(position) % 7,
        });
        if (error !== undefined) throw error;
        const full = batches.filter((batch) => batch.keys.length === setting.size);
        const { delivered, failed, dropped } = permits.ended;
        t.equal(delivered + failed + dropped, setting.count);
        // The last batch of all is for its taker to judge.
        t.equal(delivered, keys.length);
        t.equal(failed, failures.length);
        t.equal(drops, dropped);
        t.ok(batches.length - full.length <= 1);
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});
