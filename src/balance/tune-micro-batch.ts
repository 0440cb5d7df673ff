/** What one step says of its micro-batch. */
export interface PassReading {
  /** Samples per pass of the step. */
  readonly microBatch: number;
  /** Milliseconds in which the trainer worked, data waits left out. */
  readonly busyMs: number;
  /** The smallest pass that found no memory, if any did: it was computed in parts. */
  readonly refused?: number | undefined;
}

export interface MicroBatchSearchOptions {
  /** Samples per optimizer step. */
  readonly batch: number;
  /** Where it begins; a divisor of the batch. */
  readonly start: number;
  /** The largest that may be tried. */
  readonly most: number;
  /** Micro-batches must be even (mixup and cutmix pair rows 2i and 2i + 1). */
  readonly even?: boolean;
}

/** The divisors of a batch up to `most`, ascending: what a micro-batch may be. */
export function divisorsOf(batch: number, most: number = batch, even = false): number[] {
  const divisors: number[] = [];
  for (let n = 1; n <= Math.min(batch, most); n++) if (batch % n === 0 && !(even && n % 2 === 1)) divisors.push(n);
  return divisors;
}

/** Passes that a backend takes to record and compile a new shape: they tell nothing of its speed. */
const warmUpPasses = 6;
/** Steps that are timed of one micro-batch: at least, and at most where they differ. */
const timed = { least: 3, most: 8 };
/** Steps agree when the error of their median is below this share. */
const agreement = 0.007;
/** A difference by this share, and by so many errors, needs no more steps. */
const clear = { share: 0.08, errors: 4 };
/** A larger micro-batch takes more memory: it must be faster by this share to be worth it. */
const worthwhile = 0.01;
/** One rung of the ladder is about so many times the one below. */
const rung = 1.9;
/** What was timed already serves as a rung up to so many times away. */
const reach = 2.6;
/** A rung that is slower by this share ends the climb; one that is hardly slower may be an odd size, and the next is looked at. */
const falling = 0.05;

/**
 * The bracketed search for the fastest micro-batch: it climbs a ladder of divisors about twice the one before, until memory ends or the throughput falls,
 * looks below the start in the same way, and then between the neighbours of the best. Fed with steps; pure. Steps of another micro-batch than
 * `wanted` (the loader runs ahead) are passed over.
 */
export class MicroBatchSearch {
  readonly #options: MicroBatchSearchOptions;
  /** Milliseconds per step of every micro-batch that was timed. */
  readonly #costs = new Map<number, number>();
  #candidates: number[];
  #wanted: number;
  #passes = 0;
  #times: number[] = [];
  #done = false;

  constructor(options: MicroBatchSearchOptions) {
    this.#options = options;
    const { batch, most, even, start } = options;
    const divisors = divisorsOf(batch, Math.max(most, start), even);
    this.#candidates = divisors.includes(start) ? divisors : [...divisors, start].sort((a, b) => a - b);
    this.#wanted = start;
  }

  /** The micro-batch that is to be used now. */
  get wanted(): number {
    return this.#wanted;
  }

  /** The search has ended; `wanted` is its choice. */
  get done(): boolean {
    return this.#done;
  }

  /** Milliseconds per step by micro-batch, as far as they were timed. */
  get costs(): ReadonlyMap<number, number> {
    return this.#costs;
  }

  /** The largest micro-batch that may still be chosen. */
  get most(): number {
    return this.#candidates.at(-1)!;
  }

