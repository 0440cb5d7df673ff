import { readFileSync } from 'node:fs';

/** Milliseconds between two looks at the clock when nobody asks for the time. */
const tickMs = 1000;
/** A look that comes later than that was held up by more than a busy machine: the process stood still. */
const patienceMs = 5000;
/** How old a reading of the time that the thread has run may be, in milliseconds: it costs more than a look at the clock. */
const readingMs = 250;

/** Where an `AwakeClock` has its time from; tests give their own. */
export interface ClockSource {
  /** Milliseconds that only grow. */
  now(): number;
  /** Milliseconds in which this thread has run, or was ready to and waited for a core. */
  ran(): number;
  /** Calls `look` every so many milliseconds while the process runs, without keeping it alive. */
  every(milliseconds: number, look: () => void): void;
  /** Calls `ring` once, after so many milliseconds. Returns the way to stop that. */
  after(milliseconds: number, ring: () => void): () => void;
}

/** What is to happen when a time is up. */
export interface AwakeTimer {
  /** The time begins anew. */
  refresh(): void;
  clear(): void;
}

/**
 * Counts the time in which the process could run. It looks at the clock once a second; where it could not for long (a closed lid, `docker pause`, SIGSTOP, a
 * virtual machine that was moved), the missed time does not count. A thread that computes does not look either, but it runs: that time counts. Time-outs and
 * speeds are measured by it: what waits for an answer has not been given the missed time.
 */
export class AwakeClock {
  readonly #source: ClockSource;
  #last: number;
  #ran = 0;
  /** When `#ran` was read. */
  #ranAt = Number.NEGATIVE_INFINITY;
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

  /** Calls `ring` when so many milliseconds have passed in which the process could run. */
  timer(milliseconds: number, ring: () => void): AwakeTimer {
    let due = this.now() + milliseconds;
    let stop = () => {};
    const set = (left: number) => {
      stop = this.#source.after(left, () => {
        const more = due - this.now();
        if (more > 0) set(more);
        else ring();
      });
    };
    set(milliseconds);
    return {
      // The timer that is set rings too early then, and is set again.
      refresh: () => {
        due = this.now() + milliseconds;
      },
      clear: () => stop(),
    };
  }

  #look(): number {
    const now = this.#source.now();
    const late = now - this.#last - tickMs;
    if (late > patienceMs || now - this.#ranAt > readingMs) {
      const ran = this.#source.ran();
      const stood = late - (ran - this.#ran);
      if (stood > patienceMs) this.#missed += stood;
      this.#ran = ran;
      this.#ranAt = now;
    }
    this.#last = now;
    return now;
  }
}

const realTime: ClockSource = {
  now: () => performance.now(),
  ran: () => scheduledMs() ?? usedMs(),
  every: (milliseconds, look) => void setInterval(look, milliseconds).unref(),
  after: (milliseconds, ring) => {
    const timer = setTimeout(ring, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** As Linux counts it for this thread: nanoseconds on a core, and nanoseconds of waiting for one. See proc(5). */
function scheduledMs(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const [running, waiting] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ').map(Number);
    const sum = (running! + waiting!) / 1e6;
    return Number.isFinite(sum) ? sum : undefined;
  } catch (error) {
    // No /proc, or a kernel that does not count.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}

/** Of all threads of the process, which at times is too much: then a pause is not noticed, and no computing is taken for one. */
function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The clock of this thread. */
export const awake = new AwakeClock();
