export interface HeldBytesOptions {
  /** Bytes that samples in flight may hold. */
  readonly most: number;
  /** Samples that may be in flight whatever they hold. */
  readonly free: number;
}

/** Bytes that the samples in flight hold, so that those which wait in a stage for their batch are bound by memory and not by number alone. */
export class HeldBytes {
  readonly #options: HeldBytesOptions;
  /** By position, of those that were read. */
  readonly #held = new Map<number, number>();
  #sum = 0;
  /** Of all samples so far: one that is still to be read is taken for a mean one. */
  #count = 0;
  #total = 0;

  constructor(options: HeldBytesOptions) {
    this.#options = options;
  }

  /** Whether one sample more than `open` may be in flight. */
  hasRoom(open: number): boolean {
    const { most, free } = this.#options;
    if (open < free) return true;
    if (this.#count === 0) return false;
    const unread = open + 1 - this.#held.size;
    return this.#sum + (unread * this.#total) / this.#count <= most;
  }

  /** A sample was read. True where it is the first, so that there may be room that there was not. */
  holds(position: number, bytes: number): boolean {
    this.#held.set(position, bytes);
    this.#sum += bytes;
    this.#total += bytes;
    return ++this.#count === 1;
  }

  /** A sample has ended. */
  let(position: number): void {
    this.#sum -= this.#held.get(position) ?? 0;
    this.#held.delete(position);
  }
}
