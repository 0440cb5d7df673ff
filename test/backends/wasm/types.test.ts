import t from 'tap';
import { type Tensor, type Tensor4D, tfjs as tf } from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { messageOf } from '../../../src/errors.ts';

await prepareWasm((message) => t.comment(message));

type Maker = (values: readonly number[], shape?: readonly number[]) => Tensor;
const makers: Readonly<Record<string, Maker>> = {
  bool: (values, shape = [4, 6]) =>
    tf.tensor(
      Array.from(values, (value) => value % 3 === 0),
      [...shape],
      'bool',
    ),
  int32: (values, shape = [4, 6]) => tf.tensor([...values], [...shape], 'int32'),
  float32: (values, shape = [4, 6]) =>
    tf.tensor(
      Array.from(values, (value) => value / 4),
      [...shape],
    ),
};
const numbers = Array.from({ length: 24 }, (_, i) => ((i * 7) % 24) - 5);
const others = numbers.map((value, i) => (i % 2 === 0 ? value : value + 1));

const bools = (...values: boolean[]) => tf.tensor1d(values, 'bool');
const places = (values: readonly number[], shape = [values.length]) => tf.tensor([...values], shape, 'int32');
const cast = (x: Tensor, dtype: 'bool' | 'int32' | 'float32') => tf.cast(x, dtype);
const pixels = (x: Tensor) => tf.reshape(x, [1, 4, 6, 1]) as Tensor4D;

