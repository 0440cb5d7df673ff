import fc from 'fast-check';
import t from 'tap';
import { combinations, texts } from '../../src/studies/plan.ts';
import { foundIn, meanCurve, pointsIn, summaryOf } from '../../src/studies/results.ts';

t.test('mean and interval, by a worked example', (t) => {
  // Of a textbook: five values, mean 10.04, s 0.2702, t 2.776: ± 0.3355.
  const { mean, interval } = summaryOf([10.2, 9.7, 10.1, 10.3, 9.9]);
  t.ok(Math.abs(mean - 10.04) < 1e-12);
  const s = Math.sqrt([0.16, -0.34, 0.06, 0.26, -0.14].reduce((sum, x) => sum + x * x, 0) / 4);
  t.ok(Math.abs(interval! - (2.776 * s) / Math.sqrt(5)) < 1e-9);
  t.equal(summaryOf([3]).interval, undefined);
  t.equal(summaryOf([2, 2, 2]).interval, 0);
  t.end();
});

t.test('beyond the table the interval goes on without a step, and on to that of the normal distribution', (t) => {
  const width = (count: number) => {
    const values = Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : -1));
    const mean = values.reduce((sum, x) => sum + x, 0) / count;
    const s = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (count - 1));
    return (summaryOf(values).interval! * Math.sqrt(count)) / s;
  };
  // Quantiles of Student's t for 30, 31, 40, 120 and 10,000 degrees of freedom.
  for (const [count, quantile] of [
    [31, 2.0423],
    [32, 2.0395],
    [41, 2.0211],
    [121, 1.9799],
    [10_001, 1.9602],
  ] as const)
    t.ok(Math.abs(width(count) - quantile) < 5e-4, `${count}: ${width(count)}`);
  t.end();
});

t.test('the curve of a row has the steps at which every seed was measured', (t) => {
  const point = (step: number, value: number) => ({ step, found: { 'knn.top1': value, 'linear.top1': 0 } });
  const runs = [
    [point(0, 0.2), point(10, 0.4), point(20, 0.6)],
    [point(20, 0.8), point(0, 0.4), { step: 10, found: { 'linear.top1': 1 } }],
  ];
  const { at, values } = meanCurve(runs, 'knn.top1');
  t.same(at, [0, 20]);
  t.ok(Math.abs(values[0]! - 0.3) < 1e-12 && Math.abs(values[1]! - 0.7) < 1e-12);
  t.same(meanCurve([], 'knn.top1'), { at: [], values: [] });
  t.end();
});

t.test('what cannot be read of evaluations is passed over', async (t) => {
  const row = JSON.stringify({
    ...{ step: 3, epoch: 1, digest: 'x', reconstruction: { ours: 0.5 } },
    features: [{ id: 'knn#2', kind: 'knn', top1: 0.25, resolution: '8×8', same: false }],
  });
  const folder = t.testdir({ 'evaluations.jsonl': `null\n{"step":1}\n${row}\n{"step":4,"fea` });
  t.same(await pointsIn(folder), [{ step: 3, found: { 'reconstruction.ours': 0.5, 'knn#2.top1': 0.25 } }]);
  t.same(await foundIn(`${t.testdirName}/nowhere`), undefined);
});

t.test('combinations are all, once each, in the order in which they are written', (t) => {
  t.same(combinations({}), [{}]);
  t.same(combinations({ a: [1, 2], b: ['x', 'y'] }), [
    { a: 1, b: 'x' },
    { a: 1, b: 'y' },
    { a: 2, b: 'x' },
    { a: 2, b: 'y' },
  ]);
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 4 }), { maxKeys: 4 }),
      (grid) => {
        const all = combinations(grid);
        t.equal(
          all.length,
          Object.values(grid).reduce((product, values) => product * values.length, 1),
        );
        t.equal(new Set(all.map((one) => JSON.stringify(one))).size, all.length);
      },
    ),
    { numRuns: 30 },
  );
  t.end();
});

t.test('values are named by the ends of their paths where these tell them apart', (t) => {
  const grid = {
    'train.lr': [1],
    'stages.mask.ratio': [0.5],
    'stages.crop.ratio': [
      [1, 2],
      [3, 4],
    ],
  };
  t.same(texts({ 'train.lr': 1, 'stages.mask.ratio': 0.5, 'stages.crop.ratio': [3, 4] }, grid), [
    'lr 1',
    'stages.mask.ratio 0.5',
    'stages.crop.ratio #2',
  ]);
  t.end();
});
