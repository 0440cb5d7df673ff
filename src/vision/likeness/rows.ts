type Numbers = Uint8Array | Float32Array;

const rowsPerPage = 4096;

/** Rows of numbers, all of one length, that become more: in pages, so that none is ever copied to make room. */
export class Rows<T extends Numbers> {
  readonly #pages: T[] = [];
  readonly #length: number;
  readonly #page: (length: number) => T;
  #count = 0;

  /** @param page makes the memory of a page. */
  constructor(length: number, page: (length: number) => T) {
    this.#length = length;
    this.#page = page;
  }

  add(row: ArrayLike<number>): void {
    if (this.#count % rowsPerPage === 0) this.#pages.push(this.#page(rowsPerPage * this.#length));
    this.#pages.at(-1)!.set(row, (this.#count++ % rowsPerPage) * this.#length);
  }

  /** The row at a place, in its memory. */
  at(row: number): T {
    const start = (row % rowsPerPage) * this.#length;
    return this.#pages[Math.floor(row / rowsPerPage)]!.subarray(start, start + this.#length) as T;
  }
}
