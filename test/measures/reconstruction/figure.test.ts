import t from 'tap';
import type { RestoredImage } from '../../../src/measures/reconstruction/errors.ts';
import {
  reconstructionColumns,
  reconstructionFigure,
  reconstructionRow,
} from '../../../src/measures/reconstruction/figure.ts';
import { normalisePixels } from '../../../src/vision/patches.ts';

/** A grey image of 4 × 4 patches of 2 px; two windows of 2 × 2 patches, the second over the first's last patch. */
function image(): RestoredImage {
  const made = (value: number) => normalisePixels(new Uint8Array(4 * 12).fill(value));
  return {
    key: 'a.jpg',
    picture: new Uint8Array(8 * 8 * 3).fill(100),
    height: 8,
    width: 8,
    shape: { p: 2, K: 2 },
    whole: false,
    windows: [
      { topPatch: 0, leftPatch: 0, mask: Uint8Array.of(0, 1, 0, 1), restored: made(200) },
      { topPatch: 1, leftPatch: 1, mask: Uint8Array.of(1, 0, 0, 0), restored: made(50) },
    ],
  };
}

t.test('hidden patches are restored, the mean where windows overlap, and what no window covers is dimmed', (t) => {
  const { tiles, caption } = reconstructionRow(image(), 8);
  t.equal(caption, 'a.jpg');
  const [plain, , masked, restored] = tiles.map((tile) => {
    const at = (row: number, column: number) => tile!.data[(row * 2 * 8 + column * 2) * 3];
    return [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => at(row, column)));
  });
  t.same(plain, Array(4).fill(Array(4).fill(100)));
  const dim = restored![3]![3];
  t.same(restored, [
    [100, 200, dim, dim],
    [100, 125, 100, dim],
    [dim, 100, 100, dim],
    [dim, dim, dim, dim],
  ]);
  t.ok(dim! > 200);
  t.ok(masked![0]![1] !== 100 && masked![0]![1] !== dim, 'hidden');
  t.equal(masked![0]![0], 100, 'visible');
  t.end();
});

t.test('the figure is a PNG, small images enlarged', async (t) => {
  const png = Buffer.from(await reconstructionFigure([image(), image()]));
  t.equal(png.toString('latin1', 1, 4), 'PNG');
  t.ok(png.readUInt32BE(16) > 4 * 160, 'four tiles of at least 160 pixels');
});

t.test('where the whole grid is masked: what the model is given, what it makes of it, and the original', (t) => {
  const made = normalisePixels(new Uint8Array(4 * 12).fill(200));
  const window = { topPatch: 0, leftPatch: 0, mask: Uint8Array.of(0, 1, 0, 0), restored: made };
  const whole: RestoredImage = {
    ...image(),
    picture: new Uint8Array(4 * 4 * 3).fill(100),
    height: 4,
    width: 4,
    windows: [window],
    whole: true,
  };
  t.same(reconstructionColumns(whole), ['masked', 'restored', 'original']);
  const low = { width: 4, height: 4, data: new Uint8Array(48).fill(90) };
  const given = { ...whole, low: { nearest: low, bicubic: low } };
  t.same(reconstructionColumns(given), ['low-res', 'masked', 'restored', 'original']);
  const patches = reconstructionRow(given, 4).tiles.map((tile) => [0, 2].map((x) => tile!.data[x * 3]));
  t.same(patches[0], [90, 90]);
  t.equal(patches[1]![0], 100, 'visible');
  t.not(patches[1]![1], 100, 'hidden');
  t.same(patches.slice(2), [
    [100, 200],
    [100, 100],
  ]);
  t.end();
});
