import t from 'tap';
import * as tf from '../../../../src/backends/tf.ts';
import { expectAgreement, wavy, whole, withGradients, withoutTorch } from '../../../kit/training/torch.ts';

const skip = { skip: withoutTorch };

// Not near the largest float: libtorch's vectorised log1p is infinite there.
const odd = () =>
  tf.tensor1d([NaN, Infinity, -Infinity, 0, -0, -1.5, -0.5, 0.5, 1.5, 2.5, -2.5, 1e-20, 1e30, -100, 100]);

const unary: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  abs: tf.abs,
  acos: tf.acos,
  acosh: tf.acosh,
  asin: tf.asin,
  asinh: tf.asinh,
  atan: tf.atan,
  atanh: tf.atanh,
  ceil: tf.ceil,
  cos: (x) => tf.cos(x.clipByValue(-50, 50)),
  cosh: tf.cosh,
  elu: tf.elu,
  erf: tf.erf,
  exp: tf.exp,
  expm1: tf.expm1,
  floor: tf.floor,
  isFinite: tf.tfjs.isFinite,
  isInf: tf.isInf,
  isNaN: tf.tfjs.isNaN,
  log: tf.log,
  log1p: tf.log1p,
  neg: tf.neg,
  onesLike: tf.onesLike,
  reciprocal: tf.reciprocal,
  relu: tf.relu,
  relu6: tf.relu6,
  round: tf.round,
  rsqrt: tf.rsqrt,
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  sign: tf.sign,
  sin: (x) => tf.sin(x.clipByValue(-50, 50)),
  sinh: tf.sinh,
  softplus: tf.softplus,
  sqrt: tf.sqrt,
  square: tf.square,
  step: (x) => tf.step(x, 0.3),
  tan: (x) => tf.tan(x.clipByValue(-1, 1)),
  tanh: tf.tanh,
  zerosLike: tf.zerosLike,
  leakyRelu: (x) => tf.leakyRelu(x, 0.3),
  prelu: (x) => tf.prelu(x, tf.scalar(0.4)),
  clipByValue: (x) => tf.clipByValue(x, -1, 2),
  cast: (x) => tf.cast(x, 'int32'),
  'cast to bool': (x) => tf.cast(x, 'bool'),
};

t.test('functions of one tensor: values, dtypes, what is no number, nothing', skip, async (t) => {
  for (const [name, f] of Object.entries(unary)) {
    await expectAgreement(t, `${name} of waves`, () => f(wavy([3, 5])), 1e-5);
    await expectAgreement(t, `${name} at odd places`, () => f(name === 'erf' ? odd().slice(3) : odd()), 1e-5);
    await expectAgreement(t, `${name} of nothing`, () => f(tf.zeros([0, 3])));
    await expectAgreement(t, `${name} of a scalar`, () => f(tf.scalar(0.7)), 1e-5);
  }
});

// More than a vector of it, and than one thread takes.
t.test('step, the gradient of relu, over many numbers', skip, async (t) => {
  for (const count of [16, 17, 63, 40_001])
    await expectAgreement(t, `${count}`, () => tf.step(tf.concat([odd(), wavy([count - 15])]), 0.3));
});

// tfjs refuses these on integers itself.
const refused = 'ceil cos cosh elu erf floor log rsqrt sigmoid sin sqrt tan tanh'.split(' ');

t.test('functions of one tensor on integers', skip, async (t) => {
  const names = Object.keys(unary).filter((name) => !['acosh', 'atanh', ...refused].includes(name));
  for (const name of names) await expectAgreement(t, name, () => unary[name]!(whole([4, 4])), 1e-5);
  await expectAgreement(t, 'not', () => tf.logicalNot(tf.tensor1d([true, false])));
});

t.test('their gradients', skip, async (t) => {
  const names =
    'abs asin asinh atan cos cosh elu erf exp expm1 log1p relu relu6 selu sigmoid sin sinh softplus square tan tanh leakyRelu';
  for (const name of names.split(' ')) {
    await expectAgreement(
      t,
      name,
      withGradients(unary[name]!, () => wavy([3, 5]).mul(0.9)),
      1e-5,
    );
  }
  const positive = () => wavy([3, 5]).square().add(0.1);
  for (const name of ['sqrt', 'rsqrt', 'log', 'reciprocal']) {
    await expectAgreement(t, name, withGradients(unary[name]!, positive), 1e-4);
  }
  await expectAgreement(
    t,
    'prelu',
    withGradients(
      (x, a) => tf.prelu(x!, a!),
      () => wavy([3, 5]),
      () => wavy([5], 1),
    ),
    1e-5,
  );
});

const binary: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  divNoNan: tf.divNoNan,
  floorDiv: tf.floorDiv,
  mod: tf.mod,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
  atan2: tf.atan2,
  equal: tf.equal,
  notEqual: tf.notEqual,
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
};

