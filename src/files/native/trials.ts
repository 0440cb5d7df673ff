/** After so many reads in a row that had nothing to wait for, others will not have either. */
const enough = 8;

/**
 * Whether reads are worth trying by the threads that render, which must not wait for a disk: until one fails. Then threads that may wait read (`reads.ts`), which hear
 * whether they had to.
 */
export class Trials {
  #isDue = true;
  #inARow = 0;

  isDue(): boolean {
    return this.#isDue;
  }

  failed(): void {
    this.#isDue = false;
    this.#inARow = 0;
  }

  /** Another thread has read: with nothing to wait for, or not. */
  heard(atOnce: boolean): void {
    this.#inARow = atOnce ? this.#inARow + 1 : 0;
    if (this.#inARow >= enough) this.#isDue = true;
  }
}

export const trials = { files: new Trials(), frames: new Trials() };

/** Reads of this thread that had nothing to wait for: files and frames that lay in the system's memory. */
export const readsAtOnce = { count: 0 };
