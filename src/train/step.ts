import { gradients } from '../backends/gradients.ts';
import { backendMilliseconds, type Inputs, type Made, Replays } from '../backends/replay.ts';
import * as tf from '../backends/tf.ts';
import { Sums, sumsOfSquares } from '../backends/updates.ts';
import { uploadAll } from '../backends/upload.ts';
import type { HostBatch, Model } from '../models/model.ts';
import type { Optimizer, OptimizerState } from './optimizer.ts';

/** What training moves: the model's parameters and the optimizer's state. Owned by whoever made them. */
export interface Learner {
  readonly model: Model;
  readonly params: Record<string, tf.Variable>;
  readonly optimizer: Optimizer;
  readonly state: OptimizerState;
}

/** What a step's gradient says before it is applied. */
export interface GradientMeasures {
  /** Σ loss / Σ count over the batch. */
  readonly loss: number;
  /** L2 norm of the mean gradient over all parameters. */
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
}

/** What the newest micro-batch cost, on backends that tell. */
export interface StepCost {
  /** Operations that were replayed; 0 when they were called from JavaScript. */
  readonly replayed: number;
  /** Milliseconds spent in JavaScript. */
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
  /** Gradients that are zero again: the update has cleared them. */
  #cleared = 0;
  /** All parameters; the sums of their gradients. The lists stay the same, by which a backend knows them again. */
  readonly #parameters: readonly tf.Variable[];
  #gradients: readonly tf.Tensor[] = [];
  /** What `#gradients` was taken from. */
  #taken: readonly tf.Tensor[] = [];
  #javascriptMs: number | undefined;

  constructor(learner: Learner, { note = () => {}, replay = true }: StepOptions = {}) {
    this.#learner = learner;
    this.#parameters = Object.values(learner.params);
    this.#replays = new Replays((inputs) => this.#compute(inputs), this.#sums, { note, replay });
  }

  /**
   * Forward, loss and gradient of one micro-batch, added to the step's.
   *
   * @param uploaded is called as soon as the values have been copied, before anything is computed.
   * @throws STEP_WRITE for a model that cannot be replayed rightly; BACKEND_MEMORY.
   */
  add(fields: HostBatch, uploaded: () => void = () => {}): void {
    const clock = watch();
    const inputs = uploadAll(this.#learner.model.inputs(fields));
    uploaded();
    try {
      this.#count += this.#replays.add(inputs);
    } finally {
      tf.dispose(inputs);
    }
    this.#javascriptMs = clock();
  }

  /** What the newest `add` cost. */
  get cost(): StepCost {
    return { replayed: this.#replays.calls, javascriptMs: this.#javascriptMs };
  }

  /** Loss and norms of what was added. The squares are summed on the backend, the sums on the host. */
  async measure(): Promise<GradientMeasures> {
    const grads = this.#grads();
    const norms = sumsOfSquares(grads, this.#parameters);
    const [squares, [loss = 0]] = await Promise.all([norms.data(), this.#sums.tensors.at(-1)?.data() ?? [0]]);
    norms.dispose();
    const count = Math.max(1, this.#count);
    const gradNorm = Math.sqrt(total(squares.slice(0, grads.length))) / count;
    const paramNorm = Math.sqrt(total(squares.slice(grads.length)));
    return { loss: loss / count, gradNorm, paramNorm, finite: Number.isFinite(loss) && Number.isFinite(gradNorm) };
  }

  /** Moves the parameters by the mean of the added gradients, which are spent then. */
  update(lr: number): void {
    const { optimizer, params, state } = this.#learner;
    const grads = this.#grads();
    if (grads.length === 0) return;
    const cleared = optimizer.update(params, grads, state, { lr, scale: 1 / Math.max(1, this.#count) });
    this.#cleared = cleared ? grads.length : 0;
  }

  /** Throws away what was added. */
  clear(): void {
    this.#sums.clear(this.#cleared);
    this.#cleared = 0;
    this.#count = 0;
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

  #compute(inputs: Inputs): Made {
    const { model, params } = this.#learner;
    let terms = 0;
    const { value, gradients: fresh } = gradients(() => {
      const { sum, count } = model.loss(params, inputs);
      terms = count;
      return sum;
    }, params);
    return { tensors: [...Object.values(fresh), value], count: terms };
  }
}

/** Starts a watch that tells the milliseconds spent in JavaScript since; undefined where the backend does not say. */
function watch(): () => number | undefined {
  const [begun, backend] = [performance.now(), backendMilliseconds()];
  return () => {
    const now = backendMilliseconds();
    return backend === undefined || now === undefined ? undefined : performance.now() - begun - (now - backend);
  };
}

function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
