import { type AwakeTimer, awake } from '../awake-clock.ts';
import type { Supply } from '../stages/stage.ts';

/** A batch that is on its way: `count` of its slots hold samples. */
export interface SlottedBatch {
  /** Which of the buffers it lies in. */
  readonly buffer: number;
  readonly count: number;
}

export interface SlottedOptions<Rows> {
  /** Slots of a batch. */
  readonly size: number;
  readonly buffers: number;
  /** How many batches may be computed or wait for that. */
  readonly ahead: number;
  /** Computes a batch. What it gives is every sample's, which takes its row. */
  compute(batch: SlottedBatch): Promise<Rows>;
  /** What else may come, where that is known: where nothing can, a batch goes at once. */
  readonly supply?: Supply | undefined;
  /** Calls `ring` after so many milliseconds; tests give their own. */
  timer?(milliseconds: number, ring: () => void): Pick<AwakeTimer, 'refresh' | 'clear'>;
}

/** Milliseconds without a new sample after which a batch goes that is not full, where nothing else is computed and it is not known whether more can come. */
export const idleMs = 100;

interface Open<Rows> {
  readonly buffer: number;
  /** By slot: true where a sample has it. */
  readonly taken: boolean[];
  count: number;
  filling: number;
  readonly rows: Promise<Rows>;
  settle(rows: Promise<Rows>): void;
}

/**
 * Gathers samples into batches in which each has a slot that depends on the sample alone. A row of a matrix product depends in its last bits on the height of the
 * product and on its place in it, not on the other rows: so what becomes of a sample is the same whichever others are beside it, and a batch may go at any
 * time, with holes where samples failed or are still to come.
 */
export class SlottedBatches<Rows> {
  readonly #options: SlottedOptions<Rows>;
  readonly #free: number[];
  #open: Open<Rows>[] = [];
  #computing = 0;
  #waiting: (() => void)[] = [];
  #idle: Pick<AwakeTimer, 'refresh' | 'clear'> | undefined;
  #looks = false;
  #isClosed = false;

  constructor(options: SlottedOptions<Rows>) {
    this.#options = options;
    this.#free = Array.from({ length: options.buffers }, (_, i) => options.buffers - 1 - i);
    options.supply?.onChange(() => this.#lookAround());
  }

  /**
   * Has a sample filled into its slot of a batch, and waits for what is computed of that.
   *
   * @param fill writes the sample at its slot of the buffer; where it fails the slot stays empty.
   */
  async rows(slot: number, fill: (buffer: number) => Promise<void>): Promise<Rows> {
    let batch = this.#with(slot);
    while (batch === undefined) {
      const freed = new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.#advance();
      await freed;
      batch = this.#with(slot);
    }
    batch.taken[slot] = true;
    batch.filling += 1;
    this.#idle?.refresh();
    try {
      await fill(batch.buffer);
      batch.count += 1;
    } catch (error) {
      batch.taken[slot] = false;
      // Its slot is that of one that waits, perhaps, and no batch may ever be computed to wake that.
      this.#wake();
      throw error;
    } finally {
      batch.filling -= 1;
      this.#advance();
    }
    return batch.rows;
  }

  /** Nothing more comes, and nothing is waited for. */
  close(): void {
    this.#isClosed = true;
    this.#rest();
  }

  #rest(): void {
    this.#idle?.clear();
    this.#idle = undefined;
  }

  /** The first batch in which the slot is free; a new one where a buffer is. */
  #with(slot: number): Open<Rows> | undefined {
    const found = this.#open.find(({ taken }) => !taken[slot]);
    if (found !== undefined) return found;
    const buffer = this.#free.pop();
    if (buffer === undefined) return undefined;
    let settle!: (rows: Promise<Rows>) => void;
    const rows = new Promise<Rows>((resolve) => {
      settle = resolve;
    });
    // A batch whose samples have all failed is waited for by nobody.
    rows.catch(() => {});
    const batch: Open<Rows> = {
      buffer,
      taken: new Array(this.#options.size).fill(false),
      count: 0,
      filling: 0,
      rows,
      settle,
    };
    this.#open.push(batch);
    return batch;
  }

  #advance(isIdle = false): void {
    const { size, ahead } = this.#options;
    while (this.#computing < ahead) {
      // One whose samples have all failed waits for others.
      const [first, second] = this.#open.filter(({ count, filling }) => count + filling > 0);
      if (first === undefined || first.filling > 0) break;
      const taken = second?.taken.filter(Boolean).length ?? 0;
      const isDue =
        first.count === size || taken * 2 >= size || (this.#free.length === 0 && this.#waiting.length > 0) || isIdle;
      if (!isDue) break;
      isIdle = false;
      this.#send(first);
    }
    this.#watchIdle();
  }

  get #waits(): boolean {
    return this.#computing === 0 && this.#open.some(({ count }) => count > 0);
  }

  /** Where something waits and nothing is computed, it goes when no other can come, or none comes. */
  #watchIdle(): void {
    if (this.#isClosed || !this.#waits) {
      this.#rest();
      return;
    }
    this.#lookAround();
    if (this.#idle !== undefined) return;
    const { timer = (ms: number, ring: () => void) => awake.timer(ms, ring) } = this.#options;
    this.#idle = timer(idleMs, () => {
      this.#idle = undefined;
      this.#advance(true);
    });
  }

  /** Once what happens now has had its effects: a permit that comes back may have brought another sample on its way. */
  #lookAround(): void {
    const { supply } = this.#options;
    if (supply === undefined || this.#looks || !this.#waits) return;
    this.#looks = true;
    setImmediate(() => {
      this.#looks = false;
      if (!this.#isClosed && this.#waits && supply.isDry()) this.#advance(true);
    });
  }

  #send(batch: Open<Rows>): void {
    this.#open = this.#open.filter((one) => one !== batch);
    this.#computing += 1;
    const { buffer, count } = batch;
    const rows = this.#options.compute({ buffer, count });
    batch.settle(rows);
    const done = () => {
      this.#computing -= 1;
      this.#free.push(buffer);
      this.#wake();
      this.#advance();
    };
    rows.then(done, done);
  }

  /** Those that wait for a slot look for one again. */
  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
