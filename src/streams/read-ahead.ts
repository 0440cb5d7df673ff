import { BehaviorSubject } from 'rxjs';
import type { Permits } from './permits.ts';
import { firstReads, nextReads, type ReadBounds, type ReadsInFlight } from './reads-in-flight.ts';

/** What a round takes at least: in fewer reads, or less time, chance decides. And the reads of one in which they are only counted. */
const least = { reads: 16, ms: 20, counted: 64 };

/** What is to be known of a run whose reads are counted. */
export interface ReadingRun {
  readonly permits: Permits;
  /** Reads that are in flight. */
  running(): number;
  /** Samples that have left the source and are not at their end. */
  behind(): number;
  /** Reads that had nothing to wait for, so far. */
  atOnce(): number;
  /** The time in milliseconds. */
  now(): number;
}

/** Counts the reads of a run, and says how many may be in flight: `places`. The permits follow. Reads that have nothing to wait for change nothing. */
export class ReadAhead {
  readonly places: BehaviorSubject<number>;
  readonly #run: ReadingRun;
  readonly #bounds: ReadBounds;
  #state: ReadsInFlight;
  #isMeasured = true;
  /** Reads that have ended in this round, and sums, extremes and counts of before it. */
  #ended = 0;
  #running = 0;
  #milliseconds = 0;
  #longest = 0;
  #backlog = Number.POSITIVE_INFINITY;
  #began: number;
  #returned = 0;
  #atOnce: number;
  /** Of all samples that are known. */
  #bytes = 0;
  #held = 0;

  constructor(run: ReadingRun, bounds: ReadBounds) {
    this.#run = run;
    this.#bounds = bounds;
    this.#began = run.now();
    this.#atOnce = run.atOnce();
    this.#state = firstReads(bounds);
    this.places = new BehaviorSubject(this.#state.reads);
  }

  /** Whether more reads in flight have brought no more pictures when that was tried. */
  get isSaturated(): boolean {
    return this.#state.isSaturated;
  }

  /** Whether reads wait for something, or it is not known yet: otherwise they are only counted, since to measure them would cost more than the rest. */
  get isMeasured(): boolean {
    return this.#isMeasured;
  }

  /** A read has ended, well or not, after so many milliseconds. */
  ended(milliseconds: number): void {
    if (!this.#isMeasured) {
      if (++this.#ended === least.counted) this.#count();
      return;
    }
    this.#running += this.#run.running() + 1;
    this.#milliseconds += milliseconds;
    if (milliseconds > this.#longest) this.#longest = milliseconds;
    const behind = this.#run.behind();
    if (behind < this.#backlog) this.#backlog = behind;
    if (++this.#ended >= this.#state.reads && this.#ended % least.reads === 0) this.#judge();
  }

  /** A sample that was read holds so many bytes. */
  holds(bytes: number): void {
    this.#bytes += bytes;
    this.#held++;
  }

  /** Whether most reads of the round had nothing to wait for. */
  #wereAtOnce(): boolean {
    return 2 * (this.#run.atOnce() - this.#atOnce) >= this.#ended;
  }

  #count(): void {
    this.#isMeasured = !this.#wereAtOnce();
    this.#begin(this.#run.now());
  }

  #judge(): void {
    const now = this.#run.now();
    const elapsed = now - this.#began;
    if (elapsed < least.ms) return;
    const before = this.#state;
    this.#state = nextReads(
      before,
      {
        ended: this.#ended,
        running: this.#running / this.#ended,
        readRate: (1000 * this.#ended) / elapsed,
        rate: (1000 * (this.#run.permits.returned - this.#returned)) / elapsed,
        backlog: this.#backlog,
        meanMs: this.#milliseconds / this.#ended,
        longestMs: this.#longest,
        bytes: this.#held > 0 ? this.#bytes / this.#held : 0,
        atOnce: this.#wereAtOnce(),
      },
      this.#bounds,
    );
    const { reads, permits } = this.#state;
    const isLeast = reads === this.#bounds.leastReads && permits === this.#bounds.leastPermits;
    this.#isMeasured = !(isLeast && this.#wereAtOnce());
    this.#begin(now);
    if (reads !== before.reads) this.places.next(reads);
    if (permits !== before.permits) this.#run.permits.allow(permits);
  }

  #begin(now: number): void {
    this.#ended = this.#running = this.#milliseconds = this.#longest = 0;
    this.#backlog = Number.POSITIVE_INFINITY;
    this.#began = now;
    this.#returned = this.#run.permits.returned;
    this.#atOnce = this.#run.atOnce();
  }
}
