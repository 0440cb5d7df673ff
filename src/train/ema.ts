import * as tf from '../backends/tf.ts';
import { averageUpdate } from '../backends/updates.ts';
import type { Named } from './optimizers/optimizer.ts';

/** Options of the running average of the weights. */
export interface AverageOptions {
  /** What is kept of the average at each update. */
  readonly decay: number;
  /** The average forgets faster at first: the decay of update t is 1 − (1 + (t − 1) / gamma)^−power until it has reached `decay`. */
  readonly warmup?: { readonly gamma: number; readonly power: number } | undefined;
}

/**
 * What is kept of the average at an update, counted from 1: nothing at the first one, whatever the options. Source: timm's ModelEmaV3.
 */
export function decayAt(update: number, { decay, warmup }: AverageOptions): number {
  const before = update - 1;
  if (before <= 0) return 0;
  if (warmup === undefined) return decay;
  return Math.min(decay, 1 - (1 + before / warmup.gamma) ** -warmup.power);
}

/** An exponential moving average of parameters, in float32 beside them. Owned by whoever made it, who calls `dispose`. */
export class Average {
  /** The averages by the names of the parameters. */
  readonly values: Record<string, tf.Variable>;
  readonly #options: AverageOptions;
  readonly #parameters: readonly tf.Variable[];
  readonly #averages: readonly tf.Variable[];

  /** Begins with the parameters as they are. */
  constructor(params: Named, options: AverageOptions) {
    this.#options = options;
    this.#parameters = Object.values(params);
    const entries = Object.entries(params).map(
      // A clone would have the same memory, which changes in place.
      ([name, parameter]) => [name, tf.tidy(() => tf.variable(parameter.mul(1), false))] as const,
    );
    this.values = Object.fromEntries(entries);
    this.#averages = Object.values(this.values);
  }

  /** Brings the averages nearer to the parameters, after as many updates of these, from 1. */
  follow(update: number): void {
    averageUpdate(this.#averages, this.#parameters, decayAt(update, this.#options));
  }

  dispose(): void {
    tf.dispose(this.values);
  }
}
