import { Subject } from 'rxjs';

/*
 *   cells:   0        1        2        3        4        5
 *          [taken ][taken ][failed][writing][ free  ][ free  ]
 *                             ^ free again            ^ next
 *
 * A cell is given out to one sample, written, committed to a batch, read by the trainer, and freed. Cells go out round the ring, and a
 * batch begins at the first place where it fits. So its cells are neighbours except at a hole, and a trainer that keeps up is given the same
 * cells again and again, whose memory is still in the processor's caches.
 */

/** The cells of a run: equal places for rendered samples in one shared memory. */
export class Ring {
  readonly cells: number;
  readonly cellBytes: number;
  readonly memory: SharedArrayBuffer;
  /** Emits when a cell has become free. */
  readonly freed = new Subject<void>();
  readonly #free: Uint8Array;
  readonly #generation: Uint32Array;
  /** What ends the work on a cell from another thread. */
  readonly #writers: ((() => void) | undefined)[] = [];
  readonly #views: (Uint8Array | undefined)[] = [];
  #available: number;
  #next = 0;
  /** Cells of a batch. */
  #size = 0;
  /** Cells to give out before the next batch begins. */
  #left = Number.POSITIVE_INFINITY;

  /** @param cells how many samples lie in it at most. @param cellBytes bytes of one cell, a multiple of 64. */
  constructor(cells: number, cellBytes: number) {
    this.cells = cells;
    this.cellBytes = cellBytes;
    this.memory = new SharedArrayBuffer(cells * cellBytes);
    this.#free = new Uint8Array(cells).fill(1);
    this.#generation = new Uint32Array(cells);
    this.#available = cells;
  }

  /** Cells that are free now. */
  get available(): number {
    return this.#available;
  }

  /** The next batch, of `size` cells, begins when `left` more cells have been given out. */
  begins(left: number, size: number): void {
    this.#left = left;
    this.#size = size;
  }

  /** The next free cell round the ring, or nothing. */
  take(): Cell | undefined {
    if (this.#available === 0) return undefined;
    if (this.#left === 0) {
      this.#left = this.#size;
      this.#next = this.#firstOf(this.#size) ?? this.#next;
    }
    this.#left--;
    while (this.#free[this.#next] === 0) this.#next = (this.#next + 1) % this.cells;
    const index = this.#next;
    this.#next = (index + 1) % this.cells;
    this.#free[index] = 0;
    this.#available--;
    return new Cell(this, index, this.#generation[index]!);
  }

  /** Frees cells whose bytes have been copied, or whose sample failed. What still holds one of them can no longer write to it. */
  free(indices: Iterable<number>): void {
    for (const index of indices) {
      if (this.#free[index] === 1) continue;
      const stop = this.#writers[index];
      this.#writers[index] = undefined;
      stop?.();
      this.#free[index] = 1;
      this.#generation[index]!++;
      this.#available++;
    }
    this.freed.next();
  }

  /** The first of so many neighbours that are all free. */
  #firstOf(count: number): number | undefined {
    let found = 0;
    for (let index = 0; index < this.cells; index++) {
      found = this.#free[index] === 1 ? found + 1 : 0;
      if (found === count) return index + 1 - count;
    }
    return undefined;
  }

  /** How often the cell has been freed. */
  generation(index: number): number {
    return this.#generation[index]!;
  }

  /** Calls `stop` before the cell is freed. Undefined: nothing writes there any more. */
  whenFreed(index: number, stop: (() => void) | undefined): void {
    this.#writers[index] = stop;
  }

  /** The bytes of a cell, [cellBytes]. */
  bytes(index: number): Uint8Array {
    this.#views[index] ??= new Uint8Array(this.memory, index * this.cellBytes, this.cellBytes);
    return this.#views[index];
  }
}

/** A cell given out for one sample. */
export class Cell {
  readonly index: number;
  readonly #ring: Ring;
  readonly #generation: number;

  constructor(ring: Ring, index: number, generation: number) {
    this.#ring = ring;
    this.index = index;
    this.#generation = generation;
  }

  /** False once the cell was freed: the sample it was given for has timed out or its run has ended. */
  get current(): boolean {
    return this.#ring.generation(this.index) === this.#generation;
  }

  /** Copies `data` to `offset` of the cell; does nothing when the cell is no longer this sample's. A late writer thus harms no one. */
  put(offset: number, data: Uint8Array): void {
    if (this.current) this.#ring.bytes(this.index).set(data, offset);
  }

  /**
   * For work that writes into the cell from another thread: when `stop` returns, it must write there no more. It is called before the cell
   * becomes another's, at once when that has happened already; undefined says that the work has ended.
   */
  whenFreed(stop: (() => void) | undefined): void {
    if (this.current) this.#ring.whenFreed(this.index, stop);
    else stop?.();
  }

  /** The cell's bytes, to be written at once; whoever writes after a wait uses `put`, or `whenFreed`. */
  bytes(): Uint8Array {
    return this.#ring.bytes(this.index);
  }

  /** Gives the cell back unused. */
  free(): void {
    if (this.current) this.#ring.free([this.index]);
  }
}
