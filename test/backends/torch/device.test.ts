import { readFileSync } from 'node:fs';
import t from 'tap';
import { filesBelow } from '../../../scripts/lib/stamp.mjs';
import * as tf from '../../../src/backends/tf.ts';
import { outOfMemory } from '../../../src/backends/torch/guarded.ts';
import { prepareTorch, presentAddon } from '../../../src/backends/torch/prepare.ts';
import { withoutTorch } from '../../kit/training/torch.ts';

const skip = { skip: withoutTorch };
const root = new URL('../../..', import.meta.url).pathname;
const sources = filesBelow(root, 'native/torch')
  .filter((name) => /\.(cc|h)$/.test(name) && !name.includes('/build/'))
  .map((name) => ({ name: name.slice('native/torch/'.length), text: readFileSync(`${root}${name}`, 'utf8') }));

t.test('native/torch takes the memory of a tensor only through what asks where the tensor lies', (t) => {
  const places: Readonly<Record<string, RegExp>> = {
    // Of the host by their own check, which these functions are.
    'device/device.h': /return x\.data_ptr<T>\(\)/,
    'device/device.cc': /return x\.data_ptr\(\)|\.item<int64_t>\(\)/,
    // Arrays of JavaScript, and matrices of our own loops, seen as tensors.
    'device/upload.cc': /at::from_blob\(/,
    'fused/gemm.cc': /at::from_blob\(/,
    // What kernels are told on the device, and what a trial of them waits for.
    'cuda/lists.cc': /at::from_blob\(/,
    'cuda/trial.cc': /\.item<double>\(\)/,
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
    ({ name, text }) => name !== 'device/device.cc' && name !== 'device/upload.cc' && /\.is_cpu\(\)/.test(text),
  );
  t.same(
    asked.map(({ name }) => name),
    ['arguments.h'],
    'whether a tensor lies on the host is asked by onHost, which PATCHSTREAM_TORCH_KERNELS=aten denies',
  );
  t.end();
});

/**
 * libtorch's device `meta`: its tensors have a shape and no memory, so that a loop of ours that takes a tensor's memory without asking fails there. Some of
 * ATen's operations have no form for it, which the dispatcher says.
 */
t.test('no operation takes the memory of a device for the host’s', skip, async (t) => {
  const addon = presentAddon();
  await prepareTorch('cpu');
  const [ints, numbers] = [new Int32Array(4096), new Float64Array(4096)];
  addon.open(ints, numbers);
  addon.setDevice('meta');
  const opcodes = new Map(addon.names().map((name, opcode) => [name, opcode]));
  const float = (...shape: number[]) => addon.upload(new Float32Array(shape.reduce((a, b) => a * b, 1)), 0, shape);
  const whole = (...shape: number[]) => addon.upload(new Int32Array(shape.reduce((a, b) => a * b, 1)), 1, shape);
  let done = 0;
  const run = (name: string, inputs: number[], attributes: number[] = []) => {
    ints.set(inputs);
    numbers.set(attributes);
    try {
      done += addon.run(opcodes.get(name)!, inputs.length, attributes.length) >= 0 ? 1 : 0;
    } catch (error) {
      t.match((error as Error).message, /Meta/, `${name}: ${(error as Error).message}`);
    }
  };
  const [x, rows, weight, bias] = [float(2, 3, 12), float(6, 12), float(12, 8), float(8)];
  const [ids, table, buckets] = [whole(2, 2), float(2, 5), whole(3, 3)];
  run('PatchstreamGelu', [x]);
  for (const factors of [0, 1]) {
    run('PatchstreamLinear', [rows, weight, bias], [1, factors]);
    run('PatchstreamLinearGrad', [float(6, 8), rows, weight, float(6, 8)], [1, factors]);
  }
  run('PatchstreamLayerNorm', [rows, float(12), float(12)], [1e-6]);
  run('PatchstreamLayerNormGrad', [rows, rows, float(6), float(6), float(12)]);
  for (const factors of [0, 1]) {
    run('PatchstreamAttention', [x, table, buckets], [2, 1, factors]);
    const [dy, y, shares] = [float(2, 3, 4), float(2, 3, 4), float(2, 2, 3, 3)];
    run('PatchstreamAttentionGrad', [dy, x, y, shares, table, buckets], [2, 1, factors]);
  }
  run('PatchstreamGatherTokens', [x, ids]);
  run('PatchstreamGatherTokensGrad', [float(2, 2, 12), ids], [3]);
  run('PatchstreamAccumulate', [float(4), float(4)]);
  run('PatchstreamNorms', [float(4), rows]);
  run('PatchstreamZero', [float(4)]);
  run('PatchstreamAdamW', [float(4), float(4), float(4), float(4)], [1e-3, 0.9, 0.95, 1e-8, 1, 1, 1, 0.05]);
  run('BatchMatMul', [x, float(2, 12, 5)], [0, 0]);
  run('Step', [x], [0]);
  run('TopK', [x], [2]);
  run('GatherNd', [x, ids], [2, 2, 12]);
  addon.setDevice('cpu');
  tf.removeBackend('torch');
  await prepareTorch('cpu');
  t.ok(done >= 8, `${done} of them were computed`);
});

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
