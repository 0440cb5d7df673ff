/** Text that is appended to a file: what comes while other text is being written goes with the next write, all of it in one. */
export class Appender {
  readonly #write: (text: string) => Promise<void>;
  #gathered: string[] = [];
  #bytes = 0;
  #next: Promise<void> | undefined;
  #busy: Promise<void> = Promise.resolve();

  /** @param write called for one text at a time. */
  constructor(write: (text: string) => Promise<void>) {
    this.#write = write;
  }

  /** About how many bytes wait for the next write. */
  get waiting(): number {
    return this.#bytes;
  }

  /** When this resolves, the text is written. Where its write has failed all that went with it fail alike, and what comes behind is tried anew. */
  add(text: string): Promise<void> {
    this.#gathered.push(text);
    this.#bytes += text.length;
    if (this.#next === undefined) {
      this.#next = this.#busy.then(() => this.#take());
      // Who added hears of it; what comes behind is tried anew.
      this.#busy = this.#next.catch(() => undefined);
    }
    return this.#next;
  }

  /** When nothing is being written any more. */
  ended(): Promise<void> {
    return this.#busy;
  }

  #take(): Promise<void> {
    const text = this.#gathered.join('');
    this.#gathered = [];
    this.#bytes = 0;
    this.#next = undefined;
    return this.#write(text);
  }
}
