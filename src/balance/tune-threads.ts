/** What one step says of the loader. */
export interface LoadReading {
  /** Milliseconds from the end of the step before to the end of this one. */
  readonly stepMs: number;
  /** Milliseconds of these in which the trainer had nothing to compute on. */
  readonly waitMs: number;
  /** Rendered samples that lay ready, as a share of the ring. */
  readonly ringFill: number;
}

export interface ThreadSearchOptions {
  readonly start: number;
  /** The most threads that may be tried. */
  readonly most: number;
  /** Samples per step, and cells of the ring: how long what was rendered before a change lasts. */
  readonly batch: number;
  readonly cells: number;
}

/** Steps over which one number of threads is measured: at least, and at most where they differ much. */
const window = { least: 8, most: 20 };
/** Steps differ little when the error of their mean is below this share. */
const agreement = 0.01;
/** The share of its time that the trainer may wait for data without being called stalled. */
const stalled = 0.02;
/** A number of threads must be faster by this share to be worth more CPU; slower by less, and it is as good. */
const worthwhile = 0.015;
/** Bursts want more than what suffices on the average; threads that have nothing to do take nothing. */
const headroom = 1.5;

interface Measured {
  /** Steps per second in the long run: a ring that runs dry hides for a while that the loader is too slow. */
  readonly rate: number;
  /** The trainer waited, or the ring was running dry. */
  readonly stall: boolean;
}

/**
 * The search for the fewest loader threads with which the trainer does not wait: additive increase while it stalls and that helps, multiplicative
 * decrease while nothing gets slower, then halving the distance between the fewest that do and the most that do not. Where loader and trainer share
 * the cores the rate decides, stall or not. Fed with steps; pure.
 */
export class ThreadSearch {
  readonly #options: ThreadSearchOptions;
  readonly #measured = new Map<number, Measured>();
  /** Steps after a change in which the samples of before are used up. */
  readonly #lag: number;
  #wanted: number;
  #seen = 0;
  /** Steps differed much: what a few of them say may be luck. */
  #bursty = false;
  #steps: LoadReading[] = [];
  #done = false;

  constructor(options: ThreadSearchOptions) {
    this.#options = options;
    this.#lag = Math.min(8, 1 + Math.ceil(options.cells / options.batch));
    this.#wanted = options.start;
    this.#done = options.most <= 1;
  }

  get wanted(): number {
    return this.#wanted;
  }

  get done(): boolean {
    return this.#done;
  }

  /** Steps per second by threads, as far as they were measured. */
  get rates(): ReadonlyMap<number, number> {
    return new Map([...this.#measured].map(([threads, { rate }]) => [threads, rate]));
  }

  /** Takes one step. */
  read(step: LoadReading): void {
    if (this.#done || this.#seen++ < this.#lag) return;
    this.#steps.push(step);
    const count = this.#steps.length;
    if (count < window.least || (count < window.most && errorOfMean(this.#steps) > agreement)) return;
    if (count === window.most) this.#bursty = true;
    this.#measured.set(this.#wanted, this.#measure());
    const next = this.#next();
    this.#seen = 0;
    this.#steps = [];
    this.#done = next === undefined;
    this.#wanted = next ?? this.#choice();
  }

  #measure(): Measured {
    const { batch, cells } = this.#options;
    const steps = this.#steps;
    const milliseconds = sum(steps.map(({ stepMs }) => stepMs));
    const waited = sum(steps.map(({ waitMs }) => waitMs)) / milliseconds;
    const half = steps.length >> 1;
    const fill = (part: readonly LoadReading[]) => sum(part.map(({ ringFill }) => ringFill)) / half;
    const lost = ((fill(steps.slice(0, half)) - fill(steps.slice(-half))) * cells) / ((steps.length - half) * batch);
    const lasting = lost > stalled ? 1 - Math.min(0.9, lost) : 1;
    return { rate: (lasting * 1000 * steps.length) / milliseconds, stall: waited > stalled || lost > stalled };
  }

  #next(): number | undefined {
    const { most } = this.#options;
    const tried = [...this.#measured.keys()].sort((a, b) => a - b);
    const top = tried.at(-1)!;
    const best = Math.max(...this.rates.values());
    // Up: the most that were tried stall, and were the fastest by far, or the first.
    const second = Math.max(0, ...tried.slice(0, -1).map((n) => this.#measured.get(n)!.rate));
    const { rate, stall } = this.#measured.get(top)!;
    if (stall && top < most && rate > second * (1 + worthwhile)) return Math.min(most, top + Math.max(1, top >> 2));
    // Down: the fewest that were tried are as good as any.
    const least = tried[0]!;
    if (least > 1 && this.#serves(least, best)) return least >> 1;
    // Between the fewest that serve and the most below them that do not.
    const enough = tried.find((n) => this.#serves(n, best))!;
    const few = tried.filter((n) => n < enough).at(-1);
    if (few !== undefined && enough - few > Math.max(1, enough >> 3)) return (enough + few) >> 1;
    const ample = Math.min(most, Math.ceil(headroom * enough));
    return this.#bursty && ample > top ? ample : undefined;
  }

  /** As fast as the fastest, or hardly slower. */
  #serves(threads: number, best: number): boolean {
    return this.#measured.get(threads)!.rate >= best * (1 - worthwhile);
  }

  #choice(): number {
    const best = Math.max(...this.rates.values());
    const serving = [...this.#measured.keys()].filter((n) => this.#serves(n, best));
    return Math.min(Math.max(...serving), Math.ceil(headroom * Math.min(...serving)));
  }
}

/** About the standard error of the mean step, as a share of it. */
function errorOfMean(steps: readonly LoadReading[]): number {
  const mean = sum(steps.map(({ stepMs }) => stepMs)) / steps.length;
  const variance = sum(steps.map(({ stepMs }) => (stepMs - mean) ** 2)) / (steps.length - 1);
  return Math.sqrt(variance / steps.length) / mean;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
