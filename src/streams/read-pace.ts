/**
 * What a source of samples waits for:
 * `atOnce`: for nothing, what is read lies in the system's memory;
 * `fed`: for what comes behind it, which has samples enough;
 * `growing`: for the disk; all places are taken, and more are tried;
 * `saturated`: for the disk, which gives no more samples to more reads;
 * `full`: for the disk, with as many reads as there may be;
 * `permits`: for the disk, with as many reads as samples may be in flight;
 * `ordered`: for a few reads that take far longer than the others, behind which samples wait for their turn.
 */
export type ReadState = 'atOnce' | 'fed' | 'growing' | 'saturated' | 'full' | 'permits' | 'ordered';

/** How reading goes of late. */
export interface ReadPace {
  readonly state: ReadState;
  /** Milliseconds of a read: half of the last thousand, and 99 of 100 of them, took no longer. 0 where they had nothing to wait for. */
  readonly medianMs: number;
  readonly p99Ms: number;
  /** Reads in flight, in the mean of late, and how many may be. */
  readonly inFlight: number;
  readonly places: number;
  /** Bytes that come from it a second; 0 where they were not counted. */
  readonly bytesPerSecond: number;
  /** The share of the run's time in which samples were waited for, 0 to 1: the source set the pace. */
  readonly slowShare: number;
  /** The state in which they were last waited for; absent where they never were. */
  readonly slowState?: ReadState;
}

/** A round of reads, as far as its pace goes. */
export interface PacedRound {
  readonly state: ReadState;
  readonly milliseconds: number;
  /** Of these, in which samples were waited for. */
  readonly starvedMs: number;
  readonly inFlight: number;
  readonly places: number;
  readonly bytesPerSecond: number;
}

/** So many reads are remembered. */
const remembered = 1024;
/** What lies so many milliseconds back counts half: one slow read in hundreds may be what all wait for. */
const halfLife = 3000;

/** Collects what reads take. */
export class ReadTimes {
  readonly #times = new Float32Array(remembered);
  #count = 0;
  #slowState: ReadState | undefined;
  #places = 0;
  #starved = 0;
  #all = 0;
  /** Fading: milliseconds by state, and sums over them. */
  readonly #states = new Map<ReadState, number>();
  #late = { milliseconds: 0, inFlight: 0, bytes: 0 };

  add(milliseconds: number): void {
    this.#times[this.#count++ % remembered] = milliseconds;
  }

  /** A round has ended. */
  round({ state, milliseconds, starvedMs, inFlight, places, bytesPerSecond }: PacedRound): void {
    const fading = 0.5 ** (milliseconds / halfLife);
    for (const [one, sum] of this.#states) this.#states.set(one, fading * sum);
    this.#states.set(state, (this.#states.get(state) ?? 0) + milliseconds);
    const late = this.#late;
    this.#late = {
      milliseconds: fading * late.milliseconds + milliseconds,
      inFlight: fading * late.inFlight + milliseconds * inFlight,
      bytes: fading * late.bytes + milliseconds * bytesPerSecond,
    };
    this.#places = places;
    this.#all += milliseconds;
    this.#starved += starvedMs;
    if (!isKeptUp(state)) this.#slowState = state;
  }

  /** Nothing before the first round has ended. */
  pace(): ReadPace | undefined {
    const [state] = [...this.#states].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0]);
    if (state === '') return undefined;
    const times = this.#times.slice(0, state === 'atOnce' ? 0 : Math.min(this.#count, remembered)).sort();
    const below = (share: number) => times[Math.max(0, Math.ceil(share * times.length) - 1)] ?? 0;
    const { milliseconds, inFlight, bytes } = this.#late;
    return {
      state: state as ReadState,
      medianMs: below(0.5),
      p99Ms: below(0.99),
      inFlight: inFlight / milliseconds,
      places: this.#places,
      bytesPerSecond: bytes / milliseconds,
      slowShare: this.#starved / this.#all,
      ...(this.#slowState && { slowState: this.#slowState }),
    };
  }
}

/** Whether samples come as fast as they are used. */
export function isKeptUp(state: ReadState): boolean {
  return state === 'atOnce' || state === 'fed';
}
