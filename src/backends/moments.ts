import { awake } from '../awake-clock.ts';
import { anonymousBytes, type Machine } from '../machine.ts';
import * as tf from './tf.ts';
import { TorchBackend } from './torch/torch.ts';

/** Moments in the work of whatever computes, by number from 0 to below 4,000. */
export interface Moments {
  /** Sets a moment, again or for the first time: it comes when all that was asked for before is done. */
  mark(number: number): void;
  /** Milliseconds from one moment to another. Waits until both have come. */
  between(from: number, to: number): number;
}

/** What is asked for is done when the call returns: moments are readings of the host's clock. */
export class HostMoments implements Moments {
  readonly #at: number[] = [];
  readonly #now: () => number;

  /** @param now milliseconds. */
  constructor(now: () => number = () => awake.now()) {
    this.#now = now;
  }

  mark(number: number): void {
    this.#at[number] = this.#now();
  }

  between(from: number, to: number): number {
    return this.#at[to]! - this.#at[from]!;
  }
}

/** Whether the current backend returns from a call before it has computed: times of the host say nothing of its work. */
export function computesLater(): boolean {
  const backend = tf.backend();
  return backend instanceof TorchBackend && backend.device !== 'cpu';
}

/** Moments of the current backend: events of the device where it computes later, else of the host's clock. */
export function backendMoments(): Moments {
  const backend = tf.backend();
  return backend instanceof TorchBackend && computesLater() ? backend.addon : new HostMoments();
}

/**
 * Has a pass that would take the process beyond its limit of memory find none, where the kernel would end the process: it is then computed in parts.
 *
 * @param taken bytes that the process has now. @param loading bytes that the loader may take beside that, as far as it is known.
 */
export function keepWithin({ memory, swap = 0, whole }: Machine, taken: number = anonymousBytes(), loading = 0): void {
  const backend = tf.backend();
  if (!(backend instanceof TorchBackend) || backend.device !== 'cpu' || whole === undefined) return;
  const left = Math.max(0, memory + swap - taken);
  if (memory < whole.memory) backend.addon.boundMemory(left - leftToOthers(left, loading));
}

/** Of the bytes that are left, those that JavaScript and the loader may still take beside tensors. */
export function leftToOthers(left: number, loading: number): number {
  const usual = Math.min(othersBytes, left / othersShare);
  return loading === 0 ? usual : Math.max(usual, Math.min(scriptBytes + loading, left / loadingShare));
}

/** What they take as a rule, and what of it is JavaScript's. */
const [othersBytes, scriptBytes] = [200 * 2 ** 20, 100 * 2 ** 20];
/** Where little is left, so large a part of it; where the loader is known to need much, at most so large a one. */
const [othersShare, loadingShare] = [4, 2];

/** Gives memory that the current backend keeps for later tensors back, for tensors of other sizes. */
export function releaseMemory(): void {
  const backend = tf.backend();
  if (backend instanceof TorchBackend) backend.addon.releaseMemory();
}
