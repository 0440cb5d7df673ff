import t from 'tap';
import type { RestoredImage } from '../../../src/measures/reconstruction/errors.ts';
import { restorationColumns, restorationRow } from '../../../src/measures/reconstruction/panels.ts';
import { normalisePixels } from '../../../src/vision/patches.ts';
import type { Pixels } from '../../../src/vision/picture.ts';

/** A grey image of 4 × 4 patches of 2 px, with a window of 2 × 2 patches, restored as 200. */
const image: RestoredImage = {
  key: 'a.jpg',
  picture: new Uint8Array(8 * 8 * 3).fill(100),
  height: 8,
  width: 8,
  shape: { p: 2, K: 2 },
  whole: false,
  windows: [
    {
      topPatch: 1,
      leftPatch: 2,
      mask: Uint8Array.of(0, 1, 1, 0),
      restored: normalisePixels(new Uint8Array(48).fill(200)),
    },
  ],
};

/** The first channel in the middle of each patch of a tile of `side` × `side` patches. */
const patches = (tile: Pixels, side: number) =>
  Array.from({ length: side * side }, (_, i) => {
    const middle = (at: number) => Math.floor(((at + 0.5) * tile.width) / side);
    return tile.data[(middle(Math.floor(i / side)) * tile.width + middle(i % side)) * 3]!;
  });

t.test('a window in panels: picture, window, what is hidden, what is made of it, both joined', (t) => {
  t.same(restorationColumns(image), ['picture', 'window', 'hidden', 'restored', 'both joined']);
  const { tiles, caption } = restorationRow(image, 'a caption', 64);
  t.equal(caption, 'a caption');
  t.same(
    tiles.map((tile) => tile?.width),
    [64, 64, 64, 64, 64],
    'the window is as large as the picture',
  );
  const [picture, window, hidden, restored, joined] = tiles as Pixels[];
  t.same(patches(picture!, 4), Array(16).fill(100));
  // The frame of the window: from row 2, column 4 of 8 px, eight times as large.
  const at = (y: number, x: number) => picture!.data[(y * 64 + x) * 3];
  t.not(at(16, 40), 100);
  t.equal(at(15, 40), 100);
  t.same(patches(window!, 2), [100, 100, 100, 100]);
  t.same(patches(hidden!, 2), [100, 136, 136, 100]);
  t.same(patches(restored!, 2), [225, 200, 200, 225]);
  t.same(patches(joined!, 2), [100, 200, 200, 100]);
  t.end();
});

t.test('a picture that is masked as a whole, and one that is given at low resolution too', (t) => {
  const { windows, ...rest } = image;
  const mask = Uint8Array.from({ length: 16 }, (_, i) => (i === 5 ? 1 : 0));
  const restored = normalisePixels(new Uint8Array(16 * 12).fill(200));
  const whole: RestoredImage = {
    ...rest,
    shape: { p: 2, K: 4 },
    whole: true,
    windows: [{ topPatch: 0, leftPatch: 0, mask, restored }],
  };
  t.same(restorationColumns(whole), ['picture', 'hidden', 'restored', 'both joined']);
  t.same(
    patches(restorationRow(whole, '', 8).tiles[3]!, 4),
    Array.from(mask, (hidden) => (hidden ? 200 : 100)),
  );
  const low = { width: 8, height: 8, data: new Uint8Array(192).fill(90) };
  const given = { ...whole, low: { nearest: low, bicubic: low } };
  t.same(restorationColumns(given), ['picture', 'low-res', 'hidden', 'restored', 'both joined']);
  t.same(patches(restorationRow(given, '', 8).tiles[1]!, 4), Array(16).fill(90));
  t.end();
});
