import t from 'tap';
import * as tf from '../../../../src/backends/tf.ts';
import { expectAgreement, testDevice, wavy, whole, withGradients, withoutTorch } from '../../../kit/training/torch.ts';

const skip = { skip: withoutTorch };

type Pad = 'same' | 'valid' | number | [[0, 0], [number, number], [number, number], [0, 0]];
const uneven: Pad = [
  [0, 0],
  [1, 2],
  [0, 1],
  [0, 0],
];
const pads: Pad[] = ['same', 'valid', 1, uneven];
const four = (x: tf.Tensor | undefined) => x as tf.Tensor4D;

t.test('convolutions with their gradients', skip, async (t) => {
  for (const pad of pads) {
    for (const stride of [1, 2] as const) {
      const f = (x?: tf.Tensor, w?: tf.Tensor) => tf.conv2d(four(x), four(w), stride, pad);
      const inputs = [() => wavy([2, 7, 6, 3]), () => wavy([3, 2, 3, 4], 1)] as const;
      await expectAgreement(t, `padding ${JSON.stringify(pad)}, stride ${stride}`, withGradients(f, ...inputs), 1e-5);
      const depthwise = (x?: tf.Tensor, w?: tf.Tensor) => tf.depthwiseConv2d(four(x), four(w), stride, pad);
      const filters = () => wavy([3, 2, 3, 2], 1);
      // tfjs-cpu's own gradients of depthwise convolutions are wrong with several outputs to a channel: see below.
      await expectAgreement(
        t,
        `depthwise, ${JSON.stringify(pad)}, ${stride}`,
        () => depthwise(inputs[0](), filters()),
        1e-5,
      );
    }
  }
  await expectAgreement(
    t,
    'dilated',
    () => tf.conv2d(four(wavy([1, 9, 9, 2])), four(wavy([3, 3, 2, 2])), 1, 'same', 'NHWC', 2),
    1e-5,
  );
  await expectAgreement(
    t,
    'sides rounded up',
    () => tf.conv2d(four(wavy([1, 6, 6, 2])), four(wavy([3, 3, 2, 2])), 2, 0, 'NHWC', 1, 'ceil'),
    1e-5,
  );
  await expectAgreement(
    t,
    'one pixel',
    () => tf.conv2d(four(wavy([2, 5, 5, 3])), four(wavy([1, 1, 3, 4])), 1, 'same'),
    1e-5,
  );
  await expectAgreement(
    t,
    'no pictures',
    () => tf.conv2d(four(tf.zeros([0, 5, 5, 3])), four(wavy([3, 3, 3, 4])), 1, 'same'),
    1e-5,
  );
  await expectAgreement(
    t,
    'transposed',
    withGradients(
      (x, w) => tf.conv2dTranspose(four(x), four(w), [2, 8, 8, 3], 2, 'same'),
      () => wavy([2, 4, 4, 5]),
      () => wavy([3, 3, 3, 5], 1),
    ),
    1e-5,
  );
  await expectAgreement(
    t,
    'along one axis',
    withGradients(
      (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'same'),
      () => wavy([2, 6, 3]),
      () => wavy([3, 3, 4], 1),
    ),
    1e-5,
  );
});

t.test('depthwise gradients', skip, async (t) => {
  for (const pad of pads) {
    const f = (x?: tf.Tensor, w?: tf.Tensor) => tf.depthwiseConv2d(four(x), four(w), 1, pad);
    await expectAgreement(
      t,
      JSON.stringify(pad),
      withGradients(
        f,
        () => wavy([2, 6, 5, 3]),
        () => wavy([3, 2, 3, 2], 1),
      ),
      1e-5,
    );
  }
});

t.test('convolutions with bias and activation', skip, async (t) => {
  for (const activation of ['linear', 'relu', 'elu', 'sigmoid', 'leakyrelu'] as const) {
    const options = { strides: 1, pad: 'same', activation, leakyreluAlpha: 0.2 } as const;
    await expectAgreement(
      t,
      activation,
      () => [
        tf.fused.conv2d({ x: four(wavy([2, 5, 5, 3])), filter: four(wavy([3, 3, 3, 4])), bias: wavy([4]), ...options }),
        tf.fused.depthwiseConv2d({
          x: four(wavy([2, 5, 5, 3])),
          filter: four(wavy([3, 3, 3, 2])),
          bias: wavy([6]),
          ...options,
        }),
      ],
      1e-5,
    );
  }
  const f = (x?: tf.Tensor, filter?: tf.Tensor, bias?: tf.Tensor) =>
    tf.fused.conv2d({ x: four(x), filter: four(filter), bias: bias!, strides: 1, pad: 'same', activation: 'relu' });
  await expectAgreement(
    t,
    'gradients',
    withGradients(
      f,
      () => wavy([2, 5, 5, 3]),
      () => wavy([3, 3, 3, 4], 1),
      () => wavy([4], 2),
    ),
    1e-5,
  );
});

