import t from 'tap';
import { visibility } from '../../../src/models/layers/visible.ts';

const masksOf = (...rows: number[][]) => ({
  dtype: 'uint8' as const,
  shape: [rows.length, rows[0]!.length],
  data: Uint8Array.from(rows.flat()),
});

t.test('visible and hidden places in raster order, and the way back', (t) => {
  const { keep, hide, restore } = visibility(masksOf([0, 1, 1, 0], [1, 0, 0, 1]));
  t.same(
    [keep.shape, [...keep.data]],
    [
      [2, 2],
      [0, 3, 1, 2],
    ],
  );
  t.same(
    [hide.shape, [...hide.data]],
    [
      [2, 2],
      [1, 2, 0, 3],
    ],
  );
  t.same(
    [restore.shape, [...restore.data]],
    [
      [2, 4],
      [0, 2, 3, 1, 2, 0, 1, 3],
    ],
  );
  for (const numbers of [keep, hide, restore]) t.equal(numbers.dtype, 'int32');
  t.end();
});

t.test('nothing hidden', (t) => {
  const { keep, hide, restore } = visibility(masksOf([0, 0, 0]));
  t.same([...keep.data], [0, 1, 2]);
  t.same([...restore.data], [0, 1, 2]);
  t.same(hide.shape, [1, 0]);
  t.end();
});

t.test('pictures with different numbers of visible patches, or none', (t) => {
  t.throws(() => visibility(masksOf([0, 1, 1, 1], [0, 0, 1, 1])), /MASKS_UNEVEN: .* 4 patches .* got 2 after 1/);
  t.throws(() => visibility(masksOf([1, 1])), /MASKS_UNEVEN: .* got 0/);
  t.end();
});
