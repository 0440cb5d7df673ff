import t from 'tap';
import { gridPositions, resizedPositions } from '../../../src/models/layers/positions.ts';
import { expectClose } from '../../kit/training/tensors.ts';

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

t.test('a table of another grid: bicubic as PyTorch interpolates, cls kept', (t) => {
  // torch.nn.functional.interpolate(mode='bicubic', align_corners=False) in float64, on a 3 × 3 grid.
  const expected = {
    5: [
      -0.362304, 0.167584, 0.76, 0.542416, 0.238304, 1.140584, 1.628036, 2.15, 1.861964, 1.515416, 2.678, 3.095, 3.5,
      3.095, 2.678, 1.515416, 1.861964, 2.15, 1.628036, 1.140584, 0.238304, 0.542416, 0.76, 0.167584, -0.362304,
    ],
    2: [0.93713, 1.2640419, 1.2640419, 0.93713],
  };
  const cells = Array.from({ length: 9 }, (_, i) => ((31 * i * i + 7 * i) % 17) / 4);
  // Two numbers a place: the second is twice the first, so that columns are not mixed up with rows or numbers.
  const table = Float32Array.from([7, 8, ...cells.flatMap((value) => [value, 2 * value])]);
  for (const [side, values] of Object.entries(expected)) {
    const made = resizedPositions(table, 2, 3, Number(side));
    t.same([...made.subarray(0, 2)], [7, 8]);
    expectClose(
      t,
      made.filter((_, i) => i >= 2 && i % 2 === 0),
      values,
      1e-6,
      `to ${side}`,
    );
    expectClose(
      t,
      made.filter((_, i) => i >= 2 && i % 2 === 1),
      values.map((value) => 2 * value),
      1e-6,
    );
  }
  expectClose(t, resizedPositions(table, 2, 3, 3), table, 1e-7, 'the same grid');
  t.same([...resizedPositions(Float32Array.of(1, 2), 1, 1, 2)], [1, 2, 2, 2, 2], 'a grid of one patch');
  t.end();
});
