import t from 'tap';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { fail } from '../../src/errors.ts';
import { bestProduct, computeOf, devicePeak, sheetPeak } from '../../src/train/peak.ts';

await prepareWasm();

t.test('data sheets, by the name that a device gives itself', (t) => {
  t.same(sheetPeak('NVIDIA H200', 'bfloat16'), { flops: 989.4e12, of: 'H200, bfloat16' });
  t.same(sheetPeak('NVIDIA H100 80GB HBM3', 'tf32'), { flops: 494.7e12, of: 'H100, tf32' });
  t.equal(sheetPeak('NVIDIA H200 NVL', 'bfloat16')?.flops, 835.5e12);
  t.equal(sheetPeak('NVIDIA H100 PCIe', 'bfloat16')?.flops, 756e12);
  t.equal(sheetPeak('NVIDIA A100-SXM4-80GB', 'float32')?.flops, 19.5e12);
  t.equal(sheetPeak('NVIDIA A10', 'bfloat16')?.flops, 125e12);
  t.equal(sheetPeak('NVIDIA L40S', 'float32')?.flops, 91.6e12);
  t.equal(sheetPeak('NVIDIA L4', 'float32')?.flops, 30.3e12);
  for (const name of [
    'Tesla V100-SXM2-16GB',
    'GeForce GTX 1080',
    'NVIDIA A1000',
    'NVIDIA A100 MIG 3g.20gb',
    'RTX 4090 Laptop GPU',
    'RTX 4090 D',
    'RTX 3090 Ti',
    '',
  ])
    t.equal(sheetPeak(name, 'bfloat16'), undefined, name);
  t.end();
});

t.test('a device without a sheet is measured by a product, where the training is long enough', async (t) => {
  const { flops, of } = (await devicePeak({ precision: 'float32' }))!;
  t.ok(flops > 1e8 && flops < 1e16, String(flops));
  t.equal(of, 'its best product of float32');
  const training = { batch: 10, length: { epochs: 2 }, count: 100, flopPerSample: 1e9 };
  t.same(await computeOf(training, { precision: 'float32' }), { flopPerSample: 1e9 });
  t.match(await computeOf({ ...training, length: { steps: 1e6 } }, { precision: 'float32' }), {
    flopPerSample: 1e9,
    peak: { of: /best product/ },
  });
  t.equal(await computeOf({ ...training, flopPerSample: null as never }, { precision: 'float32' }), undefined);
});

t.test(
  'what a first product sets up is no part of the peak, and larger products count where they are faster',
  async (t) => {
    const seen = new Map<number, number>();
    const asked: number[] = [];
    // 100 GFLOP/s at a side of 256, 400 at 1024; the first of each side takes long.
    const time = async (side: number) => {
      asked.push(side);
      const times = (seen.get(side) ?? 0) + 1;
      seen.set(side, times);
      const rate = { 256: 1e11, 512: 2e11, 1024: 4e11 }[side] ?? 1e11;
      return times === 1 ? 500 : (2 * side ** 3 * 1000) / rate;
    };
    t.same(await bestProduct('float32', time), { flops: 4e11, of: 'its best product of float32' });
    t.same([...new Set(asked)], [256, 512, 1024, 2048], 'until one takes long enough to be timed');
  },
);

t.test('no memory for a product stops nothing', async (t) => {
  const none = async (): Promise<number> => {
    throw fail('BACKEND_MEMORY', { backend: 'test', needed: 'more', memory: 'none' });
  };
  t.equal(await bestProduct('float32', none), undefined);
  const broken = async (): Promise<number> => {
    throw new Error('a fault');
  };
  await t.rejects(bestProduct('float32', broken), /a fault/);
});
