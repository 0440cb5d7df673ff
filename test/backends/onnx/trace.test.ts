import t from 'tap';
import { graphOf } from '../../../src/backends/onnx/graph.ts';
import { Trace, withTrace } from '../../../src/backends/onnx/trace.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { type Operation, operations } from '../../kit/exported/operations.ts';
import { expectNoTensorLeak } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));
const parameter = tf.variable(tf.tensor1d([0.1, 0.5, 0.9]));

/** The graph of an operation. */
async function traced(operation: Operation) {
  const trace = new Trace({ 'layer.weight': parameter });
  const [first, second] = withTrace(trace, () =>
    [3, 5].map((count) => trace.record([count, 8, 6, 3], (x) => operation(x as tf.Tensor4D, parameter as tf.Tensor1D))),
  );
  return graphOf([first!, second!], 'picture', 'answer');
}

t.test('operations of models have the shapes and types that tfjs gives them', async (t) => {
  // tfjs-cpu has all of them for all types.
  await tf.setBackend('cpu');
  await expectNoTensorLeak(t, async () => {
    for (const [name, operation] of Object.entries(operations)) {
      const { answer } = await traced(operation);
      const [shapes, type] = tf.tidy(() => {
        const made = [3, 5].map((count) => operation(tf.ones([count, 8, 6, 3]), parameter as tf.Tensor1D));
        return [made.map(({ shape }) => shape), made[0]!.dtype];
      });
      const expected = shapes[0]!.map((side, axis) => {
        if (side === shapes[1]![axis]) return side;
        return side === 3 ? 'N' : `${side / 3}*N`;
      });
      t.same([answer.type, answer.shape], [type, expected], name);
    }
  });
  t.equal(tf.getBackend(), 'cpu', 'the backend before is back');
  await tf.setBackend('wasm');
});

t.test('what hangs on no picture is computed once, and what nobody reads is left out', async (t) => {
  const { nodes, constants, parameters } = await traced((x) => {
    x.mul(77);
    return x.add(tf.range(0, 3).square().add(1).sum());
  });
  t.same(
    nodes.map(({ operator }) => operator),
    ['Cast', 'Add', 'Identity'],
  );
  t.same(
    constants.map(({ name, bytes }) => [name, new Float32Array(bytes.buffer)[0]]),
    [['float32/8', 8]],
  );
  t.same(parameters, []);
});

t.test('what a model has made for itself before is a constant, by each of its shapes', async (t) => {
  const own = tf.tensor1d([1, 2, 3, 4, 5, 6]);
  const turned = own.reshape([6, 1]) as tf.Tensor2D;
  const { constants, answer } = await traced((x) => x.add(turned).mean([1, 3]).mul(own).mul(own.dataSync()[1]!));
  const found = constants.map(({ shape, bytes }) => [shape, [...new Float32Array(bytes.slice().buffer)]]);
  t.same(found.slice(0, 2), [
    [
      [6, 1],
      [1, 2, 3, 4, 5, 6],
    ],
    [[6], [1, 2, 3, 4, 5, 6]],
  ]);
  t.same(found.at(-1), [[], [2]]);
  t.same(answer.shape, ['N', 6]);
  tf.dispose([own, turned]);
});

t.test('what is computed twice alike is computed once', async (t) => {
  const { nodes } = await traced((x, weight) => {
    const zeros = () => tf.zeros([x.shape[0]!, 1, 6, 3]).add(weight);
    return tf.concat([zeros(), x.mul(weight), x.mul(weight), zeros()], 1);
  });
  t.same(nodes.map(({ operator }) => operator).sort(), [
    'Cast',
    'Concat',
    'Concat',
    'Expand',
    'Identity',
    'Mul',
    'Shape',
  ]);
});

t.test('names follow the parameters, and none is there twice', async (t) => {
  const { nodes, parameters } = await traced((x, weight) => x.mul(weight).relu().add(weight));
  t.same(
    nodes.map(({ name }) => name),
    ['picture/Cast', 'layer/Mul', 'Relu', 'layer/Add', 'answer'],
  );
  t.same(parameters, ['layer.weight']);
});

t.test('what cannot be written for any number of pictures is refused by its name', async (t) => {
  const refused = (operation: Operation, code: string, ...parts: RegExp[]) =>
    t.rejects(traced(operation), { code, message: new RegExp(parts.map(({ source }) => source).join('.*')) });
  await refused((x) => x.div(x.shape[0]), 'ONNX_BATCH', /RealDiv/);
  await refused((x) => tf.unstack(x).reduce((sum, one) => sum.add(one)), 'ONNX_BATCH');
  await refused((x) => x.reshape([-1]).slice(0, x.shape[0] + 1), 'ONNX_BATCH');
  await refused((x) => x.add(tf.range(0, x.shape[0]).reshape([-1, 1, 1, 1])), 'ONNX_BATCH', /Add/);
  await refused((x) => tf.topk(x).values, 'ONNX_OPERATION', /TopK in picture/, /no translation/);
  await refused((x, weight) => tf.topk(x.mul(weight)).values, 'ONNX_OPERATION', /TopK: /);
  await refused((x) => tf.maxPool(x, 3, 2, 0, 'ceil'), 'ONNX_OPERATION', /MaxPool in picture/, /not rounded down/);
  await refused((x) => x.mul(x.mean().dataSync()[0]!), 'ONNX_OPERATION', /data\(\)/);
  t.equal(tf.getBackend(), 'wasm');
});
