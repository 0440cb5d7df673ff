import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type TimmCases, trainWaves, valuesError } from '../../../bench/parity/optimizers.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { expectNoTensorLeak } from '../../kit/training/tensors.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';

/** What bench/parity/optimizers.py has written. */
const { cases } = JSON.parse(
  readFileSync(new URL('../../../fixtures/expected/optimizers.json', import.meta.url), 'utf8'),
) as TimmCases;

/** Twenty steps, whole and cut into micro-batches, against timm's in float64: 1e-5 of the norm of all parameters. */
async function testCases(t: Test): Promise<void> {
  for (const [name, { settings, ...expected }] of Object.entries(cases)) {
    await t.test(name, (t) =>
      expectNoTensorLeak(t, async () => {
        for (const microBatch of [4, 1]) {
          const found = await trainWaves(settings, microBatch);
          for (const at of ['after 1', 'after 20'] as const) {
            const error = valuesError(found[at], expected[at]);
            t.ok(error <= 1e-5, `${at} in micro-batches of ${microBatch}: ${error.toExponential(1)}`);
          }
        }
      }),
    );
  }
}

t.test('steps of timm, on wasm', async (t) => {
  await prepareWasm();
  await testCases(t);
});

t.test('steps of timm, on torch', { skip: withoutTorch }, async (t) => {
  await prepareTorch(testDevice);
  await testCases(t);
});

t.test('cases differ: what is clipped, decays, adapts or is averaged changes the weights', (t) => {
  const all = Object.values(cases).map((one) => JSON.stringify(one['after 20']));
  t.equal(new Set(all).size, all.length);
  t.end();
});
