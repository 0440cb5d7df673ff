import type { Test } from 'tap';
import { adamw } from '../../../src/backends/ops.ts';
import * as tf from '../../../src/backends/tf.ts';
import { adamwUpdate, averageUpdate, Sums, sumsOfSquares } from '../../../src/backends/updates.ts';
import { expectClose, expectNoTensorLeak, waves } from '../../kit/training/tensors.ts';
import { adamwStep, type Moving } from './references.ts';

const at = { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-8 };
const shapes = [[7], [1], [3, 33], [2, 3, 5, 1]];

/** What a training step does with all tensors at once, against float64 (1e-6 of a tensor's L2 norm). */
export async function testUpdates(t: Test): Promise<void> {
  await t.test('adamw, two steps of one parameter', (t) =>
    expectNoTensorLeak(t, () => {
      let state = [tensor(waves([7])), tf.zeros([7]), tf.zeros([7])] as [tf.Tensor, tf.Tensor, tf.Tensor];
      let expected = start([7], 0);
      for (const step of [1, 2]) {
        const g = waves([7], step);
        expected = adamwStep(expected, g.data, { ...at, weightDecay: 0.05, step });
        const gradient = tensor(g);
        const next = adamw(state[0], gradient, state[1], state[2], { ...at, weightDecay: 0.05, step });
        tf.dispose([...state, gradient]);
        state = next;
      }
      expectMoved(t, state, expected, 'parameter');
      tf.dispose(state);
    }),
  );

  await t.test('adamw of a whole model, five steps of scaled gradients, some parameters without decay', (t) =>
    expectNoTensorLeak(t, () => {
      const variables = (index?: number) =>
        shapes.map((shape, i) =>
          tf.tidy(() => tf.variable(index === undefined ? tf.zeros(shape) : tensor(waves(shape, index + i)))),
        );
      const [params, first, second] = [variables(0), variables(), variables()];
      const decays = shapes.map((_, i) => (i % 2 === 0 ? 0.05 : 0));
      let expected = shapes.map((shape, i) => start(shape, i));
      // A backend may have other ways for what it is asked again and again.
      for (const step of [1, 2, 3, 4, 5]) {
        const gradients = shapes.map((shape, i) => waves(shape, 10 * step + i));
        const given = gradients.map(tensor);
        const cleared = adamwUpdate(params, given, first, second, { ...at, step, scale: 0.25, decays });
        for (const [i, gradient] of given.entries()) {
          const left = cleared ? new Float64Array(gradient.size) : gradients[i]!.data;
          expectClose(
            t,
            gradient.dataSync(),
            left,
            0,
            cleared ? 'gradients are zero now' : 'gradients are as they were',
          );
        }
        tf.dispose(given);
        expected = expected.map((moving, i) =>
          adamwStep(
            moving,
            gradients[i]!.data.map((g) => g * 0.25),
            { ...at, weightDecay: decays[i]!, step },
          ),
        );
      }
      for (const [i, moving] of expected.entries())
        expectMoved(t, [params[i]!, first[i]!, second[i]!], moving, `parameter ${i}`);
      tf.dispose([...params, ...first, ...second]);
    }),
  );

  for (const decay of [0.9, 0.3, 0]) {
    await t.test(`averages come nearer to values five times, decay ${decay}`, (t) =>
      expectNoTensorLeak(t, () => {
        const averages = shapes.map((shape, i) => tf.tidy(() => tf.variable(tensor(waves(shape, i)))));
        const expected = shapes.map((shape, i) => Float64Array.from(waves(shape, i).data));
        for (const round of [1, 2, 3, 4, 5]) {
          const values = shapes.map((shape, i) => waves(shape, 10 * round + i));
          const given = values.map(tensor);
          averageUpdate(averages, given, decay);
          for (const [i, { data }] of values.entries())
            for (const [j, v] of data.entries()) expected[i]![j] = decay * expected[i]![j]! + (1 - decay) * v;
          if (decay === 0)
            for (const [i, x] of given.entries()) t.same(averages[i]!.dataSync(), x.dataSync(), 'bit for bit');
          tf.dispose(given);
        }
        for (const [i, x] of averages.entries()) expectClose(t, x.dataSync(), expected[i]!, 1e-5, `average ${i}`);
        tf.dispose(averages);
      }),
    );
  }

  await t.test('sums of tensors, and of their squares', (t) =>
    expectNoTensorLeak(t, () => {
      const sums = new Sums();
      const expected = shapes.map((shape) => new Float64Array(shape.reduce((a, b) => a * b, 1)));
      for (const round of [0, 1, 2]) {
        const added = shapes.map((shape, i) => waves(shape, 5 * round + i));
        sums.add(added.map(tensor));
        for (const [i, { data }] of added.entries()) {
          for (const [j, v] of data.entries()) expected[i]![j]! += v;
        }
      }
      for (const [i, sum] of sums.tensors.entries()) expectClose(t, sum.dataSync(), expected[i]!, 1e-6, `sum ${i}`);
      const squares = sumsOfSquares(sums.tensors);
      const ofSquares = expected.map((values) => values.reduce((total, v) => total + v * v, 0));
      expectClose(t, squares.dataSync(), ofSquares, 1e-6, 'sums of squares');
      sums.clear();
      sums.add(shapes.map((shape, i) => tensor(waves(shape, i))));
      for (const [i, sum] of sums.tensors.entries())
        expectClose(t, sum.dataSync(), waves(shapes[i]!, i).data, 0, `sum ${i} after it was cleared`);
      squares.dispose();
      sums.dispose();
    }),
  );
}

function tensor({ shape, data }: { shape: readonly number[]; data: Float64Array }): tf.Tensor {
  return tf.tensor(Float32Array.from(data), [...shape]);
}

function start(shape: readonly number[], index: number): Moving {
  const { data } = waves(shape, index);
  return { p: data, m: new Float64Array(data.length), v: new Float64Array(data.length) };
}

function expectMoved(t: Test, [p, m, v]: readonly tf.Tensor[], expected: Moving, what: string): void {
  expectClose(t, p!.dataSync(), expected.p, 1e-6, what);
  expectClose(t, m!.dataSync(), expected.m, 1e-6, `${what}: first moment`);
  expectClose(t, v!.dataSync(), expected.v, 1e-6, `${what}: second moment`);
}
