import fc from 'fast-check';
import t from 'tap';
import { GhostNorm } from '../../../src/measures/linear/ghost-norm.ts';
import { expectClose } from '../../kit/training/tensors.ts';

const width = 3;
const rowsOf = (n: number, seed = 1) =>
  Float32Array.from({ length: n * width }, (_, i) => 5 * Math.sin(seed + 1.7 * i) + (i % width) * 10);

t.test('each group has its own mean and variance, and the averages take every group in turn', (t) => {
  const values = Float32Array.of(1, 3, 10, 30);
  const norm = new GhostNorm(1, { rows: 2, eps: 0 });
  t.same([...norm.train(values)], [-1, 1, -1, 1]);
  // Means 2 and 20, variances over n − 1 2 and 200: η(1 − η) and η of them.
  expectClose(t, norm.mean, [0.09 * 2 + 0.1 * 20], 1e-12);
  expectClose(t, norm.variance, [0.81 * 1 + 0.09 * 2 + 0.1 * 200], 1e-12);
  expectClose(t, norm.evaluate(Float32Array.of(5)), [(5 - norm.mean[0]!) / Math.sqrt(norm.variance[0]!)], 1e-6);
  t.end();
});

t.test('what is left over is a smaller group; a row alone is normalised as in evaluation', (t) => {
  const norm = new GhostNorm(width, { rows: 4 });
  const found = norm.train(rowsOf(6));
  const alike = new GhostNorm(width, { rows: 2 });
  alike.train(rowsOf(4));
  expectClose(t, found.subarray(4 * width), alike.train(rowsOf(6).subarray(4 * width)), 0, 'two rows');
  const before = [...norm.mean];
  const alone = rowsOf(1);
  t.same([...norm.train(alone)], [...norm.evaluate(alone)]);
  t.same([...norm.mean], before);
  t.end();
});

t.test('one meaning whatever the micro-batch, bit for bit', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 20 }),
      (rows, n, cuts) => {
        const values = rowsOf(n, rows);
        const [whole, parted] = [new GhostNorm(width, { rows }), new GhostNorm(width, { rows })];
        const expected = whole.train(values);
        const found: number[] = [];
        for (let from = 0, i = 0; from < n; i++) {
          const to = Math.min(n, from + rows * cuts[i % cuts.length]!);
          found.push(...parted.train(values.subarray(from * width, to * width)));
          from = to;
        }
        t.same(found, [...expected]);
        t.same([...parted.mean, ...parted.variance], [...whole.mean, ...whole.variance]);
      },
    ),
    { numRuns: 50 },
  );
  t.end();
});
