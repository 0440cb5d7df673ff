import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import type { FeatureSet } from '../../../src/measures/features.ts';
import { knnAccuracy, neighbours, rankOf } from '../../../src/measures/knn/neighbours.ts';
import { Random } from '../../../src/random.ts';
import { expectClose, expectNoTensorLeak } from '../../kit/training/tensors.ts';

t.before(() => prepareWasm());

/** Features around a centre for each class, so that some are told apart and some are not. */
function clouds(name: string, n: number, { width = 7, classes = 5, spread = 1.2 } = {}): FeatureSet {
  const random = new Random(3, 'clouds', name);
  const centre = (label: number, i: number) => new Random(3, 'centres', `${label}/${i}`).normal();
  const labels = Int32Array.from({ length: n }, () => random.integer(classes));
  const values = Float32Array.from(
    { length: n * width },
    (_, i) => centre(labels[Math.floor(i / width)]!, i % width) + spread * random.normal(),
  );
  return { values, labels, width };
}

/** The k nearest of each picture once more, in float64 and with a sort. */
function nearestOf(on: FeatureSet, reference: FeatureSet, k: number) {
  const row = ({ values, width }: FeatureSet, n: number) => {
    const raw = Array.from(values.subarray(n * width, (n + 1) * width), Number);
    const norm = Math.hypot(...raw);
    return raw.map((value) => (norm === 0 ? 0 : value / norm));
  };
  const others = Array.from(reference.labels, (_, j) => row(reference, j));
  return Array.from(on.labels, (_, n) => {
    const own = row(on, n);
    const all = others.map((other, j) => ({ j, s: other.reduce((sum, value, i) => sum + value * own[i]!, 0) }));
    return all.sort((a, b) => b.s - a.s || a.j - b.j).slice(0, k);
  });
}

/** The vote among the nearest once more. */
function voted(
  on: FeatureSet,
  reference: FeatureSet,
  nearest: ReturnType<typeof nearestOf>,
  weight: (similarity: number) => number,
) {
  let [first, five] = [0, 0];
  for (const [n, near] of nearest.entries()) {
    const votes = new Map<number, number>();
    for (const { j, s } of near) votes.set(reference.labels[j]!, (votes.get(reference.labels[j]!) ?? 0) + weight(s));
    const ranking = [...votes].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([label]) => label);
    if (ranking[0] === on.labels[n]) first += 1;
    if (ranking.slice(0, 5).includes(on.labels[n]!)) five += 1;
  }
  return { top1: first / on.labels.length, top5: five / on.labels.length };
}

t.test('votes and neighbours as in a float64 search of everything, over several blocks', async (t) => {
  const on = clouds('on', 700);
  const reference = clouds('reference', 9000);
  const nearest = nearestOf(on, reference, 20);
  for (const k of [1, 20]) {
    for (const [vote, weight] of [
      ['weighted', (s: number) => Math.exp(s / 0.07)],
      ['majority', () => 1],
    ] as const) {
      const near = nearest.map((all) => all.slice(0, k));
      const expected = voted(on, reference, near, weight);
      const found = await knnAccuracy({ on, reference, k, vote, temperature: 0.07 });
      // Rounding may swap neighbours that are equally similar to seven digits: one picture of 700.
      t.ok(Math.abs(found.top1 - expected.top1) <= 1.5 / 700, `${vote} ${k}: ${found.top1}, ${expected.top1}`);
      t.ok(Math.abs(found.top5 - expected.top5) <= 1.5 / 700, `${vote} ${k}: ${found.top5}, ${expected.top5}`);
      t.ok(found.top1 > 0.5 && found.top1 < 0.999, 'neither chance nor certainty');
    }
  }
  const { similarities } = await neighbours(on, reference, 20);
  expectClose(
    t,
    similarities,
    nearest.flatMap((near) => near.map(({ s }) => s)),
    1e-6,
  );
});

t.test('by hand: equal similarity goes to the earlier picture, equal votes to the lower class', async (t) => {
  const set = (labels: number[], ...rows: number[][]): FeatureSet => ({
    values: Float32Array.from(rows.flat()),
    labels: Int32Array.from(labels),
    width: 2,
  });
  // Length does not count: all but the last look along x.
  const reference = set([2, 1, 1, 2, 0], [1, 0], [5, 0], [2, 0], [0.1, 0], [0, 1]);
  const { indices } = await neighbours(set([0], [3, 0]), reference, 5);
  t.same([...indices], [0, 1, 2, 3, 4]);
  const accuracy = (label: number, k: number) =>
    knnAccuracy({ on: set([label], [3, 0]), reference, k, vote: 'majority', temperature: 1 });
  t.same(await accuracy(2, 1), { top1: 1, top5: 1 }, 'the earliest of equals votes');
  t.same(await accuracy(1, 4), { top1: 1, top5: 1 }, 'two votes each: the lower class');
  t.same(await accuracy(2, 4), { top1: 0, top5: 1 });
  t.same(await accuracy(0, 4), { top1: 0, top5: 0 }, 'a class without a vote is no answer');
  t.same(await accuracy(7, 5), { top1: 0, top5: 0 }, 'nor is one that nobody could vote for');
  await t.rejects(accuracy(0, 6), { code: 'KNN_FEW' });
  const zero = await knnAccuracy({ on: set([2], [0, 0]), reference, k: 1, vote: 'weighted', temperature: 1e-4 });
  t.same(zero, { top1: 1, top5: 1 }, 'a feature of zeros is as similar to all');
  t.same([rankOf([1, 3, 3, 2], 1), rankOf([1, 3, 3, 2], 2), rankOf([1, 3, 3, 2], 0)], [0, 1, 3]);
});

t.test('labels far apart cost no more than labels in a row', async (t) => {
  const apart = ({ labels, ...set }: FeatureSet) => ({
    ...set,
    labels: labels.map((label) => label * 500_000_000 + 1),
  });
  const [on, reference] = [clouds('a', 40), clouds('b', 50)];
  const recipe = { k: 5, vote: 'weighted', temperature: 0.07 } as const;
  const expected = await knnAccuracy({ on, reference, ...recipe });
  t.same(await knnAccuracy({ on: apart(on), reference: apart(reference), ...recipe }), expected);
});

t.test('no tensor stays behind', async (t) => {
  const [on, reference] = [clouds('a', 40), clouds('b', 50)];
  await expectNoTensorLeak(t, () => knnAccuracy({ on, reference, k: 5, vote: 'weighted', temperature: 0.07 }));
});

t.test('values that cannot be read leave no tensor behind', async (t) => {
  const [on, reference] = [clouds('a', 40), clouds('b', 50)];
  const backend = tf.backend();
  t.intercept(backend, 'read', { value: () => Promise.reject(new Error('lost')) });
  await expectNoTensorLeak(t, () =>
    t.rejects(knnAccuracy({ on, reference, k: 5, vote: 'majority', temperature: 1 }), /lost/),
  );
});