t.test('pools', skip, async (t) => {
  for (const pad of pads) {
    for (const [size, stride] of [
      [2, 2],
      [3, 2],
      [3, 1],
    ] as const) {
      const what = `${size} by ${size}, stride ${stride}, padding ${JSON.stringify(pad)}`;
      const max = (x?: tf.Tensor) => tf.maxPool(four(x), size, stride, pad);
      await expectAgreement(
        t,
        `max, ${what}`,
        withGradients(max, () => wavy([2, 7, 6, 3])),
        1e-5,
      );
      await expectAgreement(t, `average, ${what}`, () => tf.avgPool(four(wavy([2, 7, 6, 3])), size, stride, pad), 1e-5);
    }
  }
  const average = (x?: tf.Tensor) => tf.avgPool(four(x), 2, 2, 'valid');
  await expectAgreement(
    t,
    'the gradient of averages',
    withGradients(average, () => wavy([2, 6, 6, 3])),
    1e-5,
  );
  await expectAgreement(t, 'max of integers', () => tf.maxPool(four(whole([1, 4, 4, 2])), 2, 2, 'valid'));
  await expectAgreement(
    t,
    'equal pixels: the first',
    withGradients(max22, () => tf.ones([1, 4, 4, 1])),
  );
  await expectAgreement(
    t,
    'over everything',
    () => tf.layers.globalAveragePooling2d({}).apply(wavy([2, 3, 3, 4])) as tf.Tensor,
    1e-5,
  );
});

const max22 = (x?: tf.Tensor) => tf.maxPool(four(x), 2, 2, 'valid');

t.test('average windows at the border share among the pixels they see', skip, async (t) => {
  // tfjs-cpu divides by the whole window in the gradient alone; TensorFlow and the mean itself do not.
  const { prepareTorch } = await import('../../../../src/backends/torch/prepare.ts');
  await prepareTorch(testDevice);
  const gradient = tf.tidy(() => {
    const f = (x: tf.Tensor) => tf.avgPool(four(x), 2, 2, 'same').sum() as tf.Scalar;
    return [
      ...tf
        .grad(f)(tf.ones([1, 3, 3, 1]))
        .dataSync(),
    ];
  });
  t.same(gradient, [0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 1]);
});

t.test('resized pictures with their gradients', skip, async (t) => {
  for (const size of [
    [7, 9],
    [3, 2],
    [1, 1],
    [5, 4],
  ] as [number, number][]) {
    for (const [align, half] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const) {
      const what = `to ${size}, corners ${align}, centres ${half}`;
      const bilinear = (x?: tf.Tensor) => tf.image.resizeBilinear(four(x), size, align, half);
      const nearest = (x?: tf.Tensor) => tf.image.resizeNearestNeighbor(four(x), size, align, half);
      const pictures = () => wavy([2, 5, 5, 3]);
      await expectAgreement(t, `bilinear ${what}`, () => bilinear(pictures()), 1e-5);
      await expectAgreement(t, `nearest ${what}`, () => nearest(pictures()));
      // tfjs-cpu's gradients do not know of centres, mistake the sides of what is not square, and the nearest's all pictures but the first.
      if (half) continue;
      await expectAgreement(t, `bilinear ${what}, gradient`, withGradients(bilinear, pictures), 1e-5);
      await expectAgreement(
        t,
        `nearest ${what}, gradient`,
        withGradients(nearest, () => wavy([1, 5, 5, 3])),
        1e-5,
      );
    }
  }
});

t.test('gradients of resizing with centres at a half, against differences of a linear function', skip, async (t) => {
  const { prepareTorch } = await import('../../../../src/backends/torch/prepare.ts');
  await prepareTorch(testDevice);
  for (const resize of [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor]) {
    // <R x, y> = <x, Rᵀ y> for every x and y: R is linear.
    const [one, other] = tf.tidy(() => {
      const [x, y] = [four(wavy([2, 5, 4, 3])), four(wavy([2, 7, 3, 3], 1))];
      const f = (a: tf.Tensor) => resize(four(a), [7, 3], false, true).mul(y).sum() as tf.Scalar;
      return [f(x), tf.grad(f)(x).mul(x).sum()].map((sum) => sum.dataSync()[0]!);
    });
    t.ok(Math.abs(one! - other!) < 1e-4, `${one} and ${other}`);
  }
});
