import { fused, hasFused, type TensorLists } from './fused.ts';
import { type AdamWStep, adamw } from './ops.ts';
import * as tf from './tf.ts';

/**
 * What a training step does with all of a model's tensors at once. Where the backend has kernels that change tensors in place, these serve,
 * and tensors keep their memory from step to step, as recorded steps need it; elsewhere, new tensors take the place of old ones, for
 * backends keep packed copies of weights by tensor.
 */

/** Whether the current backend changes sums, parameters and moments in place. */
export function updatesInPlace(): boolean {
  return hasFused('PatchstreamAccumulate') && hasFused('PatchstreamAdamW') && hasFused('PatchstreamZero');
}

const none: readonly tf.Tensor[] = [];

/** Running sums of tensors of unchanging shapes. Owned by whoever made it, who calls `dispose`. */
export class Sums {
  #sums: tf.Tensor[] | undefined;
  #zero = true;

  /** The sums so far, in the order of `add`; none when nothing was ever added. They stay this object's. In place it is one list all along. */
  get tensors(): readonly tf.Tensor[] {
    return this.#sums ?? none;
  }

  /** Nothing has been added since the last `clear`. */
  get zero(): boolean {
    return this.#zero;
  }

  /** Adds tensors, which become this object's to dispose. */
  add(tensors: readonly tf.Tensor[]): void {
    for (const [i, x] of tensors.entries()) this.addTo(i, x);
  }

  /**
   * Adds a tensor to one of the sums: none needs to wait for the others, and to be kept so long. The tensor becomes this object's to dispose, also where there is
   * no memory to add it: then the sum is as it was.
   */
  addTo(i: number, x: tf.Tensor): void {
    this.#zero = false;
    try {
      if (hasFused('PatchstreamAccumulate')) this.#accumulate(i, x);
      else this.#replace(i, x);
    } catch (cause) {
      x.dispose();
      throw cause;
    }
  }

  #accumulate(i: number, x: tf.Tensor): void {
    this.#sums ??= [];
    this.#sums[i] ??= tf.keep(tf.zeros(x.shape));
    fused('PatchstreamAccumulate', [[this.#sums[i]!], [x]]);
    x.dispose();
  }

  #replace(i: number, x: tf.Tensor): void {
    const sums = [...(this.#sums ?? [])];
    const before = sums[i];
    sums[i] = tf.keep(before === undefined ? x : before.add(x));
    if (before !== undefined) tf.dispose([before, x]);
    this.#sums = sums;
  }

  /** Says that a replay has added to them. */
  grown(): void {
    this.#zero = false;
  }

  /** Back to nothing. In place the tensors stay, as zeros. @param zeroed those that are zeros already, from the first on. */
  clear(zeroed = 0): void {
    if (this.#sums === undefined || this.#zero) return;
    if (hasFused('PatchstreamZero')) {
      // A pass that has thrown may have left some out.
      const all = zeroed === 0 && !this.#sums.includes(undefined as never);
      fused('PatchstreamZero', [all ? this.#sums : this.#sums.slice(zeroed).filter(Boolean)]);
      this.#zero = true;
    } else this.dispose();
  }

  /** Frees what it holds. It may be used again. */
  dispose(): void {
    tf.dispose([...(this.#sums ?? [])].filter(Boolean));
    this.#sums = undefined;
    this.#zero = true;
  }
}

/** Σ x² of each tensor of the lists: float32 [count]. The caller owns it. */
export function sumsOfSquares(...lists: TensorLists): tf.Tensor1D {
  const [squares] = fused('PatchstreamNorms', lists) ?? [];
  return (squares ?? tf.tidy(() => tf.stack(lists.flat().map((x) => x.square().sum())))) as tf.Tensor1D;
}

/** One step of AdamW over a whole model: as `AdamWStep`, with one weight decay per parameter. */
export interface AdamWUpdate extends Omit<AdamWStep, 'weightDecay'> {
  /** Multiplies every gradient first. */
  readonly scale: number;
  readonly decays: readonly number[];
}

/**
 * One step of AdamW, all parameters at once; each list has one tensor per parameter, of its shape. Source: as `adamw`.
 *
 * @returns true when the gradients were set to zero on the way; otherwise they are as they were.
 */
export function adamwUpdate(
  parameters: readonly tf.Variable[],
  gradients: readonly tf.Tensor[],
  first: readonly tf.Variable[],
  second: readonly tf.Variable[],
  { scale, decays, ...step }: AdamWUpdate,
): boolean {
  const lists = [parameters, gradients, first, second];
  if (fused('PatchstreamAdamW', lists, { scale, decays, ...step }) !== undefined) return updatesInPlace();
  for (const [i, parameter] of parameters.entries()) {
    tf.tidy(() => {
      const gradient = scale === 1 ? gradients[i]! : gradients[i]!.mul(scale);
      const at = { ...step, weightDecay: decays[i]! };
      const [newParameter, newFirst, newSecond] = adamw(parameter, gradient, first[i]!, second[i]!, at);
      parameter.assign(newParameter);
      first[i]!.assign(newFirst);
      second[i]!.assign(newSecond);
    });
  }
  return false;
}
