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

/** What every step of an optimizer over a whole model needs beside its tensors. */
export interface UpdateAt {
  readonly lr: number;
  /** Multiplies every gradient first. */
  readonly scale: number;
  /** Weight decay, one per parameter. */
  readonly decays: readonly number[];
}

/** One step of AdamW over a whole model: as `AdamWStep`, with one weight decay per parameter. */
export interface AdamWUpdate extends Omit<AdamWStep, 'weightDecay'>, UpdateAt {}

type Tensors = readonly tf.Tensor[];
type Variables = readonly tf.Variable[];

/**
 * One step of AdamW, all parameters at once; each list has one tensor per parameter, of its shape. Source: as `adamw`.
 *
 * @returns true when the gradients were set to zero on the way; otherwise they are as they were.
 */
export function adamwUpdate(
  parameters: Variables,
  gradients: Tensors,
  first: Variables,
  second: Variables,
  { scale, decays, ...step }: AdamWUpdate,
): boolean {
  const lists = [parameters, gradients, first, second];
  if (fused('PatchstreamAdamW', lists, { scale, decays, ...step }) !== undefined) return updatesInPlace();
  return replaced(gradients, scale, [parameters, first, second], (gradient, i) =>
    adamw(parameters[i]!, gradient, first[i]!, second[i]!, { ...step, weightDecay: decays[i]! }),
  );
}

/** One step of LARS. Parameters that do not `adapt` are moved by momentum alone. */
export interface LarsUpdate extends UpdateAt {
  readonly momentum: number;
  readonly trust: number;
  readonly eps: number;
  readonly adapts: readonly boolean[];
}

/**
 * One step of LARS: d = trust·‖p‖ / (‖g‖ + wd·‖p‖ + eps) · (g + wd·p), or g where p does not adapt or one of the norms is 0; m ← momentum·m + d;
 * p ← p − lr·m. Source: You, Gitman and Ginsburg 2017. Lists and the returned value as of `adamwUpdate`.
 */
export function larsUpdate(parameters: Variables, gradients: Tensors, moments: Variables, at: LarsUpdate): boolean {
  if (fused('PatchstreamLars', [parameters, gradients, moments], at) !== undefined) return updatesInPlace();
  const { lr, scale, momentum, trust, eps, decays, adapts } = at;
  return replaced(gradients, scale, [parameters, moments], (gradient, i) => {
    const [p, decay] = [parameters[i]!, decays[i]!];
    const decayed = decay === 0 ? gradient : gradient.add(p.mul(decay));
    const [ours, theirs] = [tf.norm(p), tf.norm(gradient)];
    const ratio = () => ratioOf(ours.mul(trust).div(theirs.add(ours.mul(decay)).add(eps)), ours, theirs);
    const m = moments[i]!.mul(momentum).add(adapts[i] ? decayed.mul(ratio()) : decayed);
    return [p.sub(m.mul(lr)), m];
  });
}

/** One step of LAMB. Parameters that do not `adapt` are moved by Adam alone. `step` counts from 1. */
export interface LambUpdate extends UpdateAt {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly step: number;
  readonly trustClip: boolean;
  readonly adapts: readonly boolean[];
}

/**
 * One step of LAMB: moments as of Adam; u = m̂/(√v̂ + eps) + wd·p; p ← p − lr·u·‖p‖/‖u‖, the ratio 1 where p does not adapt or one of the norms is
 * 0, and at most 1 with `trustClip`. Source: You et al. 2020. Lists and the returned value as of `adamwUpdate`.
 */
export function lambUpdate(
  parameters: Variables,
  gradients: Tensors,
  first: Variables,
  second: Variables,
  at: LambUpdate,
): boolean {
  if (fused('PatchstreamLamb', [parameters, gradients, first, second], at) !== undefined) return updatesInPlace();
  const { lr, scale, beta1, beta2, eps, step, trustClip, decays, adapts } = at;
  return replaced(gradients, scale, [parameters, first, second], (gradient, i) => {
    const [p, decay] = [parameters[i]!, decays[i]!];
    const m = first[i]!.mul(beta1).add(gradient.mul(1 - beta1));
    const v = second[i]!.mul(beta2).add(gradient.square().mul(1 - beta2));
    const deviation = v
      .mul(1 / (1 - beta2 ** step))
      .sqrt()
      .add(eps);
    const adam = m.mul(1 / (1 - beta1 ** step)).div(deviation);
    const change = decay === 0 ? adam : adam.add(p.mul(decay));
    if (!adapts[i]) return [p.sub(change.mul(lr)), m, v];
    const [ours, theirs] = [tf.norm(p), tf.norm(change)];
    const ratio = ratioOf(ours.div(theirs), ours, theirs);
    return [p.sub(change.mul(trustClip ? ratio.minimum(1) : ratio).mul(lr)), m, v];
  });
}

/** A ratio of norms, 1 where one of them is 0. */
function ratioOf(ratio: tf.Tensor, ours: tf.Tensor, theirs: tf.Tensor): tf.Tensor {
  return tf.where(ours.minimum(theirs).greater(0), ratio, tf.onesLike(ratio));
}

/** One step of Lion. */
export interface LionUpdate extends UpdateAt {
  readonly beta1: number;
  readonly beta2: number;
}

/**
 * One step of Lion: p ← p − lr·wd·p − lr·sign(β₁m + (1 − β₁)g); m ← β₂m + (1 − β₂)g. Source: Chen et al. 2023. Lists and the returned value as of
 * `adamwUpdate`.
 */
export function lionUpdate(parameters: Variables, gradients: Tensors, moments: Variables, at: LionUpdate): boolean {
  if (fused('PatchstreamLion', [parameters, gradients, moments], at) !== undefined) return updatesInPlace();
  const { lr, scale, beta1, beta2, decays } = at;
  return replaced(gradients, scale, [parameters, moments], (gradient, i) => {
    const [p, m] = [parameters[i]!, moments[i]!];
    const way = m
      .mul(beta1)
      .add(gradient.mul(1 - beta1))
      .sign();
    const kept = decays[i] === 0 ? p : p.mul(1 - lr * decays[i]!);
    return [kept.sub(way.mul(lr)), m.mul(beta2).add(gradient.mul(1 - beta2))];
  });
}

/**
 * Brings running averages nearer to values: a ← decay·a + (1 − decay)·x. With decay 0 they become the values, bit for bit. Each list has one tensor
 * per average, of its shape.
 */
export function averageUpdate(averages: Variables, values: Tensors, decay: number): void {
  const weight = 1 - decay;
  if (fused('PatchstreamAverage', [averages, values], { weight }) !== undefined) return;
  for (const [i, average] of averages.entries()) {
    tf.tidy(() => {
      const way = values[i]!.sub(average);
      average.assign(weight < 0.5 ? average.add(way.mul(weight)) : values[i]!.sub(way.mul(decay)));
    });
  }
}

/** Computes the new values of each parameter and its moments, composed of operations, and assigns them. Always false: the gradients are as they were. */
function replaced(
  gradients: Tensors,
  scale: number,
  lists: readonly Variables[],
  move: (gradient: tf.Tensor, i: number) => readonly tf.Tensor[],
): boolean {
  for (const [i, gradient] of gradients.entries()) {
    tf.tidy(() => {
      const values = move(scale === 1 ? gradient : gradient.mul(scale), i);
      for (const [n, list] of lists.entries()) list[i]!.assign(values[n]!);
    });
  }
  return false;
}
