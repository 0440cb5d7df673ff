import type { BufferPool } from '../../files/buffer-pool.ts';

/** What one sample reads: at once, or soon. */
type Reading<R> = R | Promise<R>;

/** A reading that has been begun, and what became of it. */
interface Begun<R> {
  readonly promise: Promise<R>;
  value: R | undefined;
  readonly bytes: number;
}

/** How records are read, which lie in files one behind the other. */
interface Records<R> {
  readonly count: number;
  /** Bytes of a record in its file. */
  bytes(index: number): number;
  read(index: number, signal: AbortSignal, memory: BufferPool | undefined): Promise<R>;
  /** Nobody wants it: its memory goes back. */
  drop(record: R, memory: BufferPool): void;
}

/** Records that are asked for one behind the other, before the next ones are read ahead. */
const row = 4;
/** What is read ahead: so many bytes, and so many records. */
const mostBytes = 2 ** 22;
const mostRecords = 64;

/**
 * Reads records, and where they are asked for one behind the other, as in an epoch that is not shuffled, the next ones before they are asked for: what reads
 * then always finds work, and many records end with one message. Only where memory is lent, which takes what is not wanted back.
 */
export class ReadAhead<R> {
  readonly #records: Records<R>;
  readonly #ahead = new Map<number, Begun<R>>();
  #bytes = 0;
  /** The record behind the last that was asked for, how many came in a row up to there, and the first that is not read ahead. */
  #next = 0;
  #inRow = 0;
  #end = 0;

  constructor(records: Records<R>) {
    this.#records = records;
  }

  read(index: number, signal: AbortSignal, memory: BufferPool | undefined): Reading<R> {
    if (memory === undefined) return this.#records.read(index, signal, memory);
    this.#inRow = index === this.#next ? this.#inRow + 1 : 0;
    this.#next = index + 1;
    const begun = this.#ahead.get(index);
    if (begun === undefined) this.#drop(memory);
    else this.#take(index, begun);
    const reading = begun === undefined ? this.#records.read(index, signal, memory) : (begun.value ?? begun.promise);
    if (this.#inRow >= row) this.#begin(signal, memory);
    return reading;
  }

  #begin(signal: AbortSignal, memory: BufferPool): void {
    this.#end = Math.max(this.#end, this.#next);
    while (this.#end < this.#records.count && this.#ahead.size < mostRecords) {
      const bytes = this.#records.bytes(this.#end);
      if (this.#bytes + bytes > mostBytes) return;
      const promise = this.#records.read(this.#end, signal, memory);
      const begun: Begun<R> = { promise, value: undefined, bytes };
      promise.then(
        (value) => {
          begun.value = value;
        },
        // Whoever asks for it hears of it.
        () => {},
      );
      this.#ahead.set(this.#end++, begun);
      this.#bytes += bytes;
    }
  }

  #take(index: number, { bytes }: Begun<R>): void {
    this.#ahead.delete(index);
    this.#bytes -= bytes;
  }

  /** Another order: nobody will ask for what is there. */
  #drop(memory: BufferPool): void {
    for (const [index, begun] of this.#ahead) {
      this.#take(index, begun);
      begun.promise.then(
        (record) => this.#records.drop(record, memory),
        // Whatever it failed with: who asks for it later reads it again.
        () => {},
      );
    }
    this.#end = 0;
  }
}
