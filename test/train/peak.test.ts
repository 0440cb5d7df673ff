import t from 'tap';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { computeOf, devicePeak, sheetPeak } from '../../src/train/peak.ts';

await prepareWasm();

t.test('data sheets, by the name that a device gives itself', (t) => {
  t.same(sheetPeak('NVIDIA H200', 'bfloat16'), { flops: 989.4e12, of: 'H200, bfloat16' });
  t.same(sheetPeak('NVIDIA H100 80GB HBM3', 'tf32'), { flops: 494.7e12, of: 'H100, tf32' });
  t.equal(sheetPeak('NVIDIA H100 PCIe', 'bfloat16')?.flops, 756e12);
  t.equal(sheetPeak('NVIDIA A100-SXM4-80GB', 'float32')?.flops, 19.5e12);
  t.equal(sheetPeak('NVIDIA A10', 'bfloat16')?.flops, 125e12);
  t.equal(sheetPeak('NVIDIA L40S', 'float32')?.flops, 91.6e12);
  t.equal(sheetPeak('NVIDIA L4', 'float32')?.flops, 30.3e12);
  for (const name of ['Tesla V100-SXM2-16GB', 'GeForce GTX 1080', 'NVIDIA A1000', ''])
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
