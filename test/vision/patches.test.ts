import t from 'tap';
import { channelMean, channelStd, cutWindow, denormalisePixels, normalisePixels } from '../../src/vision/patches.ts';
import { patchify } from '../kit/pictures/patches.ts';

const numbered = (height: number, width: number) => Float32Array.from({ length: height * width * 3 }, (_, i) => i);

t.test('a 4 × 4 picture in patches of 2, by hand', (t) => {
  const patches = patchify(numbered(4, 4), { height: 4, width: 4, patch: 2 });
  t.same([...patches.subarray(0, 12)], [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]);
  t.same([...patches.subarray(12, 24)], [6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23], 'the second is to the right');
  t.same([...patches.subarray(24, 27)], [24, 25, 26], 'the third starts the next row');
  t.end();
});

t.test('row 0, column 1, channel 2 of patch 0 is number 5', (t) => {
  const pixels = new Uint8Array(32 * 32 * 3);
  pixels[1 * 3 + 2] = 9;
  t.equal(patchify(pixels, { height: 32, width: 32, patch: 16 }).indexOf(9), 5);
  t.end();
});

t.test('a window is its patches, in raster order', (t) => {
  const grid = { height: 8, width: 12, patch: 2 };
  const pixels = numbered(8, 12);
  const patches = patchify(pixels, grid);
  const out = new Float32Array(1 + 4 * 12);
  cutWindow(pixels, { widthPx: 12, patch: 2, K: 2, topPatch: 1, leftPatch: 3 }, out, 1);
  const want = [1 * 6 + 3, 1 * 6 + 4, 2 * 6 + 3, 2 * 6 + 4].flatMap((index) => [
    ...patches.subarray(index * 12, (index + 1) * 12),
  ]);
  t.same([...out], [0, ...want]);
  t.end();
});

t.test('normalising: the channels’ constants, and back to the same bytes', (t) => {
  const bytes = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  const values = normalisePixels(bytes);
  t.ok(Math.abs(values[0]! + 0.485 / 0.229) < 1e-6);
  t.ok(Math.abs(values[767]! - (1 - 0.406) / 0.225) < 1e-6);
  t.same(denormalisePixels(values), bytes);
  t.same([...denormalisePixels([9, -9, 0])], [255, 0, 104], 'clipped and rounded');
  t.same([channelMean.length, channelStd.length], [3, 3]);
  t.end();
});
