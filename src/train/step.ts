import { awake } from '../awake-clock.ts';
import { eachGradient } from '../backends/gradients.ts';
import { rowsBetween } from '../backends/host/numbers.ts';
import { backendMoments, releaseMemory } from '../backends/moments.ts';
import { backendMilliseconds, type Compute, type Inputs, Replays } from '../backends/replay/replay.ts';
import * as tf from '../backends/tf.ts';
import { Sums, sumsOfSquares } from '../backends/updates.ts';
import { tensorRows, uploadAll } from '../backends/upload.ts';
import { counted } from '../counts.ts';
import { PatchstreamError } from '../errors.ts';
import type { HostBatch, Model, RandomSource } from '../models/model.ts';
import type { Average } from './ema.ts';
import { shortening } from './optimizers/clip.ts';
import type { Optimizer, OptimizerState } from './optimizers/optimizer.ts';
import { PassTimer, type PassTimes } from './pass-timer.ts';

/** What training moves: the model's parameters, the optimizer's state, and the parameters' average. Owned by whoever made them. */
export interface Learner {
  readonly model: Model;
  readonly params: Record<string, tf.Variable>;
  readonly optimizer: Optimizer;
  readonly state: OptimizerState;
  /** The greatest L2 norm of the mean gradient over all parameters: a longer one is shortened to it before the update. */
  readonly clip?: number | undefined;
  /** A running average of the parameters, which follows each update. */
  readonly average?: Average | undefined;
}

/** What a step's gradient says before it is applied. */
export interface GradientMeasures {
  /** Σ loss / Σ count over the batch. */
  readonly loss: number;
  /** L2 norm of the mean gradient over all parameters, before it is clipped. */
  readonly gradNorm: number;
  /** L2 norm of all parameters. */
  readonly paramNorm: number;
  /** False when loss or gradient is NaN or infinite: the update would spoil the weights. */
  readonly finite: boolean;
}

export interface StepOptions {
  /** Hears why micro-batches are not replayed, where the backend could. */
  note?(text: string): void;
  /** False computes every micro-batch in JavaScript: to compare. */
  readonly replay?: boolean;
  /** Whether recorded micro-batches are launched as a whole; without it, where the device has graphs. */
  readonly launch?: boolean;
}

/** What the newest micro-batch cost. */
export interface StepCost {
  /** Operations that were replayed; 0 when they were called from JavaScript. */
  readonly replayed: number;
  /** Whether these were one launch. */
  readonly launched: boolean;
  /** Milliseconds spent in JavaScript, on backends that tell. */
  readonly javascriptMs: number | undefined;
}

/**
 * One optimizer step, gathered from micro-batches: each adds its loss, its gradient and its count; `update` divides once by Σ count, so
 * the cut into micro-batches does not change the result beyond rounding. Where the backend can, micro-batches are recorded and replayed.
 * Owned by whoever made it, who calls `dispose`.
 */
export class Step {
  readonly #learner: Learner;
  /** The gradients in the order of the parameters, then the loss. */
  readonly #sums = new Sums();
  readonly #replays: Replays;
  #count = 0;
  /** The norm of the mean gradient, once it was measured. */
  #gradNorm: number | undefined;
  /** Gradients that are zero again: the update has cleared them. */
  #cleared = 0;
  /** All parameters; the sums of their gradients. The lists stay the same, by which a backend knows them again. */
  readonly #parameters: readonly tf.Variable[];
  #gradients: readonly tf.Tensor[] = [];
  /** What `#gradients` was taken from. */
  #taken: readonly tf.Tensor[] = [];
  readonly #timer = new PassTimer(backendMoments);
  #javascriptMs: number | undefined;
  readonly #note: (text: string) => void;
  #refused = Number.POSITIVE_INFINITY;

