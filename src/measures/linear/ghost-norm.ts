/**
 * Batch normalisation without affine over ghost batches: each group of so many rows of the batch is normalised by its own mean and variance,
 * whatever parts the batch is computed in. Running averages of both take every group in its turn, which gives the groups of a batch the weights of
 * Hoffer et al. 2017 (algorithm 1): what was there is kept to (1 − η)ⁿ, and group i of n counts η(1 − η)ⁿ⁻ⁱ. As in PyTorch, η is 0.1 and the
 * running variance is over n − 1. On the host, in double precision.
 */
export class GhostNorm {
  /** The running averages, by feature: 0 and 1 at first. */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly #rows: number;
  readonly #momentum: number;
  readonly #eps: number;

  /** @param width features of a row. @param rows of a group, 2 or more. */
  constructor(
    width: number,
    { rows, momentum = 0.1, eps = 1e-6 }: { readonly rows: number; readonly momentum?: number; readonly eps?: number },
  ) {
    this.mean = new Float64Array(width);
    this.variance = new Float64Array(width).fill(1);
    this.#rows = rows;
    this.#momentum = momentum;
    this.#eps = eps;
  }

  /**
   * Normalises rows for training, and takes their statistics. A batch may come in parts, each but the last a multiple of a group; what is left over at
   * its end is a smaller group, and one row alone, which has no variance, is normalised by the running averages.
   *
   * @param values float32 [n, width]. @returns new values of that shape.
   */
  train(values: Float32Array): Float32Array {
    const width = this.mean.length;
    const normalised = new Float32Array(values.length);
    for (let first = 0; first < values.length; first += this.#rows * width) {
      const group = values.subarray(first, first + this.#rows * width);
      normalised.set(group.length > width ? this.#trained(group) : this.evaluate(group), first);
    }
    return normalised;
  }

  /** Normalises rows by the running averages. Otherwise as `train`. */
  evaluate(values: Float32Array): Float32Array {
    return this.#by(values, this.mean, this.variance);
  }

  #trained(group: Float32Array): Float32Array {
    const width = this.mean.length;
    const rows = group.length / width;
    const mean = new Float64Array(width);
    const variance = new Float64Array(width);
    for (let i = 0; i < group.length; i++) mean[i % width]! += group[i]! / rows;
    for (let i = 0; i < group.length; i++) variance[i % width]! += (group[i]! - mean[i % width]!) ** 2 / rows;
    const unbiased = rows / (rows - 1);
    for (let d = 0; d < width; d++) {
      this.mean[d]! += this.#momentum * (mean[d]! - this.mean[d]!);
      this.variance[d]! += this.#momentum * (variance[d]! * unbiased - this.variance[d]!);
    }
    return this.#by(group, mean, variance);
  }

  #by(values: Float32Array, mean: Float64Array, variance: Float64Array): Float32Array {
    const width = mean.length;
    const scale = variance.map((one) => 1 / Math.sqrt(one + this.#eps));
    return values.map((value, i) => (value - mean[i % width]!) * scale[i % width]!);
  }
}
