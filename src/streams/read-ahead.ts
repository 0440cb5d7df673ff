import { BehaviorSubject } from 'rxjs';
import type { Permits } from './permits.ts';
import { firstReads, nextReads, type ReadBounds, type ReadsInFlight } from './reads-in-flight.ts';

/** Reads after which it is looked whether they wait for anything, while they did not; and the fewest of a round. */
const leastRound = 16;

/**
 * Measures the reads of a run, and says how many may be in flight: `places`. The permits follow. While reads have nothing to wait for it only counts, since the
 * clock would cost more than the rest.
 */
export class ReadAhead {
  readonly places: BehaviorSubject<number>;
  readonly #permits: Permits;
  readonly #bounds: ReadBounds;
  readonly #now: () => number;
  readonly #behind: () => number;
  readonly #atOnce: () => number;
  #state: ReadsInFlight;
  #running = 0;
  /** Whether times are measured. */
  #isTimed = false;
  /** Of the round that is under way. */
  #ended = 0;
  #bytes = 0;
  #area = 0;
  #longest = 0;
  #backlog = Number.POSITIVE_INFINITY;
  #returned = 0;
  #began = 0;
  #changed = 0;
  #quick: number;

  /** @param now milliseconds. @param behind samples that have left the source and are not at their end. @param atOnce reads that had nothing to wait for, so far. */
  constructor(
    permits: Permits,
    bounds: ReadBounds,
    now: () => number,
    behind: () => number,
    atOnce: () => number = () => 0,
  ) {
    this.#permits = permits;
    this.#bounds = bounds;
    this.#now = now;
    this.#behind = behind;
    this.#atOnce = atOnce;
    this.#quick = atOnce();
    this.#state = firstReads(bounds);
    this.places = new BehaviorSubject(this.#state.reads);
  }

  /** Reads that are in flight, how many may be, and whether more would bring no more pictures. */
  get reads(): { readonly inFlight: number; readonly places: number; readonly isSaturated: boolean } {
    return { inFlight: this.#running, places: this.#state.reads, isSaturated: this.#state.isSaturated };
  }

  /** A read has begun. Returns its time, where times are measured, which `ended` is to be told. */
  started(): number | undefined {
    const time = this.#isTimed ? this.#count() : undefined;
    this.#running++;
    return time;
  }

  /** A read has ended, well or not, and holds so many bytes. */
  ended(started: number | undefined, bytes: number): void {
    if (this.#isTimed) {
      const now = this.#count();
      this.#backlog = Math.min(this.#backlog, this.#behind());
      if (started !== undefined && now - started > this.#longest) this.#longest = now - started;
    }
    this.#running--;
    this.#bytes += bytes;
    if (++this.#ended >= this.#round) this.#judge();
  }

  get #round(): number {
    return Math.max(leastRound, this.#state.reads);
  }

  #count(): number {
    const now = this.#now();
    this.#area += this.#running * (now - this.#changed);
    this.#changed = now;
    return now;
  }

  #judge(): void {
    const quick = this.#atOnce();
    const atOnce = 2 * (quick - this.#quick) >= this.#ended;
    const elapsed = this.#changed - this.#began;
    if (this.#isTimed && elapsed > 0) {
      const round = {
        running: this.#area / elapsed,
        readRate: (1000 * this.#ended) / elapsed,
        rate: (1000 * (this.#permits.returned - this.#returned)) / elapsed,
        backlog: this.#backlog,
        longestMs: this.#longest,
        bytes: this.#bytes / this.#ended,
        atOnce,
      };
      this.#state = nextReads(this.#state, round, this.#bounds);
    }
    const { reads, permits } = this.#state;
    const isFirst = reads === this.#bounds.leastReads && permits === this.#bounds.leastPermits;
    this.#isTimed = !atOnce || !isFirst;
    this.#quick = quick;
    this.#ended = this.#bytes = this.#area = this.#longest = 0;
    this.#backlog = Number.POSITIVE_INFINITY;
    this.#returned = this.#permits.returned;
    if (this.#isTimed) this.#began = this.#changed = this.#now();
    if (reads !== this.places.value) this.places.next(reads);
    this.#permits.allow(permits);
  }
}