/** Operations that take tensors of any type, and whatever moves values without looking at them. */
const operations: Readonly<Record<string, (x: Tensor, y: Tensor) => Tensor>> = {
  'reverse of both axes': (x) => tf.reverse(x, [0, 1]),
  'reverse of one': (x) => tf.reverse(x, 1),
  where: (x, y) => tf.where(tf.greater(cast(y, 'int32'), 3), x, y),
  'where by rows': (x, y) => tf.where(tf.reshape(bools(true, false, true, true), [4, 1]), x, y),
  'where of two types': (x, y) => tf.where(tf.greater(cast(y, 'int32'), 3), x, cast(y, 'float32')),
  'slice of rows': (x) => tf.slice(x, [1, 0], [2, 6]),
  slice: (x) => tf.slice(x, [1, 1], [2, 3]),
  'strided slice': (x) => tf.stridedSlice(x, [0, 0], [4, 6], [2, 2]),
  'strided slice backwards': (x) => tf.stridedSlice(x, [3, 5], [0, 0], [-1, -2]),
  concat: (x, y) => tf.concat([x, y], 1),
  pad: (x) =>
    tf.pad(x, [
      [1, 1],
      [2, 0],
    ]),
  'mirror pad': (x) =>
    tf.mirrorPad(
      x,
      [
        [1, 1],
        [2, 1],
      ],
      'reflect',
    ),
  tile: (x) => tf.tile(x, [2, 2]),
  transpose: (x) => tf.transpose(x),
  'transpose of five axes': (x) => tf.transpose(tf.reshape(x, [2, 2, 1, 3, 2]), [4, 0, 3, 2, 1]),
  gather: (x) => tf.gather(x, places([5, 0]), 1),
  'gather by groups': (x) => tf.gather(x, places([0, 1, 1, 2, 3, 3, 0, 5], [4, 2]), 1, 1),
  gatherND: (x) => tf.gatherND(x, places([0, 1, 3, 5], [2, 2])),
  scatterND: (x) => tf.scatterND(places([2, 0], [2, 1]), tf.slice(x, [0, 0], [2, 6]), [5, 6]),
  'scatter into one': (x) => tf.tensorScatterUpdate(x, places([2, 0], [2, 1]), tf.slice(x, [0, 0], [2, 6])),
  stack: (x, y) => tf.stack([x, y], 1),
  unstack: (x) => tf.stack(tf.unstack(x, 1)),
  split: (x) => tf.concat(tf.split(x, 2, 1), 0),
  'broadcast to rows': (x) => tf.broadcastTo(tf.slice(x, [0, 0], [1, 6]), [3, 6]),
  'space to batch': (x) =>
    tf.spaceToBatchND(
      pixels(x),
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  'depth to space': (x) => tf.depthToSpace(tf.reshape(x, [1, 2, 3, 4]) as Tensor4D, 2),
  mirror: (x) => tf.image.flipLeftRight(pixels(x)),
  'largest three': (x) => tf.topk(x, 3).values,
  unique: (x) => tf.unique(tf.reshape(x, [24])).values,
  'to float32': (x) => cast(x, 'float32'),
  'to int32': (x) => cast(x, 'int32'),
  'to bool': (x) => cast(x, 'bool'),
  and: (x, y) => tf.logicalAnd(cast(x, 'bool'), cast(y, 'bool')),
  or: (x, y) => tf.logicalOr(cast(x, 'bool'), cast(y, 'bool')),
  xor: (x, y) => tf.logicalXor(cast(x, 'bool'), cast(y, 'bool')),
  not: (x) => tf.logicalNot(cast(x, 'bool')),
  any: (x) => tf.any(cast(x, 'bool'), 1),
  all: (x) => tf.all(cast(x, 'bool'), 0),
  equal: (x, y) => tf.equal(x, y),
  greater: (x, y) => tf.greater(x, y),
  lessEqual: (x, y) => tf.lessEqual(x, y),
  sum: (x) => tf.sum(x, 1),
  mean: (x) => tf.mean(x, 1),
  max: (x) => tf.max(x, 1),
  argMax: (x) => tf.argMax(x, 1),
  cumsum: (x) => tf.cumsum(x, 1),
  multiply: (x, y) => tf.mul(x, y),
  maximum: (x, y) => tf.maximum(x, y),
  mod: (x) => tf.mod(x, tf.onesLike(x)),
  abs: (x) => tf.abs(x),
  negative: (x) => tf.neg(x),
  square: (x) => tf.square(x),
  sign: (x) => tf.sign(x),
  relu: (x) => tf.relu(x),
  relu6: (x) => tf.relu6(x),
  'leaky relu': (x) => tf.leakyRelu(x),
  step: (x) => tf.step(x),
  clip: (x) => tf.clipByValue(x, 0, 1),
  exp: (x) => tf.exp(x),
  log1p: (x) => tf.log1p(tf.abs(x)),
  asinh: (x) => tf.asinh(x),
  acosh: (x) => tf.acosh(tf.add(tf.abs(cast(x, 'int32')), 1)),
  reciprocal: (x) => tf.reciprocal(tf.onesLike(x)),
  round: (x) => tf.round(x),
  softplus: (x) => tf.softplus(x),
  tanh: (x) => tf.tanh(x),
  isNaN: (x) => tf.isNaN(x),
  isInf: (x) => tf.isInf(x),
  isFinite: (x) => tf.isFinite(x),
};

t.test('whatever the type, operations answer as on tfjs’ cpu backend', async (t) => {
  const answer = async (backend: string, work: () => Tensor) => {
    await tf.setBackend(backend);
    let made: Tensor;
    try {
      made = tf.tidy(work);
    } catch (error) {
      // Of a type that tfjs itself does not take.
      return { dtype: messageOf(error), shape: [], values: [] };
    }
    const values = Array.from(made.dataSync());
    const { dtype, shape } = made;
    made.dispose();
    return { dtype, shape, values };
  };
  for (const [type, make] of Object.entries(makers)) {
    for (const [name, work] of Object.entries(operations)) {
      const own = () => work(make(numbers), make(others));
      const expected = await answer('cpu', own);
      const found = await answer('wasm', own);
      t.same([found.dtype, found.shape], [expected.dtype, expected.shape], `${name} of ${type}`);
      const far = found.values.map((value, i) => Math.abs(value - expected.values[i]!));
      t.ok(
        far.every((one) => one < 1e-5),
        `${name} of ${type}: ${found.values.join(' ')}`,
      );
    }
  }
  await tf.setBackend('wasm');
});

t.test(
  'truth values in their thousands, again and again: nothing beyond the ends of tensors is read or written',
  (t) => {
    const many = Array.from({ length: 4000 }, (_, i) => i);
    const neighbour = tf.tensor1d(many);
    const before = neighbour.dataSync().slice();
    for (let i = 0; i < 300; i++) {
      tf.tidy(() => {
        const x = makers.bool!(many, [40, 100]);
        const back = tf.reverse(tf.reverse(x, 1), 1);
        const same = tf.where(x, back, tf.zerosLike(x));
        const groups = tf.gather(x, places(Array(40).fill(i % 100), [40, 1]), 1, 1);
        if (tf.sum(tf.notEqual(same, x)).dataSync()[0] !== 0) t.fail(`turn ${i}: other values`);
        if (tf.sum(tf.notEqual(groups, tf.slice(x, [0, i % 100], [40, 1]))).dataSync()[0] !== 0)
          t.fail(`turn ${i}: groups`);
      });
    }
    t.ok(
      Buffer.from(neighbour.dataSync().buffer).equals(Buffer.from(before.buffer)),
      'what lies beside them is as it was',
    );
    neighbour.dispose();
    t.end();
  },
);
