import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import { Random } from '../../random.ts';
import type { Accuracy, FeatureSet } from '../features.ts';
import { rankOf, ranksOf, taken } from '../knn/neighbours.ts';

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
  readonly seed: number;
}

const momentum = 0.9;

/**
 * Accuracy of a linear classifier on frozen features: batch normalisation without affine (eps 1e-6), a linear layer (weights N(0, 0.01),
 * bias 0), cross-entropy, SGD with momentum 0.9 and no decay, a rate of lr · batch / 256 that falls to 0 as a cosine. Leaves no tensor behind.
 * Source: MAE's linear probe, restated for small sets: features are computed once, without crops, so the normalisation takes the statistics
 * of the whole set, and plain momentum takes the place of LARS, which is for batches of thousands.
 * @throws PROBE_NOT_A_NUMBER when it has diverged.
 */
export async function linearProbe({ on, reference, epochs, batch, lr, seed }: LinearProbeOptions): Promise<Accuracy> {
  const { labels, width } = reference;
  const count = labels.length;
  const { ranks, rankOfLabel } = ranksOf(labels);
  const classes = rankOfLabel.size;
  const { mean, scale } = statistics(reference);
  const standard = ({ values }: FeatureSet) => values.map((value, i) => (value - mean[i % width]!) * scale[i % width]!);
  const features = standard(reference);
  const perEpoch = Math.ceil(count / batch);
  const highest = (lr * Math.min(batch, count)) / 256;
  let state = fresh(width, classes, seed);
  try {
    for (let epoch = 0, step = 0; epoch < epochs; epoch++) {
      const order = new Random(seed, 'linear', `epoch:${epoch}`).permutation(count);
      for (let first = 0; first < count; first += batch, step++) {
        const rows = order.subarray(first, first + batch);
        const rate = (highest * (1 + Math.cos((Math.PI * step) / (epochs * perEpoch)))) / 2;
        const next = tf.tidy(() => moved(state, picked(features, width, rows), oneHot(ranks, rows, classes), rate));
        tf.dispose(state);
        state = next;
      }
      // Lets the event loop turn, and keeps backends that compute behind from piling up.
      await state.bias.data();
    }
    return await accuracy(state, standard(on), on, rankOfLabel);
  } finally {
    tf.dispose(state);
  }
}

/** What is learned, and the momentum of each. weight [D, classes], bias [classes]. */
type State = Record<'weight' | 'bias' | 'weightMomentum' | 'biasMomentum', tf.Tensor>;

function fresh(width: number, classes: number, seed: number): State {
  const random = new Random(seed, 'linear', 'weight');
  const weight = Float32Array.from({ length: width * classes }, () => 0.01 * random.normal());
  return {
    weight: tf.tensor2d(weight, [width, classes]),
    bias: tf.zeros([classes]),
    weightMomentum: tf.zeros([width, classes]),
    biasMomentum: tf.zeros([classes]),
  };
}

/** One step of SGD on the mean cross-entropy; its gradient by the logits is softmax − target. */
function moved(state: State, x: tf.Tensor2D, target: tf.Tensor2D, rate: number): State {
  const logits = tf.matMul(x, state.weight as tf.Tensor2D).add(state.bias);
  const slope = tf.softmax(logits).sub(target).div(x.shape[0]);
  const weightMomentum = state.weightMomentum.mul(momentum).add(tf.matMul(x.transpose(), slope as tf.Tensor2D));
  const biasMomentum = state.biasMomentum.mul(momentum).add(slope.sum(0));
  return {
    weight: state.weight.sub(weightMomentum.mul(rate)),
    bias: state.bias.sub(biasMomentum.mul(rate)),
    weightMomentum,
    biasMomentum,
  };
}

async function accuracy(
  state: State,
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
      return tf.matMul(x, state.weight as tf.Tensor2D).add(state.bias);
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

function picked(features: Float32Array, width: number, rows: Uint32Array | Int32Array): tf.Tensor2D {
  const values = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) values.set(features.subarray(row * width, (row + 1) * width), i * width);
  return tf.tensor2d(values, [rows.length, width]);
}

function oneHot(ranks: Int32Array, rows: Uint32Array | Int32Array, classes: number): tf.Tensor2D {
  const values = new Float32Array(rows.length * classes);
  for (const [i, row] of rows.entries()) values[i * classes + ranks[row]!] = 1;
  return tf.tensor2d(values, [rows.length, classes]);
}
