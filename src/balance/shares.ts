import { percentOf } from '../counts.ts';
import type { StageStats } from '../streams/meter.ts';
import type { Measures } from '../train/metrics.ts';
import type { Reading } from './reading.ts';

/** What is known of a training, from its files or while it runs. */
export interface BalanceFacts {
  readonly rows: readonly Measures[];
  /** What every stage did, the source first; none where the run was killed before it said. */
  readonly stats: readonly StageStats[];
  /** How its reads go, where that is known. */
  readonly reading?: Reading;
  readonly batch: number;
  /** Cores of the machine. */
  readonly cores: number;
  /** The backend computes on these cores. */
  readonly onCores: boolean;
  /** The trainer has the loader's thread, which does nothing else while it computes. */
  readonly onLoaderThread?: boolean;
  readonly permits: number;
  /** The micro-batch is chosen by the run: that it should be need not be said. */
  readonly tunes?: boolean;
  /** The loader's threads are chosen by the run: it has tried more, and a number of its own would only be in the way. */
  readonly tunesThreads?: boolean;
  /** Milliseconds per step by micro-batch, where several were timed. */
  readonly costs?: Readonly<Record<number, number>>;
}

/** The trainer may wait for this share of its time and still be the bottleneck. */
export const unnoticed = 0.05;

/** What the facts come to, over the steps in which the run was steady. */
export interface Shares {
  readonly steps: number;
  readonly imagesPerSecond: number;
  readonly microBatch: number;
  /** Of the time of the steps. */
  readonly wait: number;
  readonly permitWait: number;
  readonly upload: number;
  readonly update: number;
  readonly passMs: number;
  readonly cores: number;
  readonly ringFill: number;
}

/** The shares of a run's time; undefined before there are steps enough to judge. */
export function sharesOf({ rows, batch }: Pick<BalanceFacts, 'rows' | 'batch'>): Shares | undefined {
  const microBatch = rows.at(-1)?.microBatch;
  if (microBatch === undefined) return undefined;
  // The beginning is of recordings, caches and a ring that is empty; other micro-batches were only tried.
  const begun = rows.slice(Math.min(20, Math.floor(rows.length / 4)));
  const steady = begun.filter((row) => row.microBatch === microBatch && row.imagesPerSecond > 0);
  if (steady.length < 3) return undefined;
  const time = sum(steady, (row) => (1000 * batch) / row.imagesPerSecond);
  return {
    steps: steady.length,
    imagesPerSecond: (1000 * batch * steady.length) / time,
    microBatch,
    wait: Math.min(1, sum(steady, (row) => row.dataWaitMs) / time),
    permitWait: Math.min(1, sum(steady, (row) => row.permitWaitMs) / time),
    upload: sum(steady, (row) => row.uploadMs) / time,
    update: sum(steady, (row) => row.updateMs) / time,
    passMs: (sum(steady, (row) => row.passMs) / steady.length) * (microBatch / batch),
    cores: sum(steady, (row) => row.cores) / steady.length,
    ringFill: sum(steady, (row) => row.ringFill) / steady.length,
  };
}

/** The sum of a value over rows; what is no number is left out. */
export function sum(rows: readonly Measures[], value: (row: Measures) => number): number {
  return rows.reduce((total, row) => total + (Number.isFinite(value(row)) ? value(row) : 0), 0);
}

/** A part of a whole; 0 of nothing. */
export const over = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);

export const percent = (share: number): string => `${Math.round(percentOf(share, 1))} %`;
