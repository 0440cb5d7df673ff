import { gradients } from '../backends/gradients.ts';
import * as tf from '../backends/tf.ts';
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

/**
 * One optimizer step, gathered from micro-batches: each adds its loss, its gradient and its count; `update` divides once by Σ count, so
 * the cut into micro-batches does not change the result beyond rounding. Between steps it holds no tensor.
 */
export class Step {
  readonly #learner: Learner;
  #gradients: Record<string, tf.Tensor> | undefined;
  #loss: tf.Tensor | undefined;
  #count = 0;

  constructor(learner: Learner) {
    this.#learner = learner;
  }

  /**
   * Forward, loss and gradient of one micro-batch, added to the step's.
   *
   * @param uploaded is called as soon as the values have been copied, before anything is computed.
   */
  add(fields: HostBatch, uploaded: () => void = () => {}): void {
    const { model, params } = this.#learner;
    const inputs = uploadAll(model.inputs(fields));
    uploaded();
    try {
      const { value, gradients: fresh } = gradients(() => {
        const { sum, count } = model.loss(params, inputs);
        this.#count += count;
        return sum;
      }, params);
      this.#loss = added(this.#loss, value);
      const soFar = this.#gradients;
      this.#gradients =
        soFar === undefined
          ? fresh
          : Object.fromEntries(Object.entries(fresh).map(([name, grad]) => [name, added(soFar[name], grad)]));
    } finally {
      tf.dispose(inputs);
    }
  }

  /** Loss and norms of what was added. One reading from the backend: the squares are summed there, the sums on the host. */
  async measure(): Promise<GradientMeasures> {
    const grads = Object.values(this.#gradients ?? {});
    const params = Object.values(this.#learner.params);
    const sums = tf.tidy(() => {
      const squares = [...grads, ...params].map((x) => x.square().sum());
      return tf.stack([this.#loss ?? tf.scalar(0), ...squares]);
    });
    const [loss = 0, ...squares] = await sums.data();
    sums.dispose();
    const count = Math.max(1, this.#count);
    const gradNorm = Math.sqrt(total(squares.slice(0, grads.length))) / count;
    const paramNorm = Math.sqrt(total(squares.slice(grads.length)));
    return { loss: loss / count, gradNorm, paramNorm, finite: Number.isFinite(loss) && Number.isFinite(gradNorm) };
  }

  /** Moves the parameters by the mean of the added gradients. */
  update(lr: number): void {
    if (this.#gradients === undefined) return;
    const { optimizer, params, state } = this.#learner;
    optimizer.update(params, this.#gradients, state, { lr, scale: 1 / Math.max(1, this.#count) });
  }

  /** Throws away what was added. */
  clear(): void {
    tf.dispose([this.#gradients ?? {}, this.#loss ?? {}]);
    this.#gradients = undefined;
    this.#loss = undefined;
    this.#count = 0;
  }
}

/** a + b, and neither is kept. */
function added(a: tf.Tensor | undefined, b: tf.Tensor): tf.Tensor {
  if (a === undefined) return b;
  const sum = a.add(b);
  tf.dispose([a, b]);
  return sum;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
