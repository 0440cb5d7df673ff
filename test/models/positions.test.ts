import t from 'tap';
import { gridPositions } from '../../src/models/positions.ts';

const rounded = (values: Float32Array) => Array.from(values, (v) => Number(v.toFixed(6)));

t.test('sines and cosines of the column, then of the row, worked out by hand; cls has zeros', (t) => {
  const table = gridPositions(3, 3, 8);
  const row = (token: number) => rounded(table.subarray(token * 8, (token + 1) * 8));
  t.equal(table.length, 10 * 8);
  t.same(row(0), [0, 0, 0, 0, 0, 0, 0, 0], 'cls');
  t.same(row(1), [0, 0, 1, 1, 0, 0, 1, 1], 'row 0, column 0');
  t.same(row(2), [0.841471, 0.01, 0.540302, 0.99995, 0, 0, 1, 1], 'row 0, column 1');
  t.same(row(4), [0, 0, 1, 1, 0.841471, 0.01, 0.540302, 0.99995], 'row 1, column 0');
  t.end();
});

t.test('a grid that is not square keeps rows and columns apart', (t) => {
  const [wide, square] = [gridPositions(2, 5, 12), gridPositions(5, 5, 12)];
  t.same(wide, square.subarray(0, wide.length), 'the first rows of a longer grid');
  t.end();
});

t.test('a width that cannot be divided into sines and cosines of two axes', (t) => {
  t.throws(() => gridPositions(2, 2, 6), /MODEL_POSITIONS: .* got 6. Try 8/);
  t.throws(() => gridPositions(2, 2, 1), /MODEL_POSITIONS: .* Try 4/);
  t.end();
});
