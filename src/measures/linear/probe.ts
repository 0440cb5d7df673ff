import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import { Random } from '../../random.ts';
import type { Accuracy, FeatureSet } from '../features.ts';
import { rankOf, ranksOf, taken } from '../knn/neighbours.ts';
import { GhostNorm } from './ghost-norm.ts';
import { type Linear, larsMover, sgdMover } from './movers.ts';

export interface LinearProbeOptions {
  /** The pictures to be recognised. */
  readonly on: FeatureSet;
  /** The pictures that it learns from. */
  readonly reference: FeatureSet;
  readonly epochs: number;
  /** Features per step; the last step of an epoch takes what is left. */
  readonly batch: number;
  /** Highest rate for a batch of 256. */
  readonly lr: number;
  /** Epochs of a linear rise from 0; none by default. */
  readonly warmupEpochs?: number;
  /** Default: SGD with momentum. */
  readonly optimizer?: 'sgd' | 'lars';
  /** Rows of the groups by whose statistics features are normalised; by default those of the whole set. */
  readonly ghostBatch?: number | undefined;
  readonly seed: number;
}

/**
 * Accuracy of a linear classifier on frozen features: normalisation without affine (eps 1e-6), a linear layer (weights N(0, 0.01), bias 0),
 * cross-entropy, momentum 0.9 and no decay, a rate of lr · batch / 256 that rises in a line and falls to 0 as a cosine. Leaves no tensor behind.
 * Source: MAE's linear probe; its own recipe is `lars` with a ghost batch, for batches of thousands. Restated for small sets: features are computed once, without
 * crops, so the normalisation may take the statistics of the whole set, and plain momentum the place of LARS.
 * @throws PROBE_NOT_A_NUMBER when it has diverged.
 */
export async function linearProbe({
  on,
  reference,
  epochs,
  batch,
  seed,
  ...how
}: LinearProbeOptions): Promise<Accuracy> {
  const { labels, width } = reference;
  const count = labels.length;
  const { ranks, rankOfLabel } = ranksOf(labels);
  const classes = rankOfLabel.size;
  const norm = normOf(reference, how.ghostBatch);
  const total = epochs * Math.ceil(count / batch);
  const rateAt = rates((how.lr * Math.min(batch, count)) / 256, total, (how.warmupEpochs ?? 0) * (total / epochs));
  const mover = (how.optimizer === 'lars' ? larsMover : sgdMover)(fresh(width, classes, seed));
  try {
    for (let epoch = 0, step = 0; epoch < epochs; epoch++) {
      const order = new Random(seed, 'linear', `epoch:${epoch}`).permutation(count);
      for (let first = 0; first < count; first += batch, step++) {
        const rows = order.subarray(first, first + batch);
        const features = norm.train(rows);
        const gradients = tf.tidy(() => {
          const x = tf.tensor2d(features, [rows.length, width]);
          return slopes(mover.learned, x, oneHot(ranks, rows, classes));
        });
        mover.move(gradients, rateAt(step));
        tf.dispose([gradients.weight, gradients.bias]);
      }
      // Lets the event loop turn, and keeps backends that compute behind from piling up.
      await mover.learned.bias.data();
    }
    return await accuracy(mover.learned, norm.evaluate(on.values), on, rankOfLabel);
  } finally {
    mover.dispose();
  }
}

/** The rate of each step. @param warmup steps of the rise. */
function rates(highest: number, steps: number, warmup: number): (step: number) => number {
  return (step) =>
    step < warmup
      ? (highest * step) / warmup
      : (highest * (1 + Math.cos((Math.PI * (step - warmup)) / (steps - warmup)))) / 2;
}

/** Normalises rows of the reference set for training, and any features for evaluation. */
function normOf({ values, labels, width }: FeatureSet, ghostBatch: number | undefined) {
  if (ghostBatch !== undefined) {
    const norm = new GhostNorm(width, { rows: ghostBatch });
    return {
      train: (rows: Rows) => norm.train(picked(values, width, rows)),
      evaluate: (features: Float32Array) => norm.evaluate(features),
    };
  }
  const { mean, scale } = statistics({ values, labels, width });
  const evaluate = (features: Float32Array) =>
    features.map((value, i) => (value - mean[i % width]!) * scale[i % width]!);
  const standard = evaluate(values);
  return { train: (rows: Rows) => picked(standard, width, rows), evaluate };
}

function fresh(width: number, classes: number, seed: number): Linear {
  const random = new Random(seed, 'linear', 'weight');
  const weight = Float32Array.from({ length: width * classes }, () => 0.01 * random.normal());
  return { weight: tf.tensor2d(weight, [width, classes]), bias: tf.zeros([classes]) };
}

/** Gradients of the mean cross-entropy, whose gradient by the logits is softmax − target. */
function slopes({ weight, bias }: Linear, x: tf.Tensor2D, target: tf.Tensor2D): Linear & tf.NamedTensorMap {
  const logits = tf.matMul(x, weight as tf.Tensor2D).add(bias);
  const slope = tf.softmax(logits).sub(target).div(x.shape[0]);
  return { weight: tf.matMul(x.transpose(), slope as tf.Tensor2D), bias: slope.sum(0) };
}

async function accuracy(
  learned: Linear,
  features: Float32Array,
  { labels, width }: FeatureSet,
  rankOfLabel: ReadonlyMap<number, number>,
) {
  const perBlock = 1024;
  const classes = rankOfLabel.size;
  let first = 0;
  let firstFive = 0;
  for (let top = 0; top < labels.length; top += perBlock) {
    const rows = Math.min(perBlock, labels.length - top);
    const logits = tf.tidy(() => {
      const x = tf.tensor2d(features.slice(top * width, (top + rows) * width), [rows, width]);
      return tf.matMul(x, learned.weight as tf.Tensor2D).add(learned.bias);
    });
    const values = await taken(logits);
    for (let row = 0; row < rows; row++) {
      const own = rankOfLabel.get(labels[top + row]!);
      if (own === undefined) continue;
      const scores = values.subarray(row * classes, (row + 1) * classes);
      if (!scores.every(Number.isFinite)) throw fail('PROBE_NOT_A_NUMBER', {});
      const rank = rankOf(scores, own);
      if (rank === 0) first += 1;
      if (rank < 5) firstFive += 1;
    }
  }
  return { top1: first / labels.length, top5: firstFive / labels.length };
}

/** Mean and 1/√(variance + 1e-6) of each feature, the variance over n as in batch normalisation. */
function statistics({ values, labels, width }: FeatureSet): { mean: Float64Array; scale: Float64Array } {
  const count = labels.length;
  const mean = new Float64Array(width);
  const scale = new Float64Array(width);
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]! / count;
  for (let i = 0; i < values.length; i++) scale[i % width]! += (values[i]! - mean[i % width]!) ** 2 / count;
  return { mean, scale: scale.map((variance) => 1 / Math.sqrt(variance + 1e-6)) };
}

type Rows = Uint32Array | Int32Array;

function picked(features: Float32Array, width: number, rows: Rows): Float32Array {
  const values = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) values.set(features.subarray(row * width, (row + 1) * width), i * width);
  return values;
}

function oneHot(ranks: Int32Array, rows: Rows, classes: number): tf.Tensor2D {
  const values = new Float32Array(rows.length * classes);
  for (const [i, row] of rows.entries()) values[i * classes + ranks[row]!] = 1;
  return tf.tensor2d(values, [rows.length, classes]);
}
