import { uncounted } from './external-memory.ts';
import { coreCount } from './machine.ts';
import { type Absent, type ImageAddon, imageAddon, imageOutcomes, isAbsent, type Said } from './native.ts';

/** Work that native/image does for somebody. */
export interface PoolJob {
  /**
   * How it has ended: the outcome (`imageOutcomes`), the bytes of a file that was read, what is wrong with a broken picture, and the file that was made of an
   * encoded one; undefined where there was no memory to hand it over.
   */
  ended(outcome: number, size: number, message: string, made: Uint8Array | undefined): void;
}

/** The jobs that this thread has given to native/image. All that have ended by the time of a message come in it. */
export class NativePool {
  readonly addon: ImageAddon;
  /** By id; ids are used again. */
  readonly #open: (PoolJob | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #listen = () => this.addon.listen();

  constructor(addon: ImageAddon, threads: number) {
    this.addon = addon;
    addon.open(threads, this.#ended);
  }

  /** An id for a job that is about to be submitted. */
  open(job: PoolJob): number {
    const id = this.#free.pop() ?? this.#open.length;
    this.#open[id] = job;
    return id;
  }

  /** Gives the id of a job back that was not submitted. */
  close(id: number): void {
    this.#open[id] = undefined;
    this.#free.push(id);
  }

  readonly #ended = (outcomes: Int32Array, count: number, said: readonly Said[] = []) => {
    setImmediate(this.#listen);
    let next = 0;
    for (let at = 0; at < count; at += 3) {
      const id = outcomes[at]!;
      const outcome = outcomes[at + 1]!;
      const job = this.#open[id]!;
      this.close(id);
      const words = outcome === imageOutcomes.broken || outcome === imageOutcomes.encoded ? said[next++] : '';
      const isText = typeof words === 'string';
      const file = isText || words === undefined ? undefined : uncounted(words);
      job.ended(outcome, outcomes[at + 2]!, isText ? words : '', file);
    }
  };
}

let pool: NativePool | Absent | undefined;

/** The pool of this thread, or why native/image is not there. */
export function nativePool(): NativePool | Absent {
  if (pool === undefined) {
    const addon = imageAddon();
    pool = isAbsent(addon) ? addon : new NativePool(addon, coreCount());
  }
  return pool;
}
