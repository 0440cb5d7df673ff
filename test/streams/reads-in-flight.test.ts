import t from 'tap';
import { firstReads, nextReads, type ReadBounds, type ReadRound } from '../../src/streams/reads-in-flight.ts';

const bounds: ReadBounds = {
  leastReads: 8,
  mostReads: 1024,
  leastPermits: 32,
  mostPermits: 16_384,
  mostBytes: 2 ** 28,
};

interface Disk {
  /** Milliseconds of a read. */
  readonly readMs: number;
  /** Reads a second that the disk can do, and pictures a second that are rendered. */
  readonly mostReads?: number;
  readonly rendered?: number;
  readonly bytes?: number;
  readonly longestMs?: number;
}

/** What a disk and a renderer do with so many places. */
function roundOf(
  reads: number,
  { readMs, mostReads = 1e9, rendered = 1400, bytes = 65_536, ...more }: Disk,
): ReadRound {
  const rate = Math.min((reads * 1000) / readMs, mostReads, rendered);
  const isFed = rate === rendered;
  const running = isFed ? Math.min(reads, (rate * readMs) / 1000) : reads;
  return {
    ended: Math.max(16, reads),
    running,
    rate,
    readRate: rate,
    meanMs: readMs,
    longestMs: more.longestMs ?? readMs,
    backlog: isFed ? 20 : 0,
    bytes,
    atOnce: false,
  };
}

/** What the numbers are after so many rounds. */
function after(rounds: number, disk: Disk, state = firstReads(bounds)) {
  for (let i = 0; i < rounds; i++) state = nextReads(state, roundOf(state.reads, disk), bounds);
  return state;
}

t.test(
  'reads in flight are as many as a read takes seconds times the pictures a second, soon, and not many more',
  (t) => {
    for (const readMs of [4, 10, 40, 200]) {
      const needed = (1400 * readMs) / 1000;
      const { reads, permits } = after(14, { readMs });
      t.ok(reads >= Math.max(8, needed), `${readMs} ms: ${reads}`);
      t.ok(after(60, { readMs }).reads <= Math.max(8, 1.25 * needed + 8), `${readMs} ms, later`);
      t.ok(permits >= reads, 'each has a permit');
    }
    t.end();
  },
);

t.test('they go when reads are quick again, or have nothing to wait for', (t) => {
  const slow = after(14, { readMs: 200 });
  t.ok(slow.reads > 200);
  t.equal(after(200, { readMs: 1 }, slow).reads, 8);
  let state = slow;
  for (let i = 0; i < 80; i++)
    state = nextReads(state, { ...roundOf(state.reads, { readMs: 1 }), atOnce: true }, bounds);
  t.match(state, { reads: 8, permits: 32 });
  t.end();
});

t.test('a disk that can do no more is not asked for more', (t) => {
  let state = firstReads(bounds);
  let most = 0;
  let saturated = 0;
  for (let i = 0; i < 200; i++) {
    state = nextReads(state, roundOf(state.reads, { readMs: 40, mostReads: 300 }), bounds);
    most = Math.max(most, state.reads);
    if (state.isSaturated) saturated++;
  }
  t.ok(most <= 128, `${most} reads`);
  t.ok(saturated > 150, `${saturated} rounds`);
  t.end();
});

t.test('samples in flight last as long as the slowest read, as far as there is memory for their files', (t) => {
  const late = after(20, { readMs: 50, longestMs: 2000 });
  t.ok(late.permits >= 2 * 1400, String(late.permits));
  t.ok(late.permits * 65_536 <= bounds.mostBytes);
  const large = after(20, { readMs: 50, longestMs: 2000, bytes: 2 ** 22 });
  t.ok(large.permits <= 64);
  const huge = after(20, { readMs: 50, longestMs: 2000, bytes: 2 ** 26 });
  t.equal(huge.permits, 32, 'never fewer than at first');
  t.end();
});
