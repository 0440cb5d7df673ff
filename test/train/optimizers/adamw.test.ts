import t from 'tap';
import { gradients } from '../../../src/backends/gradients.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { expectClose, expectNoTensorLeak } from '../../kit/training/tensors.ts';

await prepareWasm();

const variable = (values: number[]) => tf.tidy(() => tf.variable(tf.tensor1d(values)));

t.test('a first step moves by the rate, against the gradient, and decays what decays', async (t) => {
  await expectNoTensorLeak(t, () => {
    const params = { weight: variable([1, -2, 4]), bias: variable([1, -2, 4]) };
    const optimizer = adamw((name) => name === 'weight', { weightDecay: 0.5 });
    const state = optimizer.init(params);
    const gradient = tf.tensor1d([3, -0.001, 70]);
    optimizer.update(params, [gradient, gradient], state, { lr: 0.1 });
    expectClose(t, params.bias.dataSync(), [0.9, -1.9, 3.9], 1e-6, 'bias');
    expectClose(t, params.weight.dataSync(), [0.9 - 0.05, -1.9 + 0.1, 3.9 - 0.2], 1e-6, 'weight');
    t.equal(state.step, 1);
    tf.dispose([params, gradient] as tf.TensorContainer);
    disposeState(state);
  });
});

t.test('scale multiplies the gradient', (t) => {
  const [a, b] = [{ w: variable([1, 2]) }, { w: variable([1, 2]) }];
  const optimizer = adamw(() => true);
  const [stateA, stateB] = [optimizer.init(a), optimizer.init(b)];
  for (let step = 0; step < 3; step++) {
    const gradient = tf.tensor1d([step + 1, -4 * step]);
    const half = gradient.mul(0.5);
    optimizer.update(a, [gradient], stateA, { lr: 0.1, scale: 0.5 });
    optimizer.update(b, [half], stateB, { lr: 0.1 });
    tf.dispose([gradient, half]);
  }
  t.same([...a.w.dataSync()], [...b.w.dataSync()]);
  tf.dispose([a, b] as tf.TensorContainer);
  disposeState(stateA);
  disposeState(stateB);
  t.end();
});

t.test('it finds the least of a bowl', async (t) => {
  await expectNoTensorLeak(t, () => {
    const params = { x: variable([5, -3]) };
    const optimizer = adamw(() => false);
    const state = optimizer.init(params);
    for (let step = 0; step < 200; step++) {
      const { value, gradients: found } = gradients(() => params.x.sub([1, 2]).square().sum(), params);
      optimizer.update(params, Object.values(found), state, { lr: 0.2 * (1 - step / 200) });
      tf.dispose([value, found] as tf.TensorContainer);
    }
    expectClose(t, params.x.dataSync(), [1, 2], 1e-2);
    tf.dispose(params);
    disposeState(state);
  });
});

t.test('gradients have the record’s names, and zeros where nothing depends', (t) => {
  const params = { used: variable([2]), idle: variable([1, 1]) };
  const { value, gradients: found } = gradients(() => params.used.square().sum(), params);
  t.equal(value.dataSync()[0], 4);
  t.same([...found.used.dataSync()], [4]);
  t.same([...found.idle.dataSync()], [0, 0]);
  tf.dispose([value, found, params] as tf.TensorContainer);
  t.end();
});
