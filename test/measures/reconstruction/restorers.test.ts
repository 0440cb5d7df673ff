import t from 'tap';
import {
  hiddenError,
  meanPatch,
  nearestPatch,
  pixelPlaces,
  smoothFill,
  windowPatches,
} from '../../../src/measures/reconstruction/restorers.ts';
import { denormalisePixels } from '../../../src/vision/patches.ts';

/** Grey patches of one pixel: each value three times. */
const grey = (...values: number[]) => Float32Array.from(values.flatMap((value) => [value, value, value]));
const values = (patches: Float32Array) => Array.from({ length: patches.length / 3 }, (_, i) => patches[3 * i]!);
const rounded = (patches: Float32Array) => values(patches).map((value) => Math.round(value * 1e4) / 1e4);

t.test('a window is cut patch by patch, row by row, channel fastest, and normalised', (t) => {
  // 4 × 6 pixels, byte = its index; the window begins at patch (0, 1) of 2 × 2 pixels.
  const picture = Uint8Array.from({ length: 4 * 6 * 3 }, (_, i) => i);
  const patches = windowPatches(picture, 6, 0, 1, { p: 2, K: 2 });
  const bytes = Array.from(denormalisePixels(patches));
  t.same(bytes.slice(0, 12), [6, 7, 8, 9, 10, 11, 24, 25, 26, 27, 28, 29], 'patch 0: columns 2 and 3 of rows 0 and 1');
  t.same(bytes.slice(12, 15), [12, 13, 14], 'patch 1 begins at column 4');
  t.same(bytes.slice(24, 27), [42, 43, 44], 'patch 2 begins at row 2');
  t.ok(Math.abs(patches[1]! - (7 / 255 - 0.456) / 0.224) < 1e-6);
  t.end();
});

t.test('places of pixels: patch 1 of a 2 × 2 window of 2 × 2 patches begins in column 2', (t) => {
  const places = pixelPlaces({ p: 2, K: 2 });
  t.same([...places.slice(0, 6)], [0, 1, 2, 3, 4, 5]);
  t.same([...places.slice(6, 9)], [12, 13, 14], 'second row of patch 0');
  t.same([...places.slice(12, 15)], [6, 7, 8]);
  t.same(
    [...places].sort((a, b) => a - b),
    Array.from({ length: 48 }, (_, i) => i),
    'each pixel once',
  );
  t.end();
});

t.test('mean patch: the visible mean, position by position', (t) => {
  const patches = Float32Array.of(1, 2, 3, 9, 9, 9, 3, 4, 5, 8, 8, 8);
  t.same([...meanPatch(patches, Uint8Array.of(0, 1, 0, 1))], [1, 2, 3, 2, 3, 4, 3, 4, 5, 2, 3, 4]);
  t.same(
    [...meanPatch(patches, Uint8Array.of(1, 1, 1, 1))],
    new Array(12).fill(0),
    'nothing visible: the mean of all pictures',
  );
  t.end();
});

t.test('nearest patch: the smallest distance, first in raster order', (t) => {
  const patches = grey(1, 2, 3, 4, 5, 6, 7, 8, 9);
  // Hidden: the centre (neighbours 2, 4, 6, 8 as near: 2 comes first) and the last corner (6 before 8).
  t.same(values(nearestPatch(patches, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 1))), [1, 2, 3, 4, 2, 6, 7, 8, 6]);
  // Only the top left and the middle of the right column are seen: a diagonal step is nearer than two straight ones.
  t.same(values(nearestPatch(patches, Uint8Array.of(0, 1, 1, 1, 1, 0, 1, 1, 1))), [1, 1, 6, 1, 6, 6, 1, 6, 6]);
  t.same(values(nearestPatch(grey(5, 5, 5, 5), Uint8Array.of(1, 1, 1, 1))), [0, 0, 0, 0]);
  t.end();
});

t.test('smooth fill: fixed where seen, harmonic where hidden, mirrored at the border', (t) => {
  const shape = { p: 1, K: 3 };
  const centre = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0);
  t.same(
    rounded(smoothFill(grey(0, 1, 0, 2, 99, 4, 0, 5, 0), centre, shape, 1)),
    [0, 1, 0, 2, 3, 4, 0, 5, 0],
    'one sweep',
  );
  const corner = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0);
  // v = (v + v + 2 + 6) / 4, so v = 4.
  t.same(rounded(smoothFill(grey(99, 2, 0, 6, 0, 0, 0, 0, 0), corner, shape))[0], 4, 'the mirror');
  const row = Uint8Array.of(0, 0, 0, 1, 1, 1, 0, 0, 0);
  t.same(rounded(smoothFill(grey(0, 0, 0, 9, 9, 9, 2, 2, 2), row, shape)).slice(3, 6), [1, 1, 1]);
  const most = Uint8Array.of(0, 1, 1, 1, 1, 1, 1, 1, 0);
  t.same(
    rounded(smoothFill(grey(1, 9, 9, 9, 9, 9, 9, 9, 3), most, shape, 0)).slice(1, 3),
    [2, 2],
    'it begins at the visible mean',
  );
  // Channels do not mix, and patches of two pixels are joined over their borders.
  const colours = new Float32Array(48).map((_, i) => (i < 12 || i >= 24 ? (i % 3) + 1 : 77));
  const filled = smoothFill(colours, Uint8Array.of(0, 1, 0, 0), { p: 2, K: 2 });
  t.same(
    Array.from(filled.slice(12, 18), (value) => Math.round(value * 1e4) / 1e4),
    [1, 2, 3, 1, 2, 3],
  );
  t.end();
});

t.test('the error is taken over hidden patches alone', (t) => {
  const error = hiddenError(grey(0, 1, 5, 5), grey(9, 2, 9, 2), Uint8Array.of(0, 1, 0, 1));
  t.same(error, { sum: 3 * 1 + 3 * 9, count: 6 });
  t.end();
});
