import { asyncScheduler, map, Observable, type OperatorFunction, type SchedulerLike } from 'rxjs';
import { fail } from '../errors.ts';
import type { Budget } from './failures.ts';
import type { StageMeter } from './meter.ts';
import { runOrdered } from './ordered/map-ordered.ts';
import type { Carried, End, Permit } from './permits.ts';
import type { Cell, Ring } from './ring.ts';
import type { Sample } from './sample.ts';

/** Samples that lie in the ring, in order: what the trainer is sent. Whoever takes it frees the cells when their bytes are copied. */
export interface CellBatch {
  /** Cell numbers, in the order of the samples. */
  readonly cells: Uint32Array;
  readonly keys: readonly string[];
  readonly positions: readonly number[];
  readonly epochs: readonly number[];
  /** Samples that it was to have; fewer are in the last one of a run. */
  readonly wanted: number;
  /** Counts its samples as dropped: they have come this far and are not used. The cells stay whose they are. */
  drop(): void;
}

/** Why samples are dropped that were delivered. */
const unfilled = 'in no full batch';

export interface BatcherOptions {
  readonly ring: Ring;
  /** Samples per emitted list: the micro-batch. A function is asked for each list, with its first sample. */
  readonly size: number | ((first: Sample) => number);
  /** Renders the sample into the cell. Called for several samples at a time; ends, well or badly, before the cell is committed. */
  write(sample: Sample, cell: Cell): void | PromiseLike<void>;
  /** Hears of each write that has ended well, before its permit returns. */
  written?(sample: Sample): void;
  readonly concurrency: number | Observable<number>;
  readonly timeoutSeconds: number;
  readonly budget: Budget;
  readonly meter: StageMeter;
  /** Batches do not cross epochs: what an epoch's end leaves of one is dropped. */
  readonly dropLast?: boolean;
  readonly scheduler?: SchedulerLike;
}

/** A sample on its way into a cell. */
class Placed {
  readonly carried: Carried;
  /** Absent until its write begins. */
  cell: Cell | undefined;
  error: unknown;
  #isOpen = true;

  constructor(carried: Carried) {
    this.carried = carried;
  }

  /** Returns the permit, once. */
  close(end?: End): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.carried.permit.return(end);
  }
}

/**
 * From samples to batches of cells. Samples come in the order of their positions (`inOrder`), are given the next free cells, and written,
 * several at once; when a write ends, well or badly, the permit returns. Commit is in order: a failed sample's cell goes back and the
 * next sample in order takes its place in the batch, so batch s is the samples [s·size, (s+1)·size) of those that succeed, whatever the
 * timing. When no cell is free the batcher waits, permits run out, and the source stops. The last batch may be short.
 */
export function batcher({
  ring,
  size,
  write,
  written,
  concurrency,
  timeoutSeconds,
  budget,
  meter,
  dropLast = false,
  scheduler = asyncScheduler,
}: BatcherOptions): OperatorFunction<Carried, CellBatch> {
  const where = `stage ${budget.stage}`;

  return (source) =>
    new Observable((subscriber) => {
      let given: Cell | undefined;
      let batch = emptyBatch();
      let wanted = typeof size === 'number' ? size : 0;
      // Cells that were taken and are in no batch yet.
      let open = 0;

      const begin = (placed: Placed): void | PromiseLike<void> => {
        placed.cell = given!;
        given = undefined;
        return write(placed.carried.sample, placed.cell);
      };

      /** Its permit returns as soon as the write has ended, before its turn in the batch. */
      const settle = (placed: Placed, _: unknown, error: unknown): Placed => {
        if (error === undefined) written?.(placed.carried.sample);
        placed.error = error;
        placed.close(error === undefined ? 'delivered' : 'failed');
        return placed;
      };

      const emit = () => {
        const { cells, samples, permits } = batch;
        batch = emptyBatch();
        ring.begins((wanted - (open % wanted)) % wanted, wanted);
        subscriber.next({
          cells: Uint32Array.from(cells),
          keys: samples.map(({ key }) => key),
          positions: samples.map(({ position }) => position),
          epochs: samples.map(({ epoch }) => epoch),
          wanted,
          drop: () => drop(permits),
        });
      };

      const drop = (permits: readonly Permit[]) => {
        for (const permit of permits) {
          permit.drop();
          meter.out--;
          meter.dropped(unfilled);
        }
      };

      const options = {
        settle,
        concurrency,
        scheduler,
        watch: meter,
        room: {
          take: () => {
            given = ring.take();
            if (given === undefined) return false;
            open++;
            return true;
          },
          freed: ring.freed,
        },
        timeout: {
          milliseconds: timeoutSeconds * 1000,
          late(placed: Placed): Placed {
            placed.close('failed');
            placed.cell!.free();
            placed.error = fail('STAGE_TIMEOUT', { seconds: timeoutSeconds }, { where });
            return placed;
          },
          stuck: (places: number) => fail('STAGE_STUCK', { concurrency: places, seconds: timeoutSeconds }, { where }),
        },
        abandon(placed: Placed) {
          placed.close();
          placed.cell?.free();
        },
      };

      const placing = source.pipe(map((carried) => new Placed(carried)));
      return runOrdered(placing, subscriber, begin, options, {
        next({ carried, cell, error }) {
          open--;
          if (error === undefined) {
            meter.out++;
            if (dropLast && batch.samples.length > 0 && batch.samples[0]!.epoch !== carried.sample.epoch) {
              ring.free(batch.cells);
              drop(batch.permits);
              batch = emptyBatch();
            }
            if (typeof size === 'function' && batch.samples.length === 0) wanted = size(carried.sample);
            batch.cells.push(cell!.index);
            batch.samples.push(carried.sample);
            batch.permits.push(carried.permit);
            if (batch.cells.length === wanted) emit();
            return;
          }
          meter.failures++;
          cell!.free();
          const exceeded = budget.spend(carried.sample, error, meter.in);
          if (exceeded !== undefined) subscriber.error(exceeded);
        },
        complete() {
          if (batch.cells.length > 0) emit();
          subscriber.complete();
        },
      });
    });
}

function emptyBatch() {
  return { cells: [] as number[], samples: [] as Sample[], permits: [] as Permit[] };
}
