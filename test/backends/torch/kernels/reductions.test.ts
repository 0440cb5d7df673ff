import t from 'tap';
import * as tf from '../../../../src/backends/tf.ts';
import { expectAgreement, wavy, whole, withGradients, withoutTorch } from '../../../kit/training/torch.ts';

const skip = { skip: withoutTorch };

type Reduction = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;

t.test('reductions over every choice of axes', skip, async (t) => {
  const reductions: Record<string, Reduction> = { sum: tf.sum, mean: tf.mean, prod: tf.prod, max: tf.max, min: tf.min };
  for (const [name, f] of Object.entries(reductions)) {
    for (const axes of [undefined, 0, 1, 2, -1, [0, 2], [0, 1, 2]]) {
      await expectAgreement(
        t,
        `${name} over ${axes}`,
        () => [f(wavy([3, 4, 5]), axes), f(wavy([3, 4, 5]), axes, true)],
        1e-5,
      );
      await expectAgreement(t, `${name} of integers over ${axes}`, () => f(whole([3, 4, 5], 3), axes), 1e-5);
    }
    await expectAgreement(t, `${name} of a scalar`, () => f(tf.scalar(3)));
    await expectAgreement(t, `${name} where something is no number`, () =>
      f(tf.tensor2d([NaN, 1, 2, 3, NaN, 4], [2, 3]), 1),
    );
    await expectAgreement(t, `${name} of rank 6`, () => f(wavy([2, 1, 3, 2, 2, 2]), [1, 3, 5]), 1e-5);
  }
  await expectAgreement(t, 'sum of nothing', () => [
    tf.sum(tf.zeros([0, 3])),
    tf.sum(tf.zeros([2, 0]), 1),
    tf.prod(tf.zeros([2, 0]), 1),
  ]);
  await expectAgreement(t, 'sum of bools', () => tf.sum(tf.tensor1d([true, true, false])));
});

t.test('their gradients', skip, async (t) => {
  const x = () => wavy([3, 4, 5]);
  await expectAgreement(
    t,
    'sum',
    withGradients((a) => tf.sum(a!, [0, 2]), x),
    1e-5,
  );
  await expectAgreement(
    t,
    'mean',
    withGradients((a) => tf.mean(a!, 1, true), x),
    1e-5,
  );
  await expectAgreement(
    t,
    'max',
    withGradients((a) => tf.max(a!, 2), x),
    1e-5,
  );
  await expectAgreement(
    t,
    'min',
    withGradients((a) => tf.min(a!), x),
    1e-5,
  );
  await expectAgreement(
    t,
    'prod',
    withGradients((a) => tf.prod(a!, 1), x),
    1e-5,
  );
  await expectAgreement(
    t,
    'moments',
    withGradients((a) => tf.moments(a!, [1]).variance, x),
    1e-5,
  );
  await expectAgreement(
    t,
    'logSumExp',
    withGradients((a) => tf.logSumExp(a!, 1), x),
    1e-5,
  );
  await expectAgreement(
    t,
    'norm',
    withGradients((a) => tf.norm(a!), x),
    1e-5,
  );
});

t.test('all and any', skip, async (t) => {
  const x = () => tf.tensor2d([1, 1, 0, 0, 1, 0], [3, 2], 'bool');
  for (const axes of [undefined, 0, 1, [0, 1]]) {
    await expectAgreement(t, `over ${axes}`, () => [tf.all(x(), axes), tf.any(x(), axes), tf.any(x(), axes, true)]);
  }
});

t.test('positions of the largest and smallest: the first of equals, what is no number passed over', skip, async (t) => {
  const rows = () => tf.tensor2d([1, 3, 3, NaN, 1, 2, 2, 2, 2, 5, NaN, 7, 4, 4, 1], [5, 3]);
  for (const axis of [0, 1]) {
    await expectAgreement(t, `axis ${axis}`, () => [rows().argMax(axis), rows().argMin(axis)]);
    await expectAgreement(t, `integers, axis ${axis}`, () => [
      whole([4, 5], 2).argMax(axis),
      whole([4, 5], 2).argMin(axis),
    ]);
  }
  await expectAgreement(t, 'bools', () => tf.tensor1d([false, true, true]).argMax());
});

t.test('sums and products along an axis', skip, async (t) => {
  for (const axis of [0, 1, 2]) {
    for (const exclusive of [false, true]) {
      for (const reverse of [false, true]) {
        const what = `axis ${axis}, exclusive ${exclusive}, reverse ${reverse}`;
        await expectAgreement(t, what, () => tf.cumsum(wavy([3, 4, 5]), axis, exclusive, reverse), 1e-5);
        await expectAgreement(t, what, () => tf.cumprod(whole([3, 4, 5], 2), axis, exclusive, reverse), 1e-5);
      }
    }
  }
  await expectAgreement(
    t,
    'its gradient',
    withGradients(
      (x) => tf.cumsum(x!, 1),
      () => wavy([3, 4]),
    ),
    1e-5,
  );
});

t.test('softmax and its logarithm', skip, async (t) => {
  const x = () => wavy([3, 4, 5]).mul(30);
  await expectAgreement(
    t,
    'softmax',
    withGradients(
      (a) => tf.softmax(a!),
      () => wavy([3, 4, 5]),
    ),
    1e-5,
  );
  await expectAgreement(t, 'softmax of large numbers', () => tf.softmax(x()), 1e-5);
  await expectAgreement(
    t,
    'logSoftmax',
    withGradients(
      (a) => tf.logSoftmax(a!),
      () => wavy([3, 5]),
    ),
    1e-5,
  );
  await expectAgreement(
    t,
    'cross entropy',
    withGradients(
      (a) => tf.losses.softmaxCrossEntropy(tf.oneHot([0, 2, 1], 5), a!),
      () => wavy([3, 5]),
    ),
    1e-5,
  );
});

t.test('normalisation by neighbours', skip, async (t) => {
  for (const radius of [1, 2, 7]) {
    const f = (x?: tf.Tensor) => tf.localResponseNormalization(x as tf.Tensor4D, radius, 1, 0.5, 0.7);
    await expectAgreement(
      t,
      `radius ${radius}`,
      withGradients(f, () => wavy([2, 3, 2, 5])),
      1e-5,
    );
  }
});
