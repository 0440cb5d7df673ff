/** What was read and may be read again, up to so many bytes; what was wanted longest ago goes first. Who wants what is being read waits for it. */
export class Held<T> {
  readonly #most: number;
  readonly #sizeOf: (value: T) => number;
  readonly #entries = new Map<string, { bytes: number; readonly value: Promise<T> }>();
  #bytes = 0;

  /** @param sizeOf how many bytes of memory a value takes. */
  constructor(mostBytes: number, sizeOf: (value: T) => number) {
    this.#most = mostBytes;
    this.#sizeOf = sizeOf;
  }

  /** What fails is not held: the next one who wants it tries again. */
  get(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      // Behind all others.
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.value;
    }
    const entry = { bytes: 0, value: read() };
    this.#entries.set(key, entry);
    entry.value.then(
      (value) => {
        entry.bytes = this.#sizeOf(value);
        this.#bytes += entry.bytes;
        this.#shrink();
      },
      // Whoever waits for it hears of it.
      () => this.#entries.delete(key),
    );
    return entry.value;
  }

  /** What is being read has no bytes yet, and stays. */
  #shrink(): void {
    for (const [oldest, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#most) return;
      if (bytes === 0) continue;
      this.#entries.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}