  constructor(learner: Learner, { note = () => {}, replay = true, launch }: StepOptions = {}) {
    this.#learner = learner;
    this.#note = note;
    this.#parameters = Object.values(learner.params);
    this.#replays = new Replays(this.#compute, this.#sums, {
      note,
      replay,
      parameters: this.#parameters,
      ...(launch !== undefined && { launch }),
    });
  }

  /**
   * Forward, loss and gradient of one micro-batch, added to the step's. One that finds no memory is computed in halves, and so are its like from
   * then on, with the same result.
   *
   * @param uploaded is called as soon as the values have been copied, before anything is computed. @param chance of the micro-batch; without it
   * nothing is left to chance. @param waitedMs how long the caller has waited for it.
   * @throws STEP_WRITE for a model that cannot be replayed rightly; BACKEND_MEMORY when there is no memory for one sample, or one pair.
   */
  add(fields: HostBatch, uploaded: () => void = () => {}, chance?: RandomSource, waitedMs = 0): void {
    const clock = watch();
    const { model } = this.#learner;
    const values = model.inputs(fields, chance);
    const terms = model.terms?.(values) ?? 0;
    this.#micro(values, uploaded, waitedMs);
    this.#count += terms;
    this.#javascriptMs = clock();
  }

  /** What the newest `add` cost. */
  get cost(): StepCost {
    return { replayed: this.#replays.calls, launched: this.#replays.launched, javascriptMs: this.#javascriptMs };
  }

  /** The smallest number of samples for which a pass found no memory; undefined while all have. */
  get refused(): number | undefined {
    return Number.isFinite(this.#refused) ? this.#refused : undefined;
  }

  /** Uploads values, whole or in parts, and computes on them. */
  #micro(values: HostBatch, uploaded: () => void, waitedMs: number): void {
    const samples = samplesOf(values);
    this.#timer.begin(waitedMs);
    const inputs = samples < this.#refused ? this.#upload(values) : undefined;
    this.#timer.uploaded();
    if (inputs === undefined) {
      const half = this.#half(samples);
      this.#micro(hostRows(values, 0, half), () => {}, 0);
      this.#micro(hostRows(values, half, samples), uploaded, 0);
      return;
    }
    uploaded();
    try {
      this.#pass(inputs);
    } finally {
      tf.dispose(inputs);
      this.#timer.end();
    }
  }

  /** The values on the backend; nothing when there is no memory for them. */
  #upload(values: HostBatch): Inputs | undefined {
    try {
      return uploadAll(values);
    } catch (error) {
      this.#refuse(values, error);
      return undefined;
    }
  }

  /**
   * Computes on values that are on the backend; what is not on the host any more is halved there.
   *
   * @param without sums that a pass of these samples, which found no memory in its midst, has grown already.
   */
  #pass(inputs: Inputs, without: ReadonlySet<number> = new Set()): void {
    const samples = samplesOf(inputs);
    let done = without;
    if (samples < this.#refused) {
      try {
        const count = this.#replays.add(inputs, without);
        if (this.#learner.model.terms === undefined) this.#count += count;
        return;
      } catch (error) {
        this.#refuse(inputs, error);
        done = new Set([...without, ...this.#replays.given]);
      }
    }
    const half = this.#half(samples);
    for (const [from, to] of [
      [0, half],
      [half, samples],
    ] as const) {
      const part = tensorRows(inputs, from, to);
      try {
        this.#pass(part, done);
      } finally {
        tf.dispose(part);
      }
    }
  }

  /** Samples of the first part of a pass that is too large; pairs stay together. */
  #half(samples: number): number {
    return this.#learner.model.pairs ? (samples >> 2) * 2 : samples >> 1;
  }

  /** Remembers how many samples were too many. @throws the error, when it is not of memory or there is nothing to halve. */
  #refuse(values: Named, error: unknown): void {
    const samples = samplesOf(values);
    const alike = Object.values(values).every(({ shape }) => shape[0] === samples);
    const lacking = error instanceof PatchstreamError && error.code === 'BACKEND_MEMORY';
    if (!lacking || this.#half(samples) === 0 || !alike) throw error;
    this.#refused = samples;
    // Kept memory is in pieces of the large pass, where those of its parts may find no room.
    releaseMemory();
    this.#note(
      `There is no memory for a pass of ${counted(samples, 'sample')}: it is computed in parts, with the same result.`,
    );
  }

  /** Loss and norms of what was added. The squares are summed on the backend, the sums on the host. */
  async measure(): Promise<GradientMeasures> {
    this.#timer.rest();
    const grads = this.#grads();
    const norms = sumsOfSquares(grads, this.#parameters);
    const [squares, [loss = 0]] = await Promise.all([norms.data(), this.#sums.tensors.at(-1)?.data() ?? [0]]);
    norms.dispose();
    const count = Math.max(1, this.#count);
    const gradNorm = Math.sqrt(total(squares.slice(0, grads.length))) / count;
    const paramNorm = Math.sqrt(total(squares.slice(grads.length)));
    this.#gradNorm = gradNorm;
    return { loss: loss / count, gradNorm, paramNorm, finite: Number.isFinite(loss) && Number.isFinite(gradNorm) };
  }

  /** What passes have taken since this was last asked, where they were computed. To be asked after `measure`, when they are done. */
  times(): PassTimes {
    return this.#timer.times();
  }

  /** Moves the parameters by the mean of the added gradients, which are spent then. Where gradients are clipped, `measure` must have been called. */
  update(lr: number): void {
    const { optimizer, params, state, average, clip } = this.#learner;
    const grads = this.#grads();
    if (grads.length === 0) return;
    const scale = shortening(this.#gradNorm, clip) / Math.max(1, this.#count);
    const cleared = optimizer.update(params, grads, state, { lr, scale });
    this.#cleared = cleared ? grads.length : 0;
    average?.follow(state.step);
    this.#timer.rest();
  }

  /** Throws away what was added. */
  clear(): void {
    this.#sums.clear(this.#cleared);
    this.#cleared = 0;
    this.#count = 0;
    this.#gradNorm = undefined;
    this.#timer.forget();
  }

  /** Frees all that it holds. */
  dispose(): void {
    this.#replays.dispose();
    this.#sums.dispose();
    this.#count = 0;
  }

  #grads(): readonly tf.Tensor[] {
    if (this.#taken !== this.#sums.tensors) {
      this.#taken = this.#sums.tensors;
      this.#gradients = this.#taken.slice(0, -1);
    }
    return this.#gradients;
  }

  readonly #compute: Compute = (inputs, give) => {
    const { model, params } = this.#learner;
    let terms = 0;
    const untouched = new Set(this.#parameters.keys());
    const value = eachGradient(
      () => {
        const { sum, count } = model.loss(params, inputs);
        terms = count;
        return sum;
      },
      this.#parameters,
      (i, gradient) => {
        untouched.delete(i);
        give(i, gradient);
      },
    );
    try {
      for (const i of untouched) give(i, tf.zeros(this.#parameters[i]!.shape));
    } catch (cause) {
      value.dispose();
      throw cause;
    }
    give(this.#parameters.length, value);
    return terms;
  };
}

/** Values or tensors by name, a row for each sample. */
type Named = Readonly<Record<string, { readonly shape: readonly number[] }>>;

function samplesOf(values: Named): number {
  return Object.values(values)[0]?.shape[0] ?? 0;
}

function hostRows(values: HostBatch, from: number, to: number): HostBatch {
  return Object.fromEntries(Object.entries(values).map(([name, numbers]) => [name, rowsBetween(numbers, from, to)]));
}

/** Starts a watch that tells the milliseconds spent in JavaScript since; undefined where the backend does not say. */
function watch(): () => number | undefined {
  const [begun, backend] = [awake.now(), backendMilliseconds()];
  return () => {
    const now = backendMilliseconds();
    return backend === undefined || now === undefined ? undefined : awake.now() - begun - (now - backend);
  };
}

function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
