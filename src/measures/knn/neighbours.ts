import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import type { Accuracy, FeatureSet } from '../features.ts';

export interface KnnOptions {
  /** The pictures to be recognised. */
  readonly on: FeatureSet;
  /** The pictures whose labels vote. */
  readonly reference: FeatureSet;
  readonly k: number;
  readonly vote: 'weighted' | 'majority';
  /** Of the weighted vote. */
  readonly temperature: number;
}

/** Rows of `on` and of `reference` that are compared in one product: about 16 MiB of similarities. */
const block = { on: 512, reference: 8192 } as const;

/**
 * k-nearest-neighbour accuracy of features by cosine similarity. The k most similar vote for their class, weighted by
 * exp(similarity / temperature), or one each. Fixed where it is close: of equally similar pictures the earlier one votes, of classes with
 * equal votes the lower one wins, and a class without a vote is no answer. Leaves no tensor behind.
 * Source: Wu et al. 2018 (arXiv 1805.01978), section 3.4, temperature 0.07; k 20 as in DINO (arXiv 2104.14294).
 * @throws KNN_FEW when fewer than k pictures can vote; FEATURE_NOT_A_NUMBER.
 */
export async function knnAccuracy(options: KnnOptions): Promise<Accuracy> {
  const { on, reference, k } = options;
  const count = reference.labels.length;
  if (k > count) throw fail('KNN_FEW', { count, k });
  const { indices, similarities } = await neighbours(on, reference, k);
  // A product that is no number is no neighbour.
  if (indices.includes(-1)) throw fail('FEATURE_NOT_A_NUMBER', {});
  const { ranks, rankOfLabel } = ranksOf(reference.labels);
  const votes = new Float64Array(rankOfLabel.size);
  let first = 0;
  let firstFive = 0;
  for (let n = 0; n < on.labels.length; n++) {
    votes.fill(0);
    for (let i = n * k; i < (n + 1) * k; i++) {
      // Relative to the most similar one, whatever the temperature.
      const weight =
        options.vote === 'majority' ? 1 : Math.exp((similarities[i]! - similarities[n * k]!) / options.temperature);
      votes[ranks[indices[i]!]!]! += weight;
    }
    const own = rankOfLabel.get(on.labels[n]!);
    if (own === undefined || votes[own] === 0) continue;
    const rank = rankOf(votes, own);
    if (rank === 0) first += 1;
    if (rank < 5) firstFive += 1;
  }
  return { top1: first / on.labels.length, top5: firstFive / on.labels.length };
}

/** Labels as ranks among the labels that occur, so that what is kept of each class does not depend on how large its label is. */
export function ranksOf(labels: Int32Array): { ranks: Int32Array; rankOfLabel: ReadonlyMap<number, number> } {
  const occurring = [...new Set(labels)].sort((a, b) => a - b);
  const rankOfLabel = new Map(occurring.map((label, rank) => [label, rank]));
  return { ranks: labels.map((label) => rankOfLabel.get(label)!), rankOfLabel };
}

/** How many classes come before `label`: those with more, and lower ones with as much. */
export function rankOf(scores: ArrayLike<number>, label: number): number {
  let rank = 0;
  for (let other = 0; other < scores.length; other++) {
    if (scores[other]! > scores[label]! || (scores[other] === scores[label] && other < label)) rank += 1;
  }
  return rank;
}

/**
 * The k most similar rows of `reference` for each row of `on`, the most similar first.
 *
 * @returns indices int32 [n, k] and cosine similarities float32 [n, k].
 */
export async function neighbours(on: FeatureSet, reference: FeatureSet, k: number) {
  const [n, count] = [on.labels.length, reference.labels.length];
  const indices = new Int32Array(n * k).fill(-1);
  const similarities = new Float32Array(n * k).fill(Number.NEGATIVE_INFINITY);
  for (let left = 0; left < count; left += block.reference) {
    // Laid on its side once: backends are slow at products that do it on the way.
    const columns = tf.tidy(() => unitRows(reference, left, block.reference).transpose());
    try {
      for (let top = 0; top < n; top += block.on) {
        const product = tf.tidy(() => tf.matMul(unitRows(on, top, block.on), columns));
        const [rows, width] = product.shape as [number, number];
        const values = await taken(product);
        for (let row = 0; row < rows; row++) {
          const at = (top + row) * k;
          for (let column = 0; column < width; column++) {
            const similarity = values[row * width + column]!;
            if (similarity > similarities[at + k - 1]!) insert(at, left + column, similarity);
          }
        }
      }
    } finally {
      columns.dispose();
    }
  }
  return { indices, similarities };

  /** Puts a neighbour behind those that are as similar. */
  function insert(at: number, index: number, similarity: number): void {
    let place = at + k - 1;
    for (; place > at && similarities[place - 1]! < similarity; place--) {
      similarities[place] = similarities[place - 1]!;
      indices[place] = indices[place - 1]!;
    }
    similarities[place] = similarity;
    indices[place] = index;
  }
}

/** The values of a tensor of floats, which is freed, also when they cannot be had. */
export async function taken(tensor: tf.Tensor): Promise<Float32Array> {
  try {
    return (await tensor.data()) as Float32Array;
  } finally {
    tensor.dispose();
  }
}

/** Rows from `first` on, at most `most`, of length one; zero stays zero: [rows, D]. */
function unitRows({ values, width }: FeatureSet, first: number, most: number): tf.Tensor2D {
  const rows = tf.tensor2d(values.slice(first * width, (first + most) * width), [
    Math.min(most, values.length / width - first),
    width,
  ]);
  return rows.div(rows.square().sum(1, true).sqrt().maximum(1e-12));
}
