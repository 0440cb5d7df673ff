import { fail } from '../../errors.ts';
import { type BatcherOptions, batcher } from '../../streams/batcher.ts';
import { iterate } from '../../streams/iterate.ts';
import type { Ring } from '../../streams/ring.ts';
import type { Sample } from '../../streams/sample.ts';
import type { Trainer } from '../../train/worker/trainer.ts';
import type { Loader } from '../loader/engine.ts';

export interface Feeding {
  readonly ring: Ring;
  /** Samples per step. */
  readonly batch: number;
  /** Samples per pass, a divisor of the batch; asked at the beginning of each step. */
  microBatch(): number;
  /** Steps do not cross epochs. */
  readonly dropLast: boolean;
  /** How samples are written into cells. */
  readonly rendering: Omit<BatcherOptions, 'ring' | 'size'>;
  /** Ends when the trainer may be given more. */
  idle?(): Promise<void>;
}

/**
 * Sends the loader's cells to the trainer, a micro-batch at a time, as fast as it takes them. The micro-batch may change from step to step.
 * Returns how many samples were left over.
 */
export async function feedTrainer(
  loader: Pick<Loader, 'ordered' | 'permits'>,
  trainer: Pick<Trainer, 'send' | 'end' | 'done'>,
  { ring, batch, microBatch, dropLast, rendering, idle = async () => {} }: Feeding,
): Promise<number> {
  const cut = new StepCutter(batch, dropLast, microBatch);
  const size = (first: Sample) => cut.next(first);
  const render = batcher({ ring, size, dropLast, ...rendering });
  let gathered = 0;
  let batchIndex = 0;
  let epoch = -1;
  let stepped: number | undefined;
  let waited = 0;
  // Ended by the trainer's end, not by the run's signal: a step that is under way is to be finished.
  const over = new AbortController();
  trainer.done.then(
    () => over.abort(),
    () => over.abort(),
  );
  for await (const { wanted, ...list } of iterate(loader.ordered.pipe(render), over.signal)) {
    if (dropLast && list.epochs[0] !== epoch) {
      [gathered, batchIndex] = [0, 0];
      epoch = list.epochs[0]!;
      // The first epoch may have been begun by an earlier run.
      stepped ??= epoch;
      if (epoch - stepped > 1) {
        const found = 'fewer in each of the last epochs, each of which `dropLast` ends at its last full batch';
        throw fail('TRAIN_TOO_FEW', { batch, found });
      }
    }
    const samples = list.keys.length;
    // The run's last samples, fewer than a micro-batch: they cannot fill a step.
    if (samples < wanted) {
      gathered += samples;
      break;
    }
    await idle();
    const permitWaitMs = loader.permits.waitedMs - waited;
    waited += permitWaitMs;
    const { cells, keys, positions } = list;
    const ringFill = 1 - ring.available / ring.cells;
    if (!(await trainer.send({ cells, keys, positions, batchIndex, permitWaitMs, ringFill }))) return 0;
    gathered = (gathered + samples) % batch;
    if (gathered === 0) stepped = epoch;
    batchIndex = gathered === 0 ? 0 : batchIndex + 1;
  }
  trainer.end();
  return gathered;
}

/** Says how many samples the next list is to have: those of one step as many in each. */
class StepCutter {
  readonly #batch: number;
  readonly #dropLast: boolean;
  readonly #choose: () => number;
  #epoch = -1;
  #gathered = 0;
  #size = 1;

  constructor(batch: number, dropLast: boolean, choose: () => number) {
    this.#batch = batch;
    this.#dropLast = dropLast;
    this.#choose = choose;
  }

  next({ epoch }: Sample): number {
    // What the end of an epoch left of a step is thrown away: the next begins a step.
    if (this.#dropLast && epoch !== this.#epoch) this.#gathered = 0;
    this.#epoch = epoch;
    if (this.#gathered === 0) this.#size = this.#choose();
    this.#gathered = (this.#gathered + this.#size) % this.#batch;
    return this.#size;
  }
}
