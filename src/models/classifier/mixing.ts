import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import type { Random } from '../../random.ts';
import { input } from '../layers/learned.ts';
import type { HostBatch, HostTensor } from '../model.ts';
import type { Mixing } from './mixing.options.ts';

/**
 * Mixup and cutmix: a picture and its label are mixed with another's. Rows 2i and 2i + 1 of the batch are each other's partners, and λ and box are
 * the same for the whole batch. Sources: Zhang et al. 2018 (arXiv 1710.09412), Yun et al. 2019 (arXiv 1905.04899); chances, box and the corrected λ
 * as in timm, which reverses the batch instead, as no micro-batch can.
 */

/** What is drawn for one step. */
export interface Mix {
  /** What a picture's own label keeps. */
  readonly lambda: number;
  /** The part of the picture that is its partner's, in pixels; all of it, in the share 1 − λ, for mixup. */
  readonly box?: { readonly top: number; readonly left: number; readonly height: number; readonly width: number };
}

/**
 * Draws a step's mix, always in this order: whether it mixes, whether it cuts, the row and the column of the box's middle, one word each; then λ. The
 * box has the share 1 − λ of the picture, and what juts out is cut off, so λ is taken from its true area.
 */
export function drawMix(random: Random, mixing: Mixing, [height, width]: readonly [number, number]): Mix {
  const { mixup, cutmix, mixProbability, switchProbability } = mixing;
  const mixed = random.uniform() < mixProbability;
  const switched = random.uniform() < switchProbability;
  const [row, column] = [random.integer(height), random.integer(width)];
  if (!mixed || (mixup === 0 && cutmix === 0)) return { lambda: 1 };
  const cuts = cutmix > 0 && (mixup === 0 || switched);
  const alpha = cuts ? cutmix : mixup;
  const lambda = random.beta(alpha, alpha);
  if (!cuts) return { lambda };
  const [rows, top] = side(row, height, lambda);
  const [columns, left] = side(column, width, lambda);
  const box = { top, left, height: rows, width: columns };
  return { lambda: 1 - (rows * columns) / (height * width), box };
}

/** Length and beginning of a box's side around its middle. */
function side(middle: number, whole: number, lambda: number): [length: number, from: number] {
  const half = Math.trunc(whole * Math.sqrt(1 - lambda)) >> 1;
  const [from, to] = [Math.max(0, middle - half), Math.min(whole, middle + half)];
  return [to - from, from];
}

/**
 * The share of each pixel that is the partner's, as a product: `mixRows` float32 [N, H] · `mixColumns` float32 [N, W]. Zero where nothing is mixed.
 *
 * @throws MICRO_BATCH_PAIRS for an odd number of samples.
 */
export function mixInputs({ lambda, box }: Mix, N: number, [height, width]: readonly [number, number]): HostBatch {
  if (N % 2 === 1) throw fail('MICRO_BATCH_PAIRS', { found: N });
  const share = box === undefined ? 1 - lambda : 1;
  const { top, left, ...sides } = box ?? { top: 0, left: 0, height, width };
  return {
    mixRows: repeated(N, height, (row) => (row >= top && row < top + sides.height ? share : 0)),
    mixColumns: repeated(N, width, (column) => (column >= left && column < left + sides.width ? 1 : 0)),
  };
}

function repeated(N: number, length: number, value: (i: number) => number): HostTensor {
  const data = new Float32Array(N * length);
  for (let i = 0; i < length; i++) data[i] = value(i);
  for (let n = 1; n < N; n++) data.copyWithin(n * length, 0, length);
  return { dtype: 'float32', shape: [N, length], data };
}

/**
 * What is to be answered: 1 − s + s/C for a picture's class and s/C for the others, of which the partner's has the share 1 − λ.
 *
 * @param label int32 [N]. @returns float32 [N, C], rows adding up to 1.
 * @throws LABEL_CLASS for a label that is none of the C classes.
 */
export function softTargets({ data }: HostTensor, C: number, smoothing: number, lambda = 1): HostTensor {
  const N = data.length;
  const target = new Float32Array(N * C).fill(smoothing / C);
  for (let n = 0; n < N; n++) {
    const label = data[n]!;
    if (label < 0 || label >= C) throw fail('LABEL_CLASS', { classes: C, most: C - 1, found: label });
    target[n * C + label]! += (1 - smoothing) * lambda;
    // Its partner is the other of its pair.
    if (lambda < 1) target[n * C + data[n ^ 1]!]! += (1 - smoothing) * (1 - lambda);
  }
  return { dtype: 'float32', shape: [N, C], data: target };
}

/** Pictures [N, H, W, 3] mixed as the inputs `mixRows` and `mixColumns` say; as they are where these are not given. */
export function mixedPictures(inputs: Readonly<Record<string, tf.Tensor>>): tf.Tensor {
  const pictures = input(inputs, 'picture');
  const { mixRows } = inputs;
  if (mixRows === undefined) return pictures;
  const [N, H, W, C] = pictures.shape as [number, number, number, number];
  const pairs = pictures.reshape([N / 2, 2, H * W * C]);
  const second = pairs.slice([0, 1, 0], [-1, 1, -1]);
  const partners = tf.concat([second, pairs.slice([0, 0, 0], [-1, 1, -1])], 1).reshape([N, H, W, C]);
  const share = mixRows.reshape([N, H, 1, 1]).mul(input(inputs, 'mixColumns').reshape([N, 1, W, 1]));
  return pictures.add(partners.sub(pictures).mul(share));
}