  /** Takes one step. */
  read({ microBatch, busyMs, refused }: PassReading): void {
    if (refused !== undefined && refused <= this.most) this.#limit(refused);
    if (this.#done || microBatch !== this.#wanted) return;
    const passes = this.#options.batch / microBatch;
    this.#passes += passes;
    // A step with passes that were not warm is left out whole.
    if (this.#passes - passes < warmUpPasses) return;
    this.#times.push(busyMs);
    if (this.#times.length < timed.least) return;
    if (this.#times.length < timed.most && !this.#isTold()) return;
    this.#costs.set(microBatch, median(this.#times));
    this.#go(this.#next());
  }

  /** The steps agree, or differ from the fastest that was timed by so much that their own difference does not matter. */
  #isTold(): boolean {
    const error = errorOfMedian(this.#times);
    if (error <= agreement) return true;
    const apart = Math.abs(median(this.#times) / Math.min(...this.#costs.values()) - 1);
    return Number.isFinite(apart) && apart > Math.max(clear.share, clear.errors * error);
  }

  /** Memory ended: nothing as large is tried any more. */
  #limit(refused: number): void {
    const fitting = this.#candidates.filter((n) => n < refused);
    this.#candidates = fitting.length > 0 ? fitting : [this.#candidates[0]!];
    for (const n of this.#costs.keys()) if (n > this.most) this.#costs.delete(n);
    if (this.#wanted > this.most) this.#go(this.#costs.size === 0 ? this.most : this.#next());
  }

  #go(next: number | undefined): void {
    this.#passes = 0;
    this.#times = [];
    this.#done = next === undefined;
    this.#wanted = next ?? this.best();
  }

  /** The smallest micro-batch that is hardly slower than the fastest. */
  best(): number {
    const least = Math.min(...this.#costs.values());
    const near = [...this.#costs].filter(([, cost]) => cost <= least * (1 + worthwhile)).map(([n]) => n);
    return near.length > 0 ? Math.min(...near) : this.#wanted;
  }

  #next(): number | undefined {
    const costs = this.#costs;
    const fastest = [...costs].reduce((a, b) => (b[1] < a[1] ? b : a))[0];
    const above = this.#beyond(fastest, 1);
    if (above !== undefined) return above;
    const below = this.#beyond(fastest, -1);
    if (below !== undefined) return below;
    return this.#between(fastest);
  }

  /** The next rung in a direction that is still to be tried: up to two from the fastest, one where that is clearly slower. */
  #beyond(fastest: number, direction: 1 | -1): number | undefined {
    const least = this.#costs.get(fastest)!;
    let at = fastest;
    for (let rungs = 0; rungs < 2; rungs++) {
      const next = this.#rung(at, direction);
      if (next === undefined) return undefined;
      const cost = this.#costs.get(next);
      if (cost === undefined) return next;
      if (cost > least * (1 + falling)) return undefined;
      at = next;
    }
    return undefined;
  }

  #rung(from: number, direction: 1 | -1): number | undefined {
    const beyond = this.#candidates.filter((n) => (direction > 0 ? n > from : n < from));
    if (beyond.length === 0) return undefined;
    const aim = direction > 0 ? from * rung : from / rung;
    const far = beyond.filter((n) => (direction > 0 ? n >= aim : n <= aim));
    const known = far.find((n) => this.#costs.has(n) && (direction > 0 ? n <= reach * from : n >= from / reach));
    return known ?? (direction > 0 ? (far[0] ?? beyond.at(-1)) : (far.at(-1) ?? beyond[0]));
  }

  /** A divisor between the fastest and a timed neighbour of it that is not much slower, if one lies far enough from both. */
  #between(fastest: number): number | undefined {
    const known = [...this.#costs.keys()].sort((a, b) => a - b);
    const at = known.indexOf(fastest);
    for (const neighbour of [known[at + 1], known[at - 1]]) {
      if (neighbour === undefined) continue;
      const [low, high] = [Math.min(fastest, neighbour), Math.max(fastest, neighbour)];
      const inside = this.#candidates.filter((n) => n >= low * 1.2 && n <= high / 1.2);
      const middle = Math.sqrt(low * high);
      const nearest = inside.sort((a, b) => Math.abs(Math.log(a / middle)) - Math.abs(Math.log(b / middle)))[0];
      if (nearest !== undefined) return nearest;
    }
    return undefined;
  }
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** About the standard error of the median, as a share of it. */
function errorOfMedian(values: readonly number[]): number {
  const middle = median(values);
  const deviation = median(values.map((value) => Math.abs(value - middle)));
  return (1.86 * deviation) / Math.sqrt(values.length) / Math.max(1e-9, middle);
}
