import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { makeOptimizer } from '../../../src/train/optimizers/make.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import {
  numbersPerParameter,
  optimizerNames,
  optimizerOptions,
  ratesOf,
} from '../../../src/train/optimizers/options.ts';
import { expectClose, expectNoTensorLeak } from '../../kit/training/tensors.ts';

await prepareWasm();

const named = (name: string, options: object = { lr: 1e-3 }) => optimizerOptions.parse({ [name]: options });
const variable = (values: number[]) => tf.tidy(() => tf.variable(tf.tensor1d(values)));

t.test('moments by their names in files, and the numbers that are kept of each parameter', (t) => {
  const moments = { adamw: ['exp_avg', 'exp_avg_sq'], lars: ['momentum_buffer'], lion: ['exp_avg'] };
  for (const name of optimizerNames) {
    const params = { weight: variable([1, 2]), bias: variable([3]) };
    const state = makeOptimizer(named(name), () => true).init(params);
    const expected = name === 'lamb' ? moments.adamw : moments[name];
    t.same(Object.keys(state.moments), expected);
    for (const one of Object.values(state.moments)) t.same(Object.keys(one), ['weight', 'bias']);
    t.equal(numbersPerParameter({ optimizer: named(name) }), 2 + expected.length);
    t.equal(numbersPerParameter({ optimizer: named(name), ema: {} }), 3 + expected.length);
    disposeState(state);
    tf.dispose(params);
  }
  t.end();
});

t.test('rates as they are written, and AdamW where nothing is', (t) => {
  t.match(ratesOf(named('lamb', { baseLr: 2 })), { baseLr: 2 });
  t.match(ratesOf({}), { baseLr: 1.5e-4 });
  const params = { weight: variable([1, 2]) };
  const state = makeOptimizer({}, () => true).init(params);
  t.same(Object.keys(state.moments), ['exp_avg', 'exp_avg_sq']);
  disposeState(state);
  tf.dispose(params);
  t.end();
});

t.test('a parameter or a gradient of zeros is moved as if it did not adapt', async (t) => {
  for (const name of ['lars', 'lamb'] as const) {
    await expectNoTensorLeak(t, () => {
      const params = { zero: variable([0, 0]), still: variable([3, 4]) };
      const optimizer = makeOptimizer(named(name, { lr: 0.1, weightDecay: 0 }), () => true);
      const state = optimizer.init(params);
      const gradients = [tf.tensor1d([1, 1]), tf.tensor1d([0, 0])];
      optimizer.update(params, gradients, state, { lr: 0.1 });
      expectClose(t, params.zero.dataSync(), [-0.1, -0.1], 1e-5, `${name}: from zero`);
      expectClose(t, params.still.dataSync(), [3, 4], 0, `${name}: without a gradient`);
      tf.dispose([params, gradients] as tf.TensorContainer);
      disposeState(state);
    });
  }
});

t.test('layer decay makes early layers slower, whatever the optimizer', async (t) => {
  for (const name of optimizerNames) {
    await expectNoTensorLeak(t, () => {
      const names = ['patch_embed.proj.weight', 'blocks.0.norm1.weight', 'blocks.1.norm1.weight', 'head.weight'];
      const params = Object.fromEntries(names.map((one) => [one, variable([1, -1])]));
      const optimizer = makeOptimizer(named(name, { lr: 0.1, weightDecay: 0, layerDecay: 0.5 }), () => false);
      const state = optimizer.init(params);
      const gradients = names.map(() => tf.tensor1d([1, -1]));
      optimizer.update(params, gradients, state, { lr: 0.1 });
      const way = names.map((one) => 1 - params[one]!.dataSync()[0]!);
      expectClose(t, way, [0.0125, 0.025, 0.05, 0.1], 1e-4, name);
      tf.dispose([params, gradients] as tf.TensorContainer);
      disposeState(state);
    });
  }
});
