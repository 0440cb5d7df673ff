import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { filesBelow } from '../../scripts/lib/stamp.mjs';
import * as tf from '../../src/backends/tf.ts';
import { TorchBackend, type TorchDevice } from '../../src/backends/torch.ts';
import { prepareTorch, presentAddon } from '../../src/backends/torch-prepare.ts';
import type { HostArray, TorchAddon } from '../../src/native.ts';
import { outOfMemory } from '../../src/native.ts';
import { withoutTorch } from '../kit/torch.ts';
import { trainingPlans, trainPlan } from './suite/training.ts';

const skip = { skip: withoutTorch };
const root = new URL('../../', import.meta.url).pathname;
const sources = filesBelow(root, 'native/torch')
  .filter((name) => /\.(cc|h)$/.test(name) && !name.includes('/build/'))
  .map((name) => ({ name: name.slice('native/torch/'.length), text: readFileSync(`${root}${name}`, 'utf8') }));

t.test('native/torch takes the memory of a tensor only through what asks where the tensor lies', (t) => {
  const places: Readonly<Record<string, RegExp>> = {
    // Of the host by their own check, which these functions are.
    'device.h': /return x\.data_ptr<T>\(\)/,
    'device.cc': /return x\.data_ptr\(\)|\.item<int64_t>\(\)/,
    // Arrays of JavaScript, and matrices of our own loops, seen as tensors.
    'upload.cc': /at::from_blob\(/,
    'gemm.cc': /at::from_blob\(/,
  };
  const access =
    /\b(const_|mutable_)?data_ptr\b|->data\(\)|\.item(<\w+>)?\(|\baccessor<|\bpacked_accessor|from_blob\(|\bdata_dtype|unsafe_storage|mutable_data\(/;
  for (const { name, text } of sources) {
    for (const [at, line] of text.split('\n').entries()) {
      if (!access.test(line.replace(/\/\/.*/, ''))) continue;
      t.ok(places[name]?.test(line), `${name}:${at + 1}: ${line.trim()}`);
    }
  }
  const asked = sources.filter(
    ({ name, text }) => name !== 'device.cc' && name !== 'upload.cc' && /\.is_cpu\(\)/.test(text),
  );
  t.same(
    asked.map(({ name }) => name),
    ['arguments.h'],
    'whether a tensor lies on the host is asked by onHost, which PATCHSTREAM_TORCH_KERNELS=aten denies',
  );
  t.end();
});

/**
 * libtorch's device `meta`: its tensors have a shape and no memory, so that whatever reads or writes their memory on the host fails. What is to be read
 * back is zeros here.
 */
async function onMeta(t: Test, work: () => Promise<void> | void): Promise<void> {
  const addon = presentAddon();
  const zeros: TorchAddon = Object.assign(Object.create(addon), {
    download: (_: number, into: HostArray) => into.fill(0),
    downloadAsync: async <A extends HostArray>(_: number, into: A) => into.fill(0) as A,
  });
  tf.removeBackend('torch');
  tf.registerBackend('torch', () => new TorchBackend(zeros, 'meta' as TorchDevice), 4);
  await tf.setBackend('torch');
  try {
    await work();
  } finally {
    tf.removeBackend('torch');
    addon.setDevice('cpu');
    await prepareTorch('cpu');
  }
  t.equal(tf.getBackend(), 'torch');
}

const oldTorch =
  withoutTorch || (/^1\./.test(presentAddon().info().version) && 'this libtorch has no shapes without memory');

for (const plan of trainingPlans) {
  t.test(`twenty steps of ${plan.title} on a device without memory touch none`, { skip: oldTorch }, async (t) => {
    if (withoutTorch === false) await prepareTorch('cpu');
    await onMeta(t, async () => {
      const losses = await trainPlan(t, plan);
      t.equal(losses.length, 20);
    });
  });
}

t.test('a host read of such a device is an error, and none goes by unseen', skip, async (t) => {
  const addon = presentAddon();
  await prepareTorch('cpu');
  addon.setDevice('meta');
  const handle = addon.upload(new Float32Array(4), 0, [4]);
  t.throws(() => addon.download(handle, new Float32Array(4)));
  addon.free(handle);
  addon.setDevice('cpu');
  t.end();
});

t.test('want of memory, in the words of every library that has any', (t) => {
  const thrown = (message: string) => Object.assign(new Error(message), { code: 'OUT_OF_MEMORY' });
  const needed = (message: string) => outOfMemory('cuda:1', thrown(message))?.message;
  t.match(
    needed('CUDA out of memory. Tried to allocate 2.50 GiB. GPU 1 has a total capacity of 79.1 GiB'),
    /2560 MiB more in the memory of cuda:1/,
  );
  t.match(needed('CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 15.78 GiB total capacity)'), /20 MiB more/);
  t.match(
    needed("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1048577 bytes."),
    /2 MiB more/,
  );
  t.match(
    needed('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`'),
    /more in the memory of cuda:1/,
  );
  t.equal(outOfMemory('cpu', new Error('CUDA out of memory')), undefined, 'only what the addon says is');
  t.end();
});

t.test('moments and memory are asked for where tensors are', skip, async (t) => {
  const addon = presentAddon();
  await prepareTorch('cpu');
  addon.mark(0);
  addon.mark(4095);
  t.ok(addon.between(0, 4095) >= 0);
  t.throws(() => addon.mark(4096), /no mark 4096/);
  t.throws(() => addon.between(1, 5000), /never set/);
  t.same(addon.deviceMemory('cpu'), { free: -1, total: -1 });
  addon.releaseMemory();
  const { kernelMs } = (await tf.time(() => tf.ones([10]).add(1).dispose())) as { kernelMs: number };
  t.ok(kernelMs >= 0);
});
