import type { Moments } from '../backends/moments.ts';

/** What the passes of a step took, in milliseconds, and how long there was nothing to compute on. */
export interface PassTimes {
  /** The computing had to wait for samples. On a device that still had work the host's waiting does not count. */
  readonly waitMs: number;
  readonly uploadMs: number;
  readonly passMs: number;
}

interface Pass {
  /** The end of the work before, when there was any. */
  readonly before: number | undefined;
  /** How long the host has waited for its samples. */
  readonly hostWaitMs: number;
  readonly began: number;
  uploaded: number | undefined;
  ended: number | undefined;
}

/** Passes that may be under way unread: beyond, the oldest are read, which waits for them. */
const mostOpen = 1000;
const marksOfPass = 3;
/** After the marks of all passes. */
const restMarks = [marksOfPass * (mostOpen + 1), marksOfPass * (mostOpen + 1) + 1] as const;

/**
 * Times passes where they are computed. A device (a GPU) is handed its work and goes on by itself, so that the host's clock would time the handing over;
 * here moments are set in the device's own queue and read when a step's numbers have been read back, which waits for all of them anyway.
 */
export class PassTimer {
  readonly #moments: () => Moments;
  #current: Moments | undefined;
  #passes: Pass[] = [];
  #next = 0;
  #rests = 0;
  #last: number | undefined;
  #read = nothing();

  /** @param moments of the backend that computes, asked for with the first pass. */
  constructor(moments: () => Moments) {
    this.#moments = moments;
  }

  /** A pass begins, for whose samples the host has waited. */
  begin(hostWaitMs: number): void {
    this.#current ??= this.#moments();
    if (this.#passes.length >= mostOpen) this.#sum(this.#passes.splice(0, 1));
    const began = this.#mark();
    this.#passes.push({ before: this.#last, hostWaitMs, began, uploaded: undefined, ended: undefined });
  }

  /** Its samples are being copied no longer. */
  uploaded(): void {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) pass.uploaded = this.#mark();
  }

  /** All of it was asked for. */
  end(): void {
    const pass = this.#passes.at(-1);
    if (pass !== undefined) this.#last = pass.ended = this.#mark();
  }

  /** All else of the step was asked for: what comes is a wait. */
  rest(): void {
    if (this.#current === undefined) return;
    this.#rests = 1 - this.#rests;
    this.#last = restMarks[this.#rests]!;
    this.#current.mark(this.#last);
  }

  /** Passes that were not read are of no step. */
  forget(): void {
    this.#passes = [];
    this.#read = nothing();
  }

  /** What passes have taken since this was last called. Waits until they are computed. */
  times(): PassTimes {
    this.#sum(this.#passes.splice(0));
    const read = this.#read;
    this.#read = nothing();
    return read;
  }

  #mark(): number {
    const number = this.#next;
    this.#next = (number + 1) % (marksOfPass * (mostOpen + 1));
    this.#current!.mark(number);
    return number;
  }

  #sum(passes: readonly Pass[]): void {
    const moments = this.#current;
    if (moments === undefined) return;
    for (const { before, hostWaitMs, began, uploaded, ended } of passes) {
      const idle = before === undefined ? hostWaitMs : Math.max(0, moments.between(before, began));
      this.#read.waitMs += Math.min(hostWaitMs, idle);
      if (uploaded !== undefined) this.#read.uploadMs += moments.between(began, uploaded);
      if (ended !== undefined) this.#read.passMs += moments.between(uploaded ?? began, ended);
    }
  }
}

const nothing = () => ({ waitMs: 0, uploadMs: 0, passMs: 0 });
