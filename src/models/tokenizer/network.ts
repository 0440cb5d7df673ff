import { Constants } from '../../backends/constants.ts';
import { withGradient } from '../../backends/gradient.ts';
import { conv3x3, linear, residual } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { field, input, learned } from '../layers/learned.ts';
import { normalised, patchesOf } from '../layers/pixels.ts';
import { parameter } from '../layers/vit.ts';
import type { HostBatch, HostTensor, Params, RandomSource, Restorer, Tokenizer } from '../model.ts';
import { doubled, halved } from './convolutions.ts';
import { courseAt, type TokenizerShape, tokenizerParameters } from './options.ts';

/**
 * A micro-batch on the backend: `picture` [N, H, W, 3], values 0–255; `course` [N, 2], temperature and weight of the divergence, the same in each row; in
 * training `noise` [N, n, V], Gumbel's.
 */
export type TokenizerInputs = Readonly<Record<string, tf.Tensor>>;

/** A discrete VAE: pictures to a grid of codes and back. */
export interface DiscreteVae extends Restorer, Tokenizer {
  readonly shape: TokenizerShape & { readonly target: 'pixels' };
}

/**
 * Makes a tokenizer: an encoder scores the codes of each patch, a relaxed choice among them (Gumbel-softmax) is decoded to pixels. Sources: Ramesh et al. 2021
 * (arXiv 2102.12092), section 2.1, and Jang et al. 2017 (arXiv 1611.01144); the layers are those of the tokenizer that BEiT's published code lets one train.
 */
export function tokenizer(shape: TokenizerShape): DiscreteVae {
  const constants = new Constants();
  const { patch, vocabulary, loss } = shape;
  return {
    name: 'tokenizer',
    shape: { ...shape, target: 'pixels' },
    vocabulary,
    fields: ['picture'],
    ...learned(tokenizerParameters(shape)),
    inputs: (batch, chance) => tokenizerInputs(batch, shape, chance),
    loss: (params, inputs) => {
      const pixels = normalised(input(inputs, 'picture'), constants);
      const [N] = pixels.shape;
      const logits = scores(params, pixels as tf.Tensor4D, shape);
      const course = input(inputs, 'course');
      const temperature = course.slice([0, 0], [-1, 1]).reshape([N!, 1, 1]);
      const noisy = inputs.noise === undefined ? logits : logits.add(inputs.noise);
      const soft = tf.softmax(noisy.div(temperature));
      const made = decoded(params, shape.hard ? straightThrough(soft) : soft, shape);
      const error = (loss === 'mse' ? made.squaredDifference(pixels) : smoothL1(made.sub(pixels))).mean([1, 2, 3]);
      const weight = course.slice([0, 1], [-1, 1]).reshape([N!]);
      return { sum: error.add(divergence(logits).mul(weight)).sum(), count: N! };
    },
    tokenize: (params, inputs) =>
      tf.tidy(() => {
        const pixels = normalised(input(inputs, 'picture'), constants) as tf.Tensor4D;
        return scores(params, pixels, shape).argMax(-1) as tf.Tensor2D;
      }),
    reconstruct: (params, inputs) =>
      tf.tidy(() => {
        const pixels = normalised(input(inputs, 'picture'), constants) as tf.Tensor4D;
        const made = decoded(params, oneHot(scores(params, pixels, shape)), shape);
        return patchesOf(made, patch);
      }),
    // Vectors of codes are no weights of a map.
    decays: (name) => name !== 'codebook.weight' && !name.endsWith('.bias'),
    dispose: () => constants.dispose(),
  };
}

/** Scores of each patch's codes, [N, n, V], from pictures in normalised pixels. */
function scores(params: Params, pixels: tf.Tensor4D, { halvings, vocabulary }: TokenizerShape): tf.Tensor3D {
  let x = pixels;
  for (let i = 0; i < halvings; i++)
    x = residualBlock(params, `encoder.${i}.res`, halved(params, `encoder.${i}.conv`, x).relu());
  return pointwise(params, 'encoder.logits', x).reshape([x.shape[0], -1, vocabulary]);
}

