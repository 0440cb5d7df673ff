import { catchError, EMPTY, tap } from 'rxjs';
import { type BatcherOptions, batcher, type CellBatch } from '../../streams/batcher.ts';
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
  /** The epoch in which the last step of an earlier run ended; -1 where there was none. */
  readonly stepped?: number;
  /** How samples are written into cells. */
  readonly rendering: Omit<BatcherOptions, 'ring' | 'size'>;
  /** Ends when the trainer may be given more. */
  idle?(): Promise<void>;
}

export interface Fed {
  /** Samples at the end of the data that did not fill a step. */
  readonly leftOver: number;
  /** Two whole epochs in a row had too few samples for a step of their own: more of them would not help. */
  readonly tooFew: boolean;
}

/** Epochs without a step, one behind the other, after which the samples of a training end. */
const idleEpochs = 2;

/**
 * Sends the loader's cells to the trainer, a micro-batch at a time, as fast as it takes them. The micro-batch may change from step to step.
 * Where `dropLast` leaves nothing of two whole epochs the samples end there: what was sent before is still trained on.
 */
export async function feedTrainer(
  loader: Pick<Loader, 'ordered' | 'permits'>,
  trainer: Pick<Trainer, 'send' | 'end' | 'done'>,
  { ring, batch, microBatch, dropLast, stepped = -1, rendering, idle = async () => {} }: Feeding,
): Promise<Fed> {
  const cut = new StepCutter(batch, { dropLast, stepped, choose: microBatch });
  const size = (first: Sample) => cut.next(first);
  const render = batcher({ ring, size, dropLast, ...rendering });
  let gathered = 0;
  // Of a step that is not full yet.
  let step: CellBatch[] = [];
  let epoch = -1;
  let waited = 0;
  // Ended by the trainer's end, not by the run's signal: a step that is under way is to be finished.
  const over = new AbortController();
  trainer.done.then(
    () => over.abort(),
    () => over.abort(),
  );
  let tooFew = false;
  const lists = loader.ordered.pipe(
    render,
    tap(({ epochs }) => cut.made(epochs[0]!)),
    catchError((error: unknown) => {
      if (!(error instanceof TooFew)) throw error;
      tooFew = true;
      return EMPTY;
    }),
  );
  const drop = () => {
    for (const list of step) list.drop();
    step = [];
  };
  for await (const list of iterate(lists, over.signal)) {
    if (dropLast && list.epochs[0] !== epoch) {
      drop();
      gathered = 0;
      epoch = list.epochs[0]!;
    }
    const samples = list.keys.length;
    const batchIndex = step.length;
    step.push(list);
    // The run's last samples, fewer than a micro-batch: they cannot fill a step.
    if (samples < list.wanted) {
      gathered += samples;
      break;
    }
    await idle();
    const permitWaitMs = loader.permits.waitedMs - waited;
    waited += permitWaitMs;
    const { cells, keys, positions } = list;
    const ringFill = 1 - ring.available / ring.cells;
    if (!(await trainer.send({ cells, keys, positions, batchIndex, permitWaitMs, ringFill })))
      return { leftOver: 0, tooFew };
    gathered = (gathered + samples) % batch;
    if (gathered === 0) step = [];
  }
  drop();
  trainer.end();
  return { leftOver: gathered, tooFew };
}

/** Ends the samples, and is no error of the run: its last step may be under way. */
class TooFew extends Error {}

/**
 * Says how many samples the next list is to have: those of one step as many in each. It sees every sample that begins a list in the order of positions,
 * also where the list never becomes full: so when it ends does not depend on how fast anything is.
 */
class StepCutter {
  readonly #batch: number;
  readonly #dropLast: boolean;
  readonly #choose: () => number;
  /** The last epoch in which a step became full. */
  #stepped: number;
  #epoch = -1;
  #gathered = 0;
  #size = 1;

  constructor(
    batch: number,
    {
      dropLast,
      stepped,
      choose,
    }: { readonly dropLast: boolean; readonly stepped: number; readonly choose: () => number },
  ) {
    this.#batch = batch;
    this.#dropLast = dropLast;
    this.#choose = choose;
    this.#stepped = stepped;
  }

  /** @throws TooFew */
  next({ epoch }: Sample): number {
    if (this.#dropLast && epoch - this.#stepped > idleEpochs) throw new TooFew();
    // What the end of an epoch left of a step is thrown away: the next begins a step.
    if (this.#dropLast && epoch !== this.#epoch) this.#gathered = 0;
    this.#epoch = epoch;
    if (this.#gathered === 0) this.#size = this.#choose();
    this.#gathered = (this.#gathered + this.#size) % this.#batch;
    return this.#size;
  }

  /** A list is full. */
  made(epoch: number): void {
    if (this.#gathered === 0) this.#stepped = epoch;
  }
}
