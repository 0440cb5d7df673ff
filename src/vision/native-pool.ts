import { availableParallelism } from 'node:os';
import { type Absent, type ImageAddon, imageAddon, imageOutcomes, isAbsent } from '../native.ts';

/** Hears how a job has ended: its outcome (`imageOutcomes`), what is wrong with a broken picture, and the bytes of a file. */
export type Ended = (outcome: number, message: string, size: number) => void;

/** The jobs that this thread has given to native/image. All that have ended by the time of a message come in it. */
export class NativePool {
  readonly addon: ImageAddon;
  /** By id; ids are used again. */
  readonly #open: (Ended | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #listen = () => this.addon.listen();

  constructor(addon: ImageAddon, threads: number) {
    this.addon = addon;
    addon.open(threads, (outcomes, messages, sizes) => this.#ended(outcomes, messages, sizes));
  }

  /** An id for a job that is about to be submitted. */
  open(ended: Ended): number {
    const id = this.#free.pop() ?? this.#open.length;
    this.#open[id] = ended;
    return id;
  }

  /** Gives the id of a job back that was not submitted. */
  close(id: number): void {
    this.#open[id] = undefined;
    this.#free.push(id);
  }

  #ended(outcomes: Int32Array, messages: readonly string[], sizes: readonly number[]): void {
    setImmediate(this.#listen);
    let broken = 0;
    let files = 0;
    for (let at = 0; at < outcomes.length; at += 2) {
      const id = outcomes[at]!;
      const outcome = outcomes[at + 1]!;
      const isFile = outcome === imageOutcomes.read || outcome === imageOutcomes.unread;
      const ended = this.#open[id]!;
      this.close(id);
      ended(outcome, outcome === imageOutcomes.broken ? messages[broken++]! : '', isFile ? sizes[files++]! : 0);
    }
  }
}

let pool: NativePool | Absent | undefined;

/** The pool of this thread, or why native/image is not there. */
export function nativePool(): NativePool | Absent {
  if (pool === undefined) {
    const addon = imageAddon();
    pool = isAbsent(addon) ? addon : new NativePool(addon, availableParallelism());
  }
  return pool;
}
