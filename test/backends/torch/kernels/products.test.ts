import t from 'tap';
import * as tf from '../../../../src/backends/tf.ts';
import { prepareTorch } from '../../../../src/backends/torch/prepare.ts';
import { expectClose } from '../../../kit/training/tensors.ts';
import { expectAgreement, testDevice, wavy, whole, withGradients, withoutTorch } from '../../../kit/training/torch.ts';

const skip = { skip: withoutTorch };
const flags = [false, true];

t.test('matrix products: batches, broadcast, transposed', skip, async (t) => {
  const batches = [
    [[], []],
    [[4], [4]],
    [[4], [1]],
    [[1], [4]],
    [
      [2, 3],
      [2, 3],
    ],
    [[4], []],
    [[], [4]],
  ] as [number[], number[]][];
  const [n, d, m] = [3, 5, 7];
  for (const [left, right] of batches) {
    for (const transposeA of flags) {
      for (const transposeB of flags) {
        const a = () => wavy([...left, ...(transposeA ? [d, n] : [n, d])]);
        const b = () => wavy([...right, ...(transposeB ? [m, d] : [d, m])], 1);
        const product = (x?: tf.Tensor, y?: tf.Tensor) => tf.matMul(x!, y!, transposeA, transposeB);
        const what = `[${left}] with [${right}], transposed ${transposeA} ${transposeB}`;
        await expectAgreement(t, what, () => product(a(), b()), 1e-5);
        // tfjs' own gradient does not sum over axes that were broadcast.
        if (left.join() === right.join())
          await expectAgreement(t, `${what}, gradients`, withGradients(product, a, b), 1e-5);
      }
    }
  }
});

t.test('both batches broadcast', skip, async (t) => {
  // tfjs-cpu pairs the wrong ones here.
  await prepareTorch(testDevice);
  const [found, expected] = tf.tidy(() => {
    const [a, b] = [wavy([2, 1, 3, 5]), wavy([1, 3, 5, 4], 1)];
    return [tf.matMul(a, b), a.mul(1).expandDims(-1).mul(b.expandDims(2)).sum(-2)].map((y) => [...y.dataSync()]);
  });
  expectClose(t, found!, expected!, 1e-6);
});

t.test('products of integers, and of nothing', skip, async (t) => {
  await expectAgreement(t, 'integers', () => tf.matMul(whole([3, 4]), whole([4, 5], 9, 1)));
  await expectAgreement(t, 'large integers', () =>
    tf.matMul(tf.fill([2, 2], 40_000, 'int32'), tf.fill([2, 2], 3, 'int32')),
  );
  for (const [n, d, m] of [
    [0, 3, 2],
    [2, 0, 3],
    [2, 3, 0],
  ] as const) {
    await expectAgreement(t, `[${n}, ${d}] by [${d}, ${m}]`, () => tf.matMul(tf.zeros([n, d]), tf.zeros([d, m])));
  }
  await expectAgreement(t, 'no numbers', () => tf.matMul(tf.tensor2d([NaN, 1, 2, 3], [2, 2]), tf.eye(2)));
  await expectAgreement(t, 'vectors', () => [
    tf.dot(wavy([5]), wavy([5], 1)),
    tf.outerProduct(wavy([3]) as tf.Tensor1D, wavy([4]) as tf.Tensor1D),
  ]);
});

t.test('products with bias and activation', skip, async (t) => {
  const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const;
  for (const activation of activations) {
    const f = (a: tf.Tensor, b: tf.Tensor, bias: tf.Tensor) =>
      tf.fused.matMul({
        a: a as tf.Tensor2D,
        b: b as tf.Tensor2D,
        bias,
        activation,
        ...(activation === 'prelu' && { preluActivationWeights: tf.tensor1d([0.1, 0.2, 0.3, 0.4]) }),
      });
    const value = () => f(wavy([5, 3]), wavy([3, 4], 1), wavy([4], 2));
    await expectAgreement(t, activation, value, 1e-5);
    await expectAgreement(
      t,
      `${activation}, in batches`,
      () => f(wavy([2, 5, 3]), wavy([2, 3, 4], 1), wavy([4], 2)),
      1e-5,
    );
    // tfjs has gradients of these only.
    if (!['linear', 'relu', 'relu6'].includes(activation)) continue;
    const inputs = [() => wavy([5, 3]), () => wavy([3, 4], 1), () => wavy([4], 2)];
    await expectAgreement(
      t,
      `${activation}, gradients`,
      withGradients((a, b, c) => f(a!, b!, c!), ...inputs),
      1e-5,
    );
  }
  await expectAgreement(
    t,
    'without a bias',
    () => tf.fused.matMul({ a: wavy([5, 3]) as tf.Tensor2D, b: wavy([3, 4]) as tf.Tensor2D, activation: 'relu' }),
    1e-5,
  );
});

t.test('sums of products by a formula', skip, async (t) => {
  for (const [formula, ...sides] of [
    ['ij,jk->ik', [3, 4], [4, 5]],
    ['ij,kj->ik', [3, 4], [5, 4]],
    ['bhqd,bhkd->bhqk', [2, 3, 4, 5], [2, 3, 6, 5]],
    ['ij->ji', [3, 4]],
    ['ij->', [3, 4]],
    ['i,j->ij', [3], [4]],
  ] as [string, ...number[][]][]) {
    const make = sides.map((shape, i) => () => wavy(shape, i));
    await expectAgreement(t, formula, () => tf.einsum(formula, ...make.map((one) => one())), 1e-5);
  }
});
