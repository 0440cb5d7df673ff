import { median } from '../../src/balance/tune-micro-batch.ts';
import type { Row } from '../peers/row.ts';

/** One side of a comparison: does `images` images and says how many milliseconds that took. */
export type Turn = () => Promise<number>;

/** A row that would take longer is content with fewer pairs, but never with less than three. */
const patienceMs = 120_000;

/**
 * Both sides in turn, each first in every other pair, after one turn of each that is not counted: the medians in images/s, and the median
 * of the pairs' ratios, which what else the machine does disturbs least.
 */
export async function alternate(
  { ours, theirs, images }: { ours: Turn; theirs: Turn; images: number },
  pairs = 7,
): Promise<Pick<Row, 'ours' | 'theirs' | 'unit' | 'ratio'>> {
  const warm = (await ours()) + (await theirs());
  const enough = Math.max(3, Math.min(pairs, Math.floor(patienceMs / warm)));
  const measured: { ours: number; theirs: number }[] = [];
  for (let i = 0; i < enough; i++) {
    if (i % 2 === 0) measured.push({ ours: await ours(), theirs: await theirs() });
    else {
      const second = await theirs();
      measured.push({ theirs: second, ours: await ours() });
    }
  }
  return {
    ours: (images * 1000) / median(measured.map(({ ours }) => ours)),
    theirs: (images * 1000) / median(measured.map(({ theirs }) => theirs)),
    unit: 'images/s',
    ratio: median(measured.map(({ ours, theirs }) => theirs / ours)),
  };
}

/** The fastest of several ways to do the same, each tried `tries` times after a warm-up; one that fails is passed over. @throws when all do. */
export async function bestOf<W>(ways: readonly W[], turn: (way: W) => Promise<number>, tries = 2): Promise<W> {
  let best: { way: W; ms: number } | undefined;
  let failure: unknown;
  for (const way of ways) {
    try {
      await turn(way);
      for (let i = 0; i < tries; i++) {
        const ms = await turn(way);
        if (best === undefined || ms < best.ms) best = { way, ms };
      }
    } catch (error) {
      failure = error;
    }
  }
  if (best === undefined) throw failure;
  return best.way;
}

/** The milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Does `work(0)` … `work(count − 1)`, `limit` at a time. */
export async function inParallel(
  count: number,
  limit: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: limit }, lane));
}
