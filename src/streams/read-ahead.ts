import { BehaviorSubject } from 'rxjs';
import type { Permits } from './permits.ts';
import { type ReadPace, ReadTimes } from './read-pace.ts';
import { firstReads, isFed, nextReads, type ReadBounds, type ReadsInFlight, slowStateOf } from './reads-in-flight.ts';

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
  readonly #times = new ReadTimes();
  /** When the last read ended, and sums over the time of the round: while all wait for one read none ends, which counts. */
  #last: number;
  #runningArea = 0;
  #starvedMs = 0;

  constructor(run: ReadingRun, bounds: ReadBounds) {
    this.#run = run;
    this.#bounds = bounds;
    this.#began = this.#last = run.now();
    this.#atOnce = run.atOnce();
    this.#state = firstReads(bounds);
    this.places = new BehaviorSubject(this.#state.reads);
  }

  /** Whether reads wait for something, or it is not known yet: otherwise they are only counted, since to measure them would cost more than the rest. */
  get isMeasured(): boolean {
    return this.#isMeasured;
  }

  /** How reading goes of late; nothing before enough reads have ended. */
  pace(): ReadPace | undefined {
    return this.#times.pace();
  }

  /** A read has ended, well or not, after so many milliseconds. */
  ended(milliseconds: number): void {
    if (!this.#isMeasured) {
      if (++this.#ended === least.counted) this.#count();
      return;
    }
    const running = this.#run.running() + 1;
    const behind = this.#run.behind();
    const now = this.#run.now();
    this.#running += running;
    this.#runningArea += running * (now - this.#last);
    if (!isFed(behind, this.#bounds)) this.#starvedMs += now - this.#last;
    this.#last = now;
    this.#milliseconds += milliseconds;
    this.#times.add(milliseconds);
    if (milliseconds > this.#longest) this.#longest = milliseconds;
    if (behind < this.#backlog) this.#backlog = behind;
    if (++this.#ended >= this.#state.reads && this.#ended % least.reads === 0) this.#judge(now);
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
    const now = this.#run.now();
    this.#isMeasured = !this.#wereAtOnce();
    const round = { milliseconds: now - this.#began, starvedMs: 0, inFlight: 0, bytesPerSecond: 0 };
    this.#times.round({ ...round, state: 'atOnce', places: this.#state.reads });
    this.#begin(now);
  }

  #judge(now: number): void {
    const elapsed = now - this.#began;
    if (elapsed < least.ms) return;
    const before = this.#state;
    const round = {
      ended: this.#ended,
      running: this.#running / this.#ended,
      readRate: (1000 * this.#ended) / elapsed,
      rate: (1000 * (this.#run.permits.returned - this.#returned)) / elapsed,
      backlog: this.#backlog,
      meanMs: this.#milliseconds / this.#ended,
      longestMs: this.#longest,
      bytes: this.#held > 0 ? this.#bytes / this.#held : 0,
      atOnce: this.#wereAtOnce(),
    };
    this.#state = nextReads(before, round, this.#bounds);
    const inFlight = this.#runningArea / elapsed;
    const isStarved = this.#starvedMs > elapsed / 4;
    this.#times.round({
      state: round.atOnce ? 'atOnce' : isStarved ? slowStateOf(before, inFlight, this.#bounds) : 'fed',
      milliseconds: elapsed,
      starvedMs: round.atOnce ? 0 : this.#starvedMs,
      inFlight,
      places: before.reads,
      bytesPerSecond: round.bytes * round.readRate,
    });
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
    this.#runningArea = this.#starvedMs = 0;
    this.#began = this.#last = now;
    this.#returned = this.#run.permits.returned;
    this.#atOnce = this.#run.atOnce();
  }
}
