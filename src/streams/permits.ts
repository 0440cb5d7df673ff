import { awake } from '../awake-clock.ts';
import { fail } from '../errors.ts';
import type { Sample } from './sample.ts';

/** How a sample ends. Of one that became many the first of these that holds for a part: it is delivered where any part is. */
export const ends = ['delivered', 'failed', 'dropped'] as const;
export type End = (typeof ends)[number];

/**
 * The one law of the stream: **issued = returned + open**, and when a run has ended, for whatever cause, nothing is open. What has returned was delivered,
 * failed or dropped, or was on its way when the run ended.
 *
 * A permit is the right to have one sample in flight. A source reads a sample only when it holds a permit for it; the permit travels
 * with the sample and returns when its pixels lie in a batch, its record is written, it was dropped, or it failed. So no buffer in a
 * chain, not even rxjs' own, can hold more samples than `capacity`.
 */
export class Permits {
  #capacity: number;
  #issued = 0;
  #returned = 0;
  /** Those in flight, in the order in which they were taken. */
  readonly #out = new Set<Permit>();
  readonly #waiters = new Set<() => void>();
  readonly #watchers = new Set<(permit: Permit) => void>();
  #most = 0;
  readonly #ended = { delivered: 0, failed: 0, dropped: 0 };
  /** Of those that were dropped, which were delivered before. */
  #dropped = 0;
  #refusedSince: number | undefined;
  #waited = 0;

  readonly #now: () => number;
  readonly #hasRoom: (open: number) => boolean;

  /**
   * @param now the time in milliseconds; a scheduler's in tests. @param hasRoom whether one sample more than so many may be in flight, by what those hold; `wake` says
   * that there may be room again.
   */
  constructor(
    capacity: number,
    now: () => number = () => awake.now(),
    hasRoom: (open: number) => boolean = () => true,
  ) {
    this.#capacity = capacity;
    this.#now = now;
    this.#hasRoom = hasRoom;
  }

  /** Samples that may be in flight. */
  get capacity(): number {
    return this.#capacity;
  }

  /** So many samples may be in flight from now on. Where there are more, none is read until enough have come back. */
  allow(capacity: number): void {
    const isMore = capacity > this.#capacity;
    this.#capacity = capacity;
    if (isMore) this.wake();
  }

  /** Calls those who wait for a permit. */
  wake(): void {
    for (const wake of this.#waiters) wake();
  }

  /** Whether no sample can be read before another has ended. */
  get areOut(): boolean {
    return this.open >= this.#capacity || !this.#hasRoom(this.open);
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

  /** The most samples that were in flight at a time; never above what `capacity` was at that time. */
  get most(): number {
    return this.#most;
  }

  /** How many samples have ended how. The others that have returned were on their way when the run ended. */
  get ended(): Readonly<Record<End, number>> {
    return { ...this.#ended };
  }

  /** Samples that were delivered, those that were dropped after that too. */
  get reached(): number {
    return this.#ended.delivered + this.#dropped;
  }

  /** Milliseconds in which a sample stood ready to be read and all permits were out: what comes after is slower than the source. */
  get waitedMs(): number {
    return this.#waited + (this.#refusedSince === undefined ? 0 : this.#now() - this.#refusedSince);
  }

  /** A permit for the sample at `position`, or nothing when all are out. */
  take(position: number): Permit | undefined {
    if (this.areOut) {
      this.#refusedSince ??= this.#now();
      return undefined;
    }
    if (this.#refusedSince !== undefined) {
      this.#waited += this.#now() - this.#refusedSince;
      this.#refusedSince = undefined;
    }
    this.#issued++;
    if (this.open > this.#most) this.#most = this.open;
    const permit = new Permit(this, position);
    this.#out.add(permit);
    return permit;
  }

  /**
   * Whether the end of the chain, which brings samples back into order, waits for the sample of this permit while no other can be read: all permits are out, and
   * this is the oldest. @param arrived the last position that has come as far as this sample.
   */
  blocks(permit: Permit, arrived: number): boolean {
    if (!this.areOut || this.#out.values().next().value !== permit) return false;
    for (const { position } of this.#out) if (position > arrived) return false;
    return true;
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
    if (permit.shares === 0) {
      this.#returned++;
      this.#out.delete(permit);
      if (permit.end !== undefined) this.#ended[permit.end]++;
    }
    for (const watch of this.#watchers) watch(permit);
    if (permit.shares === 0) this.wake();
  }

  /** For permits only: a sample that had been delivered has ended otherwise. */
  amend(end: End): void {
    this.#ended.delivered--;
    this.#ended[end]++;
    this.#dropped++;
  }
}

/** The right to have one sample in flight. The parts of a sample that became many share its permit by count. */
export class Permit {
  readonly position: number;
  readonly #home: Permits;
  #shares = 1;
  /** Parts that were delivered, and how the others ended. */
  #delivered = 0;
  #end: Exclude<End, 'delivered'> | undefined;

  constructor(home: Permits, position: number) {
    this.#home = home;
    this.position = position;
  }

  /** Whether everything waits for its sample. @param arrived the last position that has come as far as it has. */
  blocks(arrived: number): boolean {
    return this.#home.blocks(this, arrived);
  }

  /** Parts still in flight; 0 when the permit has returned. */
  get shares(): number {
    return this.#shares;
  }

  /** How its sample has ended, as far as its parts have. */
  get end(): End | undefined {
    return this.#delivered > 0 ? 'delivered' : this.#end;
  }

  /** The sample became `parts` samples: all of them together hold the permit. */
  share(parts: number): void {
    this.#shares += parts - 1;
  }

  /** Gives back one share, and says how its part ended; nothing where the run ended before. Giving back more than there are is a fault of the stage that does it. */
  return(end?: End): void {
    if (this.#shares === 0) throw fail('PERMIT_TWICE', { position: this.position });
    if (end === 'delivered') this.#delivered++;
    else if (end !== undefined && this.#end !== 'failed') this.#end = end;
    this.#shares--;
    this.#home.settle(this);
  }

  /** Of a part that was delivered: it was dropped after all. */
  drop(): void {
    const isLast = --this.#delivered === 0;
    this.#end ??= 'dropped';
    if (isLast && this.#shares === 0) this.#home.amend(this.#end);
  }
}

/** A sample with the permit it holds, as it travels between stages. `part` is its path of numbers where a sample became many. */
export interface Carried<S = Sample> {
  readonly sample: S;
  readonly permit: Permit;
  readonly part: readonly number[];
}

export const whole: readonly number[] = [];
