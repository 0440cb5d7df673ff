import * as tf from '../../../src/backends/tf.ts';

/** What users may write models with, on pictures [N, 8, 6, 3] of values 0–255 and a parameter [3] of numbers between 0 and 1. */
export type Operation = (x: tf.Tensor4D, parameter: tf.Tensor1D) => tf.Tensor;

/** Numbers from −1 to 1. */
const unit = (x: tf.Tensor) => x.div(127.5).sub(1);
/** Numbers from 0.1 to 1.1. */
const above = (x: tf.Tensor) => x.div(255).add(0.1);
/** Whole numbers, of both signs. */
const below = (x: tf.Tensor) => x.toInt().sub(tf.scalar(99, 'int32'));
const flat = (x: tf.Tensor) => x.reshape([x.shape[0]!, -1]);
const filter = (...shape: [number, number, number, number]) =>
  tf.tensor4d(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.cos(i * 1.3) / 4),
    shape,
  );

const unary = [
  ...[
    'abs',
    'ceil',
    'cos',
    'elu',
    'erf',
    'exp',
    'expm1',
    'floor',
    'neg',
    'relu',
    'relu6',
    'round',
    'selu',
    'sigmoid',
    'sign',
    'sin',
  ],
  ...[
    'sinh',
    'cosh',
    'softplus',
    'square',
    'step',
    'tan',
    'tanh',
    'atan',
    'asinh',
    'leakyRelu',
    'isNaN',
    'zerosLike',
    'onesLike',
  ],
] as const;
const ofPositive = ['log', 'log1p', 'reciprocal', 'rsqrt', 'sqrt'] as const;
const binary = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'squaredDifference'] as const;
const comparisons = ['equal', 'notEqual', 'greater', 'greaterEqual', 'less', 'lessEqual'] as const;
const reductions = ['sum', 'mean', 'max', 'min', 'prod', 'argMax', 'argMin', 'logSumExp'] as const;

type Named = Record<string, (...args: readonly unknown[]) => tf.Tensor>;
const call = (x: tf.Tensor, name: string, ...args: readonly unknown[]) => (x as unknown as Named)[name]!(...args);

