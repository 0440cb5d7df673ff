import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import type { FeatureSet } from '../../../src/measures/features.ts';
import { linearProbe } from '../../../src/measures/linear/probe.ts';
import { Random } from '../../../src/random.ts';
import { expectNoTensorLeak } from '../../kit/training/tensors.ts';

t.before(() => prepareWasm());

/** Six classes on a circle in the first two features, which are small and far from zero; two more features are large noise. */
function circle(name: string, n: number, noise: number): FeatureSet {
  const random = new Random(4, 'circle', name);
  const labels = Int32Array.from({ length: n }, () => random.integer(6));
  const values = Float32Array.from({ length: n * 4 }, (_, i) => {
    const angle = (labels[Math.floor(i / 4)]! * Math.PI) / 3;
    if (i % 4 >= 2) return 1000 * random.normal();
    return 5 + 0.01 * ((i % 4 === 0 ? Math.cos(angle) : Math.sin(angle)) + noise * random.normal());
  });
  return { values, labels, width: 4 };
}

const recipe = { epochs: 30, batch: 64, lr: 0.1, seed: 1 };

t.test('classes that a plane tells apart are told apart, whatever the scale of the features', async (t) => {
  const [on, reference] = [circle('on', 300, 0.1), circle('reference', 500, 0.1)];
  const { top1, top5 } = await linearProbe({ ...recipe, on, reference });
  t.ok(top1 > 0.97, `${top1}`);
  t.ok(top5 >= top1);
  // Six classes: five of six are always among the first five of some order.
  const blurred = await linearProbe({ ...recipe, on: circle('on', 300, 3), reference: circle('reference', 500, 3) });
  t.ok(blurred.top1 < 0.6 && blurred.top5 > blurred.top1 && blurred.top5 < 1, JSON.stringify(blurred));
});

t.test('one seed, one result; nothing stays behind', async (t) => {
  const [on, reference] = [circle('on', 100, 1), circle('reference', 130, 1)];
  const probe = (seed: number) => linearProbe({ ...recipe, epochs: 3, seed, on, reference });
  t.same(await probe(1), await probe(1));
  await expectNoTensorLeak(t, () => probe(2));
});

t.test('MAE’s recipe, with LARS, a rise of the rate and ghost batches, tells the same classes apart', async (t) => {
  const [on, reference] = [circle('on', 300, 0.1), circle('reference', 500, 0.1)];
  const mae = { ...recipe, optimizer: 'lars', lr: 40, warmupEpochs: 3, ghostBatch: 32 } as const;
  const { top1 } = await linearProbe({ ...mae, on, reference });
  t.ok(top1 > 0.95, `${top1}`);
  t.same(await linearProbe({ ...mae, on, reference }), await linearProbe({ ...mae, on, reference }));
  await expectNoTensorLeak(t, () => linearProbe({ ...mae, epochs: 4, on, reference }));
});

t.test('labels far apart cost no more than labels in a row', async (t) => {
  const apart = ({ labels, ...set }: FeatureSet) => ({
    ...set,
    labels: labels.map((label) => label * 400_000_000 + 1),
  });
  const [on, reference] = [circle('on', 100, 1), circle('reference', 130, 1)];
  const expected = await linearProbe({ ...recipe, epochs: 3, on, reference });
  t.same(await linearProbe({ ...recipe, epochs: 3, on: apart(on), reference: apart(reference) }), expected);
});

t.test('values that cannot be read leave no tensor behind', async (t) => {
  const [on, reference] = [circle('a', 40, 1), circle('b', 50, 1)];
  const backend = tf.backend();
  t.intercept(backend, 'read', { value: () => Promise.reject(new Error('lost')) });
  await expectNoTensorLeak(t, () => t.rejects(linearProbe({ ...recipe, on, reference }), /lost/));
});

t.test('the first step is SGD on the mean cross-entropy of standardised features, in float64', async (t) => {
  // One epoch of one step at full rate; then the weights are all that decide, so the answer is that of this arithmetic.
  const [on, reference] = [circle('on', 400, 0.8), circle('reference', 50, 0.8)];
  const found = await linearProbe({ on, reference, epochs: 1, batch: 50, lr: 20, seed: 9 });
  t.equal(found.top1, afterOneStep(on, reference, 9, (20 * 50) / 256));
});

function afterOneStep(on: FeatureSet, reference: FeatureSet, seed: number, rate: number): number {
  const D = 4;
  const C = 6;
  const count = reference.labels.length;
  const column = (d: number) => Array.from({ length: count }, (_, n) => reference.values[n * D + d]!);
  const mean = [0, 1, 2, 3].map((d) => column(d).reduce((a, b) => a + b) / count);
  const std = mean.map((m, d) => Math.sqrt(column(d).reduce((sum, x) => sum + (x - m) ** 2, 0) / count + 1e-6));
  const x = (set: FeatureSet, n: number) => mean.map((m, d) => (set.values[n * D + d]! - m) / std[d]!);
  const random = new Random(seed, 'linear', 'weight');
  const weight = Array.from({ length: D }, () => Array.from({ length: C }, () => 0.01 * random.normal()));
  const logits = (w: number[][], b: number[], f: number[]) =>
    b.map((bias, c) => f.reduce((sum, value, d) => sum + value * w[d]![c]!, bias));
  const slopeW = weight.map((row) => row.map(() => 0));
  const slopeB = new Array<number>(C).fill(0);
  for (let n = 0; n < count; n++) {
    const f = x(reference, n);
    const exp = logits(weight, new Array<number>(C).fill(0), f).map(Math.exp);
    const total = exp.reduce((a, b) => a + b);
    for (let c = 0; c < C; c++) {
      const slope = (exp[c]! / total - (reference.labels[n] === c ? 1 : 0)) / count;
      slopeB[c]! += slope;
      for (let d = 0; d < D; d++) slopeW[d]![c]! += slope * f[d]!;
    }
  }
  const moved = weight.map((row, d) => row.map((w, c) => w - rate * slopeW[d]![c]!));
  const bias = slopeB.map((slope) => -rate * slope);
  const right = Array.from(on.labels, (label, n) => {
    const scores = logits(moved, bias, x(on, n));
    return scores.indexOf(Math.max(...scores)) === label;
  });
  return right.filter(Boolean).length / right.length;
}

t.test('N2: a probe whose scores are no numbers is an error, and not 100 %', async (t) => {
  const [on, reference] = [circle('on', 20, 1), circle('reference', 30, 1)];
  await t.rejects(linearProbe({ ...recipe, lr: 1e300, on, reference }), { code: 'PROBE_NOT_A_NUMBER' });
  const gone = { ...on, values: on.values.map(() => Number.NaN) };
  await t.rejects(linearProbe({ ...recipe, epochs: 1, on: gone, reference }), { code: 'PROBE_NOT_A_NUMBER' });
});
