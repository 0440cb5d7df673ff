/** Runs the suites of test/backends on the device, file by file: a row for each with what was counted. */
import { extname } from 'node:path';
import { kit, lineOf, row, whileTime } from '../child.ts';
import { settle } from '../harness.ts';

/** Those that the device is chosen for by PATCHSTREAM_TEST_DEVICE; in the order of their importance. */
export const suites = [
  'torch/torch.suite',
  'torch/kernels/products',
  'torch/kernels/convolutions',
  'torch/kernels/reductions',
  'torch/kernels/indexing',
  'torch/kernels/elementwise',
  'torch/kernels/shapes',
  'fused',
  'replay/replay',
  'replay/launch',
  'upload',
  // Beside wasm, which takes its time.
  'training.suite',
] as const;

process.env.PATCHSTREAM_TEST_DEVICE = kit.device;
// A rehearsal has that comparison in parity.
const wanted = kit.tiny ? suites.slice(0, -1) : suites;
await whileTime(wanted, { name: String, seconds: 3 }, async (name) => {
  const began = performance.now();
  let broken: string | undefined;
  try {
    await import(`../../../test/backends/${name}.test${extname(import.meta.url)}`);
  } catch (error) {
    broken = lineOf(error);
  }
  const { passed, failed, skipped, failures } = await settle();
  row({
    what: name,
    passed,
    failed,
    skipped,
    ...(failures.length > 0 && { failures }),
    ...(broken !== undefined && { error: broken }),
    seconds: Number(((performance.now() - began) / 1000).toFixed(1)),
    ok: failed === 0 && passed > 0 && broken === undefined,
  });
});
process.exit();
