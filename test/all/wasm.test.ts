import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { testTraining } from '../backends/suite/training.ts';

t.test('training on wasm, beside tfjs on its cpu backend', (t) =>
  testTraining(t, prepareWasm, () => tf.setBackend('cpu')),
);