/** Pictures in normalised pixels, [N, H, W, 3], from what each code counts for in each patch, [N, n, V]. */
function decoded(params: Params, codes: tf.Tensor, { K, halvings, codeWidth }: TokenizerShape): tf.Tensor4D {
  let x = linear(codes, parameter(params, 'codebook.weight')).reshape([-1, K, K, codeWidth]) as tf.Tensor4D;
  for (let i = 0; i < halvings; i++)
    x = residualBlock(params, `decoder.${i}.res`, doubled(params, `decoder.${i}.conv`, x).relu());
  return pointwise(params, 'decoder.pixels', x) as tf.Tensor4D;
}

/** x and a branch of 3 × 3, 3 × 3, 1 × 1 with ReLUs between. Same shape. */
function residualBlock(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  // What gradients need they have kept; the rest goes at the end of the block.
  return tf.tidy(() => {
    const conv = (i: number, of: tf.Tensor4D) =>
      conv3x3(
        of,
        parameter(params, `${name}.conv${i}.weight`) as tf.Tensor4D,
        parameter(params, `${name}.conv${i}.bias`) as tf.Tensor1D,
      ).relu() as tf.Tensor4D;
    return residual(x, pointwise(params, `${name}.conv3`, conv(2, conv(1, x)))) as tf.Tensor4D;
  });
}

/** A 1 × 1 convolution. */
function pointwise(params: Params, name: string, x: tf.Tensor): tf.Tensor {
  return linear(x, parameter(params, `${name}.weight`), parameter(params, `${name}.bias`));
}

/** The highest score of each row as 1, the others 0. Same shape. */
function oneHot(rows: tf.Tensor): tf.Tensor {
  return tf.oneHot(rows.argMax(-1), rows.shape[rows.rank - 1]!).toFloat();
}

/** One code for each row, with the gradient of the relaxed ones. */
function straightThrough(soft: tf.Tensor): tf.Tensor {
  return withGradient([soft], (rows) => ({ value: oneHot(rows), saved: [], backward: (dy) => [dy.clone()] }));
}

/** Of each picture, the mean over its patches of KL(q ‖ uniform) = Σ q·ln q + ln V: [N]. */
function divergence(logits: tf.Tensor): tf.Tensor {
  const log = tf.logSoftmax(logits);
  return log.exp().mul(log).sum(-1).add(Math.log(logits.shape[2]!)).mean(-1);
}

/** x²/2 up to 1, |x| − ½ beyond. */
function smoothL1(x: tf.Tensor): tf.Tensor {
  const size = x.abs();
  const near = size.minimum(1);
  return near.mul(size.sub(near.mul(0.5)));
}

/** Pictures as they are, the step's temperature and weight, and a Gumbel number for each patch and code. */
function tokenizerInputs(batch: HostBatch, shape: TokenizerShape, chance?: RandomSource): HostBatch {
  const { K, vocabulary, temperature, kl } = shape;
  const picture = field(batch, 'picture', 'uint8', 4);
  const N = picture.shape[0]!;
  const step = chance?.stepNumber ?? Number.POSITIVE_INFINITY;
  const values = [courseAt(temperature, step), courseAt(kl, step)];
  const course: HostTensor = {
    dtype: 'float32',
    shape: [N, 2],
    data: Float32Array.from({ length: 2 * N }, (_, i) => values[i % 2]!),
  };
  if (chance === undefined) return { picture, course };
  const numbers = K * K * vocabulary;
  const data = new Float32Array(N * numbers);
  for (let n = 0; n < N; n++) {
    const random = chance.row(n, 'gumbel');
    for (let i = n * numbers; i < (n + 1) * numbers; i++) data[i] = random.gumbel();
  }
  return { picture, course, noise: { dtype: 'float32', shape: [N, K * K, vocabulary], data } };
}
