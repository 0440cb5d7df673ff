import type { Worker } from 'node:worker_threads';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import { prepareThreads } from '../library-threads.ts';
import type { Supply } from '../stages/stage.ts';
import { unpackError } from '../train/worker/protocol.ts';
import type { Picture } from '../vision/picture.ts';
import { renderAll } from '../vision/render/render.ts';
import { startWorker } from '../worker-thread.ts';
import type { FromInference, InferenceSetup, Rows, ToInference } from './protocol.ts';
import { SlottedBatches } from './slotted-batches.ts';

/** One batch is computed, the next lies ready, and one or two are filled. */
export const buffers = 4;
/** Bytes that all batches may take together. */
const mostBytes = 2 ** 31;

export interface TrainedThreadOptions {
  /** Ends the thread. */
  readonly signal: AbortSignal;
  /** What else may come. */
  readonly supply?: Supply | undefined;
  /** Hears what the backend has to say. */
  readonly note?: ((text: string) => void) | undefined;
}

/** A trained model in a thread of its own, as a stage asks it: picture by picture. The thread starts with the first picture. */
export class TrainedThread {
  readonly #setup: Omit<InferenceSetup, 'memory'>;
  readonly #memory: Uint8Array;
  readonly #batches: SlottedBatches<Rows>;
  #worker: Worker | undefined;
  /** Who waits for the rows of a batch, in the order in which these were sent. */
  #asked: { resolve(rows: Rows): void; reject(error: unknown): void }[] = [];
  #failure: unknown;
  readonly #note: (text: string) => void;
  /** Libraries are loaded, or never will be. */
  #loaded = () => {};

  /** @throws INFERENCE_MEMORY */
  constructor(setup: Omit<InferenceSetup, 'memory'>, { signal, supply, note = () => {} }: TrainedThreadOptions) {
    this.#setup = setup;
    this.#note = note;
    const { batch } = setup;
    this.#memory = new Uint8Array(memoryOf(setup));
    this.#batches = new SlottedBatches({
      size: batch,
      buffers,
      ahead: 2,
      supply,
      compute: ({ buffer }) => this.#compute(buffer),
    });
    signal.addEventListener('abort', () => void this.#end(), { once: true });
  }

  /**
   * What the model makes of a picture of its size.
   *
   * @param position in the source; the slot of its batch follows from it and from `part`. @returns the row of each array of `Rows`.
   * @throws what renders it; errors of backend and model, which end the run; FEATURE_NOT_A_NUMBER.
   */
  async row(picture: Picture, slot: number): Promise<Rows> {
    const { batch, size } = this.#setup;
    const bytes = size[0] * size[1] * 3;
    const { values, classes } = await this.#batches.rows(slot, (buffer) => {
      const at = (buffer * batch + slot) * bytes;
      return renderAll([{ picture, out: this.#memory.subarray(at, at + bytes) }]);
    });
    const own = rowOf(values, slot, batch);
    if (own.some((value) => !Number.isFinite(value))) throw fail('FEATURE_NOT_A_NUMBER', {});
    return { values: own, ...(classes && { classes: rowOf(classes, slot, batch) }) };
  }

  #compute(buffer: number): Promise<Rows> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    // What waits for an answer keeps the process alive; a thread that nobody asks does not.
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      worker.postMessage({ buffer } satisfies ToInference);
    });
  }

  #start(): Worker {
    // The thread could not do it, and it loads libraries when it opens the model.
    const loaded = prepareThreads();
    let isLoading = true;
    this.#loaded = () => {
      if (isLoading) loaded();
      isLoading = false;
    };
    // From sources under a loader of TypeScript (tests) the entry is the source; Node hands the loader on to workers.
    const entry = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = startWorker('the trained model', new URL(entry, import.meta.url), {
      name: 'patchstream model',
      workerData: { ...this.#setup, memory: this.#memory.buffer as SharedArrayBuffer } satisfies InferenceSetup,
    });
    worker.on('message', (message: FromInference) => {
      if (message.type === 'note') return this.#note(message.text);
      this.#loaded();
      if (message.type === 'error') return this.#fail(ending(unpackError(message.error), this.#setup.where));
      this.#asked.shift()?.resolve(message.rows);
      if (this.#asked.length === 0) worker.unref();
    });
    worker.on('error', (error) =>
      this.#fail(fail('MODEL_THREAD', { found: messageOf(error) }, { cause: error, ends: true })),
    );
    worker.on('exit', (code) => this.#fail(fail('MODEL_THREAD', { found: `exit code ${code}` }, { ends: true })));
    return worker;
  }

  /** No sample can be answered any more. */
  #fail(error: unknown): void {
    this.#loaded();
    this.#failure ??= error;
    for (const { reject } of this.#asked.splice(0)) reject(this.#failure);
    this.#worker?.unref();
  }

  async #end(): Promise<void> {
    this.#batches.close();
    this.#failure ??= fail('MODEL_THREAD', { found: 'the end of the run' }, { ends: true });
    this.#fail(this.#failure);
    await this.#worker?.terminate();
  }
}

/** Shared memory for the batches. */
function memoryOf({ batch, size }: Pick<InferenceSetup, 'batch' | 'size'>): SharedArrayBuffer {
  const tooLarge = batchTooLarge(batch, size);
  if (tooLarge !== undefined) throw tooLarge;
  try {
    return new SharedArrayBuffer(batchBytes(batch, size));
  } catch (cause) {
    // What the system says where a process has no room for it.
    if (!(cause instanceof RangeError)) throw cause;
    throw batchTooLarge(batch, size, batchBytes(batch, size) / 2) ?? cause;
  }
}

/** Bytes of all batches that are under way. */
function batchBytes(batch: number, [height, width]: readonly [number, number]): number {
  return buffers * batch * height * width * 3;
}

/** The error of batches that do not fit `limit` bytes; nothing where they do. */
export function batchTooLarge(
  batch: number,
  size: readonly [number, number],
  limit = mostBytes,
): PatchstreamError | undefined {
  const needed = batchBytes(batch, size);
  if (needed <= limit) return undefined;
  const suggestion = Math.max(1, Math.floor(limit / batchBytes(1, size)));
  return fail('INFERENCE_MEMORY', { batch, size: `${size[1]}×${size[0]} px`, needed, limit, suggestion });
}

/** What a model cannot do for one picture it cannot do for any: the run ends, and no picture is to blame. */
function ending(error: Error, where: string): Error {
  if (!(error instanceof PatchstreamError))
    return fail('MODEL_THREAD', { found: messageOf(error) }, { where, cause: error, ends: true });
  return new PatchstreamError(error.code, error.text, error.where, error.cause, true);
}

function rowOf<A extends Float32Array | Int32Array>(rows: A, slot: number, batch: number): A {
  const length = rows.length / batch;
  return rows.slice(slot * length, (slot + 1) * length) as A;
}
