import t from 'tap';
import { presentAddon } from '../../../src/backends/torch/prepare.ts';
import { ownKernels, withoutTorch } from '../../kit/training/torch.ts';

/** What each setting must be when the addon has started, whichever of them this libtorch has. */
const full = [
  [/^matmul$/, 'highest'],
  [/^float32\./, 'ieee'],
  [/^tf32\./, 'false'],
  [/^(reduction|accumulation)\./, 'false'],
  [/^onednn$/, 'strict'],
] as const;

t.test('float32 is float32 in every product, convolution and sum, on every device', { skip: withoutTorch }, (t) => {
  const { kernels, ...settings } = presentAddon().settings();
  t.equal(kernels, process.env.PATCHSTREAM_TORCH_KERNELS === 'aten' ? 'aten' : 'own');
  t.ok(!ownKernels || kernels === 'own');
  for (const [name, value] of Object.entries(settings)) {
    const [, wanted] = full.find(([which]) => which.test(name)) ?? [];
    t.equal(value, wanted, `${name} is ${value}`);
  }
  const has = (name: RegExp) => Object.keys(settings).some((each) => name.test(each));
  t.ok(has(/^matmul$/) && has(/^reduction\.fp16$/));
  t.ok(has(/^float32\.cuda\.conv$/) || has(/^tf32\.cudnn$/), 'what cuDNN takes for float32 is among them');
  t.ok(has(/^float32\.cuda\.matmul$/) || has(/^tf32\.cublas$/), 'and cuBLAS');
  t.ok(has(/^float32\.mkldnn\.conv$/) || has(/^onednn$/) || has(/^tf32/), 'and oneDNN where it can be told');
  t.end();
});
