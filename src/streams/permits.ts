import { fail } from '../errors.ts';
import type { Sample } from './sample.ts';

/**
 * The one law of the stream: **issued = returned + open**, and when a run has ended, for whatever cause, nothing is open.
 *
 * A permit is the right to have one sample in flight. A source reads a sample only when it holds a permit for it; the permit travels
 * with the sample and returns when its pixels lie in a batch, its record is written, it was dropped, or it failed. So no buffer in a
 * chain, not even rxjs' own, can hold more samples than `capacity`.
 */
export class Permits {
  readonly capacity: number;
  #issued = 0;
  #returned = 0;
  readonly #waiters = new Set<() => void>();
  readonly #watchers = new Set<(permit: Permit) => void>();
  #most = 0;
  #refusedSince: number | undefined;
  #waited = 0;

  readonly #now: () => number;

  /** @param now the time in milliseconds; a scheduler's in tests. */
  constructor(capacity: number, now: () => number = () => performance.now()) {
    this.capacity = capacity;
    this.#now = now;
  }

  get issued(): number {
    return this.#issued;
  }

  get returned(): number {
    return this.#returned;
  }

  /** Samples in flight. */
  get open(): number {
    return this.#issued - this.#returned;
  }

  /** The most samples that were in flight at a time; never above `capacity`. */
  get most(): number {
    return this.#most;
  }

  /** Milliseconds in which a sample stood ready to be read and all permits were out: what comes after is slower than the source. */
  get waitedMs(): number {
    return this.#waited + (this.#refusedSince === undefined ? 0 : this.#now() - this.#refusedSince);
  }

  /** A permit for the sample at `position`, or nothing when all are out. */
  take(position: number): Permit | undefined {
    if (this.open >= this.capacity) {
      this.#refusedSince ??= this.#now();
      return undefined;
    }
    if (this.#refusedSince !== undefined) {
      this.#waited += this.#now() - this.#refusedSince;
      this.#refusedSince = undefined;
    }
    this.#issued++;
    if (this.open > this.#most) this.#most = this.open;
    return new Permit(this, position);
  }

  /** Calls `wake` whenever a permit has come back. Returns the way to stop that. */
  onFree(wake: () => void): () => void {
    this.#waiters.add(wake);
    return () => this.#waiters.delete(wake);
  }

  /** Calls `watch` whenever a share of a permit has come back, before anyone is woken. Returns the way to stop that. */
  onShare(watch: (permit: Permit) => void): () => void {
    this.#watchers.add(watch);
    return () => this.#watchers.delete(watch);
  }

  /** For permits only: a share of `permit` came back. */
  settle(permit: Permit): void {
    if (permit.shares === 0) this.#returned++;
    for (const watch of this.#watchers) watch(permit);
    if (permit.shares === 0) for (const wake of this.#waiters) wake();
  }
}

/** The right to have one sample in flight. The parts of a sample that became many share its permit by count. */
export class Permit {
  readonly position: number;
  readonly #home: Permits;
  #shares = 1;

  constructor(home: Permits, position: number) {
    this.#home = home;
    this.position = position;
  }

  /** Parts still in flight; 0 when the permit has returned. */
  get shares(): number {
    return this.#shares;
  }

  /** The sample became `parts` samples: all of them together hold the permit. */
  share(parts: number): void {
    this.#shares += parts - 1;
  }

  /** Gives back one share. Giving back more than there are is a fault of the stage that does it. */
  return(): void {
    if (this.#shares === 0) throw fail('PERMIT_TWICE', { position: this.position });
    this.#shares--;
    this.#home.settle(this);
  }
}

/** A sample with the permit it holds, as it travels between stages. `part` is its path of numbers where a sample became many. */
export interface Carried<S = Sample> {
  readonly sample: S;
  readonly permit: Permit;
  readonly part: readonly number[];
}

export const whole: readonly number[] = [];
