import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { asyncScheduler, type SchedulerLike } from 'rxjs';
import { clockOf } from './feed.ts';
import type { Watch } from './ordered/map-ordered.ts';

/** What a stage has done so far. Read it from the top: the stage with the largest `waiting` is the bottleneck (Little's law). */
export interface StageStats {
  /** `index:id`, the stage's name in logs, stats, errors and events. */
  readonly stage: string;
  /** Samples that came to the stage. */
  readonly in: number;
  /** Samples that left it. More than `in` where it expands samples, fewer where it drops. */
  readonly out: number;
  /** Samples that failed in it. */
  readonly failures: number;
  /** Samples it let go on purpose, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** Samples that stand in front of it now. High: it is slower than what comes before. Zero: it is idle, look upstream. */
  readonly waiting: number;
  /** The mean of `waiting` over the time since the stage began. */
  readonly meanWaiting: number;
  /** Samples it works on now; as many as its concurrency when it is the bottleneck. */
  readonly running: number;
  /** The most samples that it may work on at a time now. */
  readonly concurrency: number;
  /**
   * Milliseconds of work on all samples together. Over the milliseconds since the stage began it is the mean of `running`: near the concurrency, the stage
   * is the bottleneck, or waits for a device that is; near zero, it costs nothing.
   */
  readonly busyMs: number;
  /** Milliseconds since the stage began. */
  readonly elapsedMs: number;
  /**
   * Milliseconds of work per sample: mean, and what 10, 90 and 99 of 100 samples stay below. A p99 far above the mean: a few slow samples. A mean far
   * above p10: samples wait inside, for a core or a queue of the stage's own.
   */
  readonly mean: number;
  readonly p10: number;
  readonly p90: number;
  readonly p99: number;
}

/** Work that ends at once is timed for one sample in so many: the clock would cost more than the work. */
const timedEvery = 16;

/** Counts what one stage does. One per stage and run. */
export class StageMeter implements Watch {
  readonly stage: string;
  out = 0;
  failures = 0;
  readonly drops = new Map<string, number>();
  #in = 0;
  #waiting = 0;
  #running = 0;
  #area = 0;
  #busy = 0;
  #concurrency = 1;
  #changed: number;
  readonly #began: number;
  readonly #now: () => number;
  readonly #latency: RecordableHistogram = createHistogram();
  readonly #also: ((milliseconds: number) => void) | undefined;

  /** @param also called for each work that has ended, except for those that passed. */
  constructor(stage: string, scheduler: SchedulerLike = asyncScheduler, also?: (milliseconds: number) => void) {
    this.stage = stage;
    this.#also = also;
    this.#now = clockOf(scheduler);
    this.#began = this.#changed = this.#now();
  }

  get in(): number {
    return this.#in;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  /** Samples that have ended in the stage. */
  get lost(): number {
    let sum = this.failures;
    for (const count of this.drops.values()) sum += count;
    return sum;
  }

  arrived(): void {
    this.#in++;
    this.#count(1);
  }

  started(): void {
    this.#count(-1);
    this.#running++;
  }

  ended(milliseconds: number): void {
    this.#running--;
    this.#busy += milliseconds;
    this.#latency.record(Math.max(1, Math.round(milliseconds * 1e6)));
    this.#also?.(milliseconds);
  }

  passing(): boolean {
    return this.#in++ % timedEvery === 0;
  }

  passed(milliseconds: number | undefined): void {
    if (milliseconds === undefined) return;
    this.#busy += timedEvery * milliseconds;
    this.#latency.record(Math.max(1, Math.round(milliseconds * 1e6)));
  }

  stayed(): void {
    this.#running++;
  }

  limited(places: number): void {
    this.#concurrency = places;
  }

  dropped(reason: string): void {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
  }

  stats(): StageStats {
    this.#count(0);
    const elapsed = this.#now() - this.#began;
    const worked = this.#latency.count > 0;
    return {
      stage: this.stage,
      in: this.#in,
      out: this.out,
      failures: this.failures,
      drops: Object.fromEntries(this.drops),
      waiting: this.#waiting,
      meanWaiting: elapsed > 0 ? this.#area / elapsed : 0,
      running: this.#running,
      concurrency: this.#concurrency,
      busyMs: this.#busy,
      elapsedMs: elapsed,
      mean: worked ? this.#latency.mean / 1e6 : 0,
      p10: worked ? this.#latency.percentile(10) / 1e6 : 0,
      p90: worked ? this.#latency.percentile(90) / 1e6 : 0,
      p99: worked ? this.#latency.percentile(99) / 1e6 : 0,
    };
  }

  #count(change: number): void {
    const now = this.#now();
    this.#area += this.#waiting * (now - this.#changed);
    this.#changed = now;
    this.#waiting += change;
  }
}