export const operations: Readonly<Record<string, Operation>> = {
  ...Object.fromEntries(unary.map((name) => [name, (x) => call(unit(x), name).toFloat()])),
  ...Object.fromEntries(ofPositive.map((name) => [name, (x) => call(above(x), name)])),
  ...Object.fromEntries(binary.map((name) => [name, (x, parameter) => call(unit(x), name, parameter.add(1))])),
  ...Object.fromEntries(comparisons.map((name) => [name, (x) => call(x, name, x.reverse(2)).toFloat()])),
  ...Object.fromEntries(reductions.map((name) => [name, (x) => call(above(x), name, -1).toFloat()])),
  pow: (x, parameter) => above(x).pow(parameter.add(1)),
  logical: (x) => x.greater(9).logicalAnd(x.less(99)).logicalOr(x.equal(200)).logicalNot().toFloat(),
  all: (x) =>
    tf
      .all(x.greater(4), [1, 2])
      .toFloat()
      .add(tf.any(x.greater(250), [1, 2]).toFloat()),
  keepDims: (x) =>
    unit(x)
      .sub(unit(x).mean([1, 2], true))
      .div(unit(x).max(3, true).add(2)),
  wholes: (x) => x.toInt().add(tf.scalar(3, 'int32')).mul(tf.scalar(2, 'int32')),
  where: (x) => tf.where(x.greater(99), unit(x), tf.zerosLike(x)),
  clip: (x) => unit(x).clipByValue(-0.5, 0.25),
  prelu: (x, parameter) => tf.prelu(unit(x), parameter),
  softmax: (x) => tf.softmax(unit(x)),
  logSoftmax: (x) => tf.logSoftmax(unit(x)),
  addN: (x, parameter) => tf.addN([unit(x), tf.sin(x), tf.zerosLike(x).add(parameter)]),
  parameterAlone: (x, parameter) => unit(x).mul(parameter.reshape([3]).transpose().clone()),
  spread: (x, parameter) => tf.zeros([x.shape[0], 2, 3]).add(parameter),
  tokens: (x) => tf.concat([tf.ones([x.shape[0], 1, 6, 3]), unit(x)], 1),
  stack: (x) => tf.stack(tf.unstack(unit(x), 1).slice(2, 5), -1),
  split: (x) => tf.concat(tf.split(unit(x), [1, 3, 2], 2).reverse(), 2),
  slice: (x) => unit(x).slice([0, 2, 1, 0], [-1, 3, -1, 2]),
  stridedSlice: (x) => unit(x).stridedSlice([0, 1, 0, 0], [x.shape[0], 7, 6, 3], [1, 2, 3, 1]),
  lastRow: (x) => tf.stridedSlice(unit(x), [0, 3], [0, 4], [1, 1], 1, 1, 0, 0, 2),
  reverse: (x) => unit(x).reverse([1, 2]),
  pad: (x) =>
    unit(x).pad(
      [
        [0, 0],
        [1, 2],
        [0, 1],
        [0, 0],
      ],
      0.5,
    ),
  mirrorPad: (x) =>
    tf.mirrorPad(
      unit(x),
      [
        [0, 0],
        [1, 2],
        [2, 1],
        [0, 0],
      ],
      'reflect',
    ),
  tile: (x) => unit(x).tile([1, 2, 1, 3]),
  broadcast: (x) => unit(x).mean([1, 2], true).broadcastTo(x.shape),
  heads: (x) => unit(x).reshape([x.shape[0], 8, 6, 3]).transpose([2, 0, 1, 3]).reshape([-1, 8, 3]),
  offsets: (x) =>
    unit(x)
      .reshape([x.shape[0] * 8, 18])
      .slice([x.shape[0] * 2, 0], [x.shape[0], 18]),
  gather: (x) => tf.gather(unit(x), tf.tensor1d([2, 0, 2], 'int32'), 1),
  oneHot: (x) => tf.oneHot(flat(x).argMax(-1).toInt(), 144, 2, -1).toFloat(),
  matMul: (x, parameter) =>
    tf.matMul(flat(unit(x)), tf.outerProduct(tf.range(0, 144).div(144) as tf.Tensor1D, parameter)),
  batchMatMul: (x) => tf.matMul(unit(x), unit(x), true, false),
  turnedMatMul: (x) => tf.matMul(unit(x), unit(x), false, true),
  fusedMatMul: (x, parameter) =>
    tf.fused.matMul({
      a: flat(unit(x)) as tf.Tensor2D,
      b: filter(1, 1, 144, 3).reshape([144, 3]) as tf.Tensor2D,
      bias: parameter,
      activation: 'relu',
    }),
  einsum: (x) => tf.einsum('nhwc,nhwd->ncd', unit(x), unit(x)),
  conv2d: (x) => tf.conv2d(unit(x) as tf.Tensor4D, filter(3, 3, 3, 4), 2, 'same'),
  dilated: (x) => tf.conv2d(unit(x) as tf.Tensor4D, filter(3, 2, 3, 4), 1, 'valid', 'NHWC', [2, 2]),
  depthwise: (x) => tf.depthwiseConv2d(unit(x) as tf.Tensor4D, filter(3, 3, 3, 2), 1, 'same'),
  fusedConv2d: (x, parameter) =>
    tf.fused.conv2d({
      x: unit(x) as tf.Tensor4D,
      filter: filter(3, 3, 3, 3),
      strides: 1,
      pad: 1,
      bias: parameter,
      activation: 'elu',
    }),
  conv2dTranspose: (x) =>
    tf.conv2dTranspose(unit(x) as tf.Tensor4D, filter(4, 3, 2, 3), [x.shape[0], 16, 12, 2], 2, 'same'),
  maxPool: (x) => tf.maxPool(unit(x) as tf.Tensor4D, 3, 2, 'same'),
  avgPool: (x) => tf.avgPool(unit(x) as tf.Tensor4D, [2, 3], 1, 'same'),
  batchNorm: (x, parameter) =>
    tf.batchNorm(unit(x), parameter, parameter.add(0.5), parameter.sub(1), parameter.add(2), 1e-3),
  resizeBilinear: (x) => tf.image.resizeBilinear(unit(x) as tf.Tensor4D, [5, 9]),
  resizeHalfPixel: (x) => tf.image.resizeBilinear(unit(x) as tf.Tensor4D, [12, 9], false, true),
  resizeCorners: (x) => tf.image.resizeBilinear(unit(x) as tf.Tensor4D, [5, 11], true),
  resizeNearest: (x) => tf.image.resizeNearestNeighbor(unit(x) as tf.Tensor4D, [16, 9]),
  resizeNearestHalfPixel: (x) => tf.image.resizeNearestNeighbor(unit(x) as tf.Tensor4D, [5, 9], false, true),
  resizeNearestCorners: (x) => tf.image.resizeNearestNeighbor(unit(x) as tf.Tensor4D, [5, 11], true),
  resizeWholes: (x) =>
    tf.image
      .resizeNearestNeighbor(x.toInt() as tf.Tensor4D, [5, 9])
      .toFloat()
      .add(tf.image.resizeBilinear(x.toInt() as tf.Tensor4D, [5, 9])),
  leakyWholes: (x, parameter) => tf.leakyRelu(below(x)).add(tf.prelu(below(x), parameter)),
  reducedWholes: (x) => below(x).max(1).add(below(x).sum(1)).toFloat().add(below(x).mean(1)),
  elementsOfWholes: (x) =>
    tf
      .addN([below(x).relu(), below(x).abs(), below(x).neg(), below(x).square(), tf.relu6(below(x)), tf.sign(below(x))])
      .toFloat(),
  reducedTruths: (x) =>
    x.greater(99).max(1).toFloat().add(x.greater(9).min(1).toFloat()).add(x.greater(99).sum(1)).add(x.less(9).mean(1)),
  chosenTruths: (x) => tf.where(x.greater(9), x.less(99), x.less(44)).toFloat(),
  movedTruths: (x) =>
    tf
      .concat([x.greater(99).slice([0, 1], [-1, 3]), x.less(9).reverse(1)], 1)
      .pad(
        [
          [0, 0],
          [1, 0],
          [0, 0],
          [0, 1],
        ],
        1,
      )
      .transpose([0, 2, 1, 3])
      .tile([1, 1, 2, 1])
      .toFloat(),
  depthToSpace: (x) => tf.depthToSpace(unit(x).tile([1, 1, 1, 4]) as tf.Tensor4D, 2, 'NHWC'),
};
