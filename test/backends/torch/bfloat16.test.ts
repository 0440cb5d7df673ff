import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { takePrecision, whyNot } from '../../../src/backends/torch/precision.ts';
import { prepareTorch, presentAddon } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../../src/backends/torch/torch.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';
import { testBfloat16Operations } from '../suite/bfloat16.ts';
import { quickPlans, testBfloat16Training } from '../suite/training.ts';

const skip = { skip: withoutTorch };
if (withoutTorch === false) await prepareTorch(testDevice);

t.test('operations', skip, (t) => testBfloat16Operations(t, true));

t.test('which devices have which precisions', (t) => {
  const cpu = { device: 'cpu', bfloat16: true, generation: 0 };
  t.equal(whyNot('float32', { ...cpu, bfloat16: false }), undefined);
  t.equal(whyNot('bfloat16', cpu), undefined);
  t.match(whyNot('bfloat16', { ...cpu, bfloat16: false }), /^this processor has no products of bfloat16/);
  t.match(whyNot('tf32', cpu), /this is cpu$/);
  t.match(whyNot('bfloat16', { ...cpu, device: 'mps' }), /^mps has no products/);
  for (const wish of ['bfloat16', 'tf32'] as const) {
    for (const generation of [0, 8, 9, 12]) t.equal(whyNot(wish, { ...cpu, device: 'cuda:0', generation }), undefined);
    t.match(whyNot(wish, { ...cpu, device: 'cuda:1', generation: 7 }), /^cuda:1 is of compute capability 7, .*with 8$/);
  }
  t.end();
});

t.test('what a precision is taken as', skip, async (t) => {
  await prepareTorch('cpu');
  const { bfloat16 } = presentAddon().info();
  t.same(takePrecision('float32'), { precision: 'float32' });
  t.same([presentAddon().deviceName('cpu'), presentAddon().deviceGeneration('cpu')], ['', 0]);
  t.match(takePrecision('tf32'), { precision: 'float32', instead: /NVIDIA's GPUs, and this is cpu/ });
  const { precision, instead } = takePrecision('bfloat16');
  t.equal(precision, bfloat16 ? 'bfloat16' : 'float32');
  t.equal((tf.backend() as TorchBackend).factors, bfloat16 ? 1 : 0);
  if (!bfloat16) t.match(instead, /this processor has no products of bfloat16/);
  takePrecision('float32');
  t.equal((tf.backend() as TorchBackend).factors, 0);
  await prepareTorch(testDevice);
});

t.test('the loss of 50 steps is within a hundredth of that in float32', skip, (t) =>
  testBfloat16Training(t, quickPlans),
);
