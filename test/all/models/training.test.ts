import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { otherPlans, testBfloat16Training, testTraining } from '../../backends/suite/training.ts';
import { withoutTensorflow } from '../../kit/training/tensorflow.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';

// The models that test/backends/training.suite.test.ts and bfloat16.test.ts leave out.
t.test('torch beside wasm', { skip: withoutTorch }, (t) =>
  testTraining(t, () => prepareTorch(testDevice), prepareWasm, otherPlans),
);
t.test('tensorflow beside wasm', { skip: withoutTensorflow }, (t) =>
  testTraining(t, () => tf.setBackend('tensorflow'), prepareWasm, otherPlans),
);
t.test('bfloat16 beside float32', { skip: withoutTorch }, async (t) => {
  await prepareTorch(testDevice);
  await testBfloat16Training(t, otherPlans);
});
