import t from 'tap';
import type { TorchAddon } from '../../../src/native.ts';
import { trainingDevice } from '../../../src/runs/training/training-device.ts';

/** libtorch on a machine with so many GPUs, each with more memory than the one before. */
const gpus = (count: number) => () =>
  ({
    info: () => ({ cudaDevices: count }),
    deviceMemory: (name: string) => ({ free: 1000 * (Number(name.slice(5)) + 1), total: 9000 }),
  }) as unknown as TorchAddon;

t.test('the memory of the GPU that a training will compute on', (t) => {
  const auto = { backend: 'auto', microBatch: 'auto' } as const;
  t.same(trainingDevice({ ...auto, device: 'auto' }, gpus(2)), { free: 1000 });
  t.same(trainingDevice({ ...auto, device: 'cuda' }, gpus(2)), { free: 1000 });
  t.same(trainingDevice({ ...auto, device: 'cuda:1', backend: 'torch' }, gpus(2)), { free: 2000 });
  t.end();
});

t.test('none where it is not the device’s memory that counts, or nobody knows it', (t) => {
  const wish = { backend: 'auto', device: 'auto', microBatch: 'auto' } as const;
  t.equal(trainingDevice(wish, gpus(0)), undefined);
  t.equal(trainingDevice({ ...wish, device: 'cuda:2' }, gpus(2)), undefined);
  t.equal(
    trainingDevice(wish, () => ({ found: 'its addon is not built', remedy: '' })),
    undefined,
  );
  const unknown = { info: () => ({ cudaDevices: 1 }), deviceMemory: () => ({ free: -1, total: -1 }) };
  t.equal(
    trainingDevice(wish, () => unknown as unknown as TorchAddon),
    undefined,
  );
  const never = () => t.fail('libtorch is not loaded for nothing') as never;
  for (const other of [{ device: 'cpu' }, { device: 'mps' }, { backend: 'wasm' }, { microBatch: 16 }] as const)
    t.equal(trainingDevice({ ...wish, ...other }, never), undefined);
  t.end();
});