const pairs: Record<string, () => [tf.Tensor, tf.Tensor]> = {
  'of one shape': () => [wavy([3, 5]), wavy([3, 5], 1)],
  'a row': () => [wavy([3, 5]), wavy([5], 1)],
  'both broadcast': () => [wavy([3, 1, 5]), wavy([4, 1], 1)],
  'a scalar': () => [wavy([2, 3]), tf.scalar(0.5)],
  'of rank 6': () => [wavy([2, 1, 2, 1, 2, 3]), wavy([1, 2, 1, 2, 1, 3], 1)],
  'of nothing': () => [tf.zeros([0, 3]), wavy([3])],
  'no numbers': () => [tf.tensor1d([NaN, 1, NaN, Infinity, 1]), tf.tensor1d([1, NaN, NaN, -Infinity, 0])],
  integers: () => [whole([3, 5]), whole([3, 5], 4, 2).add(tf.scalar(11, 'int32'))],
  'integers by zero': () => [tf.tensor1d([-7, 7, 0], 'int32'), tf.tensor1d([0, 0, 0], 'int32')],
  'negative integers': () => [tf.tensor1d([-7, 7, -7], 'int32'), tf.tensor1d([2, -2, -2], 'int32')],
  'integers and floats': () => [whole([3, 5]), wavy([3, 5], 1)],
};

t.test('functions of two tensors', skip, async (t) => {
  for (const [name, f] of Object.entries(binary)) {
    for (const [which, make] of Object.entries(pairs)) {
      await expectAgreement(t, `${name}, ${which}`, () => f(...make()), 1e-5);
    }
  }
  await expectAgreement(t, 'pow', () => tf.pow(wavy([3, 5]).abs(), wavy([3, 5], 1)), 1e-5);
  await expectAgreement(t, 'pow of integers', () => tf.pow(whole([3, 5]), tf.scalar(3, 'int32')));
  const bools = () => [tf.tensor1d([true, true, false]), tf.tensor1d([true, false, false])] as [tf.Tensor, tf.Tensor];
  for (const f of [tf.logicalAnd, tf.logicalOr, tf.logicalXor, tf.equal])
    await expectAgreement(t, f.name, () => f(...bools()));
});

t.test('their gradients, broadcast', skip, async (t) => {
  // These are not broadcast by tfjs.
  for (const name of ['maximum', 'minimum', 'squaredDifference']) {
    const f = withGradients(
      (a, b) => binary[name]!(a!, b!),
      () => wavy([3, 5]),
      () => wavy([3, 5], 1),
    );
    await expectAgreement(t, name, f, 1e-5);
  }
  for (const name of ['add', 'sub', 'mul', 'div', 'atan2', 'mod']) {
    const f = withGradients(
      (a, b) => binary[name]!(a!, b!),
      () => wavy([3, 1, 5]),
      () => wavy([4, 1], 1).add(2),
    );
    await expectAgreement(t, name, f, 1e-5);
  }
  const power = withGradients(
    (a, b) => tf.pow(a!, b!),
    () => wavy([3, 5]).square().add(0.1),
    () => wavy([5], 1),
  );
  await expectAgreement(t, 'pow', power, 1e-5);
});

t.test('choices, sums of many, normalisation, constants', skip, async (t) => {
  await expectAgreement(t, 'where', () => tf.where(wavy([3, 5]).greater(0), wavy([3, 5], 1), tf.zeros([3, 5])));
  await expectAgreement(t, 'where, broadcast', () =>
    tf.where(tf.tensor1d([true, false, true]), wavy([3]), tf.scalar(1)),
  );
  await expectAgreement(
    t,
    'the gradient of where',
    withGradients(
      (a, b) => tf.where(wavy([3, 5], 2).greater(0), a!, b!),
      () => wavy([3, 5]),
      () => wavy([3, 5], 1),
    ),
  );
  await expectAgreement(t, 'addN', () => tf.addN([wavy([3, 5]), wavy([3, 5], 1), wavy([3, 5], 2)]));
  const normalise = (x: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor) =>
    tf.batchNorm(
      x as tf.Tensor4D,
      tf.tensor1d([0.1, 0.2]),
      tf.tensor1d([0.5, 2]),
      offset as tf.Tensor1D,
      scale as tf.Tensor1D,
      1e-3,
    );
  await expectAgreement(
    t,
    'batchNorm',
    withGradients(
      (x, o, s) => normalise(x!, o!, s!),
      () => wavy([2, 3, 3, 2]),
      () => wavy([2], 1),
      () => wavy([2], 2),
    ),
    1e-5,
  );
  await expectAgreement(t, 'batchNorm alone', () =>
    tf.batchNorm(wavy([4, 2]) as tf.Tensor2D, tf.tensor1d([0, 1]), tf.tensor1d([1, 2])),
  );
  await expectAgreement(t, 'fill', () => [tf.fill([2, 3], 4), tf.fill([2], 1, 'int32'), tf.fill([0], 1)]);
  await expectAgreement(t, 'range', () => [
    tf.range(0, 5),
    tf.range(5, 0, -2),
    tf.range(0, 10, 3, 'int32'),
    tf.range(3, 3),
  ]);
  await expectAgreement(t, 'linspace', () => [tf.linspace(0, 1, 7), tf.linspace(2, 2, 1)]);
  await expectAgreement(t, 'dtypes of zeros', () => [
    tf.zeros([2], 'bool'),
    tf.onesLike(whole([2])),
    tf.zerosLike(tf.tensor1d([true])),
  ]);
});
