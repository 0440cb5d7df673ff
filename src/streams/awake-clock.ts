/** Milliseconds between two looks at the clock when nobody asks for the time. */
const tickMs = 1000;
/** A look that comes later than that was held up by more than a busy machine: the process stood still. */
const patienceMs = 5000;

/** Where an `AwakeClock` has its time from; tests give their own. */
export interface ClockSource {
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls `look` every so many milliseconds while the process runs, without keeping it alive. */
  every(milliseconds: number, look: () => void): void;
}

/**
 * Counts the time in which the process could run. It looks at the clock once a second; where it could not for long (a closed lid, `docker pause`, SIGSTOP, a
 * virtual machine that was moved), the missed time does not count. Time-outs and speeds are measured by it: what waits for an answer has not been given that time.
 */
export class AwakeClock {
  readonly #source: ClockSource;
  #last: number;
  #missed = 0;
  #ticking = false;

  constructor(source: ClockSource = realTime) {
    this.#source = source;
    this.#last = source.now();
  }

  /** Milliseconds in which the process could run, since some moment before. */
  now(): number {
    if (!this.#ticking) {
      // From its first use on: whoever only loads the library has no timer.
      this.#ticking = true;
      this.#last = this.#source.now();
      this.#source.every(tickMs, () => this.#look());
    }
    return this.#look() - this.#missed;
  }

  #look(): number {
    const now = this.#source.now();
    const late = now - this.#last - tickMs;
    if (late > patienceMs) this.#missed += late;
    this.#last = now;
    return now;
  }
}

const realTime: ClockSource = {
  now: () => performance.now(),
  every: (milliseconds, look) => void setInterval(look, milliseconds).unref(),
};

/** The clock of this thread. */
export const awake = new AwakeClock();
