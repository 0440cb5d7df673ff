import t from 'tap';
import {
  biasResampling,
  biasRows,
  biasSide,
  offsetsOneHot,
  resizedBias,
} from '../../../src/models/layers/relative-bias.ts';

t.test('a table has a row for each offset, and three for cls', (t) => {
  t.same([14, 7, 1].map(biasRows), [732, 172, 4]);
  t.same([732, 172, 4, 100, 3].map(biasSide), [14, 7, 1, undefined, undefined]);
  t.end();
});

t.test('offsets are query minus key', (t) => {
  const matrix = offsetsOneHot(3);
  const rows = Array.from({ length: 9 }, (_, pair) => matrix.subarray(5 * pair, 5 * (pair + 1)).indexOf(1));
  t.same(rows, [2, 1, 0, 3, 2, 1, 4, 3, 2], 'of places 0 to 2, the middle of 5 being 0');
  t.equal(
    matrix.reduce((sum, value) => sum + value, 0),
    9,
  );
  t.end();
});

/** A table of waves, [biasRows(side)] for one head. */
const waves = (side: number) => {
  const span = 2 * side - 1;
  const table = new Float32Array(biasRows(side));
  for (let i = 0; i < span; i++)
    for (let j = 0; j < span; j++) table[i * span + j] = Math.cos(0.61 * i + 1.7 * j + 0.13 * ((i * j) % 11));
  table.set([7, 8, 9], span * span);
  return table;
};

t.test('a table is brought to another grid as FITPACK’s splines bring it there', (t) => {
  // scipy 1.17: RectBivariateSpline(places, places, table, s=0) at rows and columns −3, 0, 2 of the new grid's offsets.
  const scipy = [
    [7, 14, [-0.866917, 1.164896, -0.68526, -0.832853, -0.112594, 0.258692, 0.485824, -1.111925, 0.583207]],
    [4, 6, [-0.111703, 0.780275, -0.868253, -1.560762, -0.243544, -0.468101, 0.287649, -0.221402, 0.48837]],
    [8, 5, [-0.857991, -0.829501, 0.763917, 0.785442, -0.442836, -0.176837, 0.98959, 0.905372, -0.765948]],
  ] as const;
  for (const [from, to, values] of scipy) {
    const resized = resizedBias(waves(from), 1, from, to);
    t.equal(resized.length, biasRows(to));
    const at = (row: number, column: number) => resized[(row + to - 1) * (2 * to - 1) + column + to - 1]!;
    const found = [-3, 0, 2].flatMap((row) => [-3, 0, 2].map((column) => at(row, column)));
    for (const [i, value] of values.entries())
      t.ok(Math.abs(found[i]! - value) < 2e-6, `${from} to ${to}, ${i}: ${found[i]}, scipy ${value}`);
    t.same([...resized.subarray(-3)], [7, 8, 9], 'the rows of cls stay');
  }
  t.end();
});

t.test('a grid that stays the same stays as it was, and constants stay constant', (t) => {
  for (const side of [1, 2, 3, 5]) {
    const table = waves(side);
    t.same(resizedBias(table, 1, side, side), table, `side ${side}`);
  }
  for (const [from, to] of [
    [2, 5],
    [3, 4],
    [7, 14],
    [8, 5],
  ] as const) {
    const [rows, columns] = [biasRows(to), biasRows(from)];
    const matrix = biasResampling(from, to);
    for (let row = 0; row < rows; row++) {
      const sum = matrix.subarray(row * columns, (row + 1) * columns).reduce((a, b) => a + b, 0);
      if (Math.abs(sum - 1) > 1e-9) t.fail(`${from} to ${to}: row ${row} adds up to ${sum}`);
    }
    t.pass(`${from} to ${to}: each row adds up to 1`);
  }
  t.end();
});
