import fc from 'fast-check';
import t from 'tap';
import { likeliest } from '../../src/inference/likeliest.ts';

t.test('the likeliest classes, by softmax in float64', (t) => {
  const score = fc.float({ min: -50, max: 50, noNaN: true });
  fc.assert(
    fc.property(fc.array(score, { minLength: 1, maxLength: 12 }), fc.nat(11), (scores, more) => {
      const top = Math.min(scores.length, 1 + more);
      const { values, classes } = likeliest(Float32Array.from([...scores, ...scores]), 2, top);
      const all = scores.map((value) => Math.exp(value - Math.max(...scores)));
      const sum = all.reduce((total, value) => total + value, 0);
      const order = scores.map((value, rank) => ({ value, rank })).sort((a, b) => b.value - a.value || a.rank - b.rank);
      for (const row of [0, 1]) {
        for (let i = 0; i < top; i++) {
          t.equal(classes[row * top + i], order[i]!.rank);
          const expected = all[order[i]!.rank]! / sum;
          t.ok(Math.abs(values[row * top + i]! - expected) <= 1e-6 * Math.max(expected, 1e-30) + 1e-30);
        }
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a row that is not finite has no probability; the others have', (t) => {
  const { values } = likeliest(Float32Array.of(1, Number.NaN, 2, 3), 2, 1);
  t.ok(Number.isNaN(values[0]!));
  t.ok(Math.abs(values[1]! - 1 / (1 + Math.exp(-1))) < 1e-6);
  t.end();
});

t.test('where more classes are asked for than there are, all are given', (t) => {
  const { values, classes } = likeliest(Float32Array.of(1, 3, 2), 1, 5);
  t.same(Array.from(classes), [1, 2, 0]);
  t.equal(values.length, 3);
  t.end();
});
