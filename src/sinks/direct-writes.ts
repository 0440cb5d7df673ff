/** Microseconds that a file may take, in the mean, to be written by a thread that renders: more would cost more than it takes to hand the file to another. */
const most = 500;
/** What a file of late weighs in the mean. */
const weight = 1 / 16;
/** Where files took longer, one in so many is tried again. */
const retry = 256;

/**
 * Whether files are to be written by the threads that render them. To a local disk that takes less than handing the bytes to a thread that writes; to a slow one
 * the threads would wait for it, and render nothing meanwhile.
 */
export class DirectWrites {
  #mean = 0;
  #asked = 0;

  isDue(): boolean {
    return this.#mean <= most || ++this.#asked % retry === 0;
  }

  /** A file was written so, in so many microseconds. */
  took(microseconds: number): void {
    // One that is tried again says at once how it is now.
    this.#mean = this.#mean > most ? microseconds : this.#mean + weight * (microseconds - this.#mean);
  }
}
