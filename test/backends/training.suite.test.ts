import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareTorch } from '../../src/backends/torch/prepare.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { withoutTensorflow } from '../kit/training/tensorflow.ts';
import { testDevice, withoutTorch } from '../kit/training/torch.ts';
import { quickPlans, testTraining } from './suite/training.ts';

t.test('torch beside wasm', { skip: withoutTorch }, (t) =>
  testTraining(t, () => prepareTorch(testDevice), prepareWasm, quickPlans),
);
t.test('tensorflow beside wasm', { skip: withoutTensorflow }, (t) =>
  testTraining(t, () => tf.setBackend('tensorflow'), prepareWasm, quickPlans),
);
