import t from 'tap';
import { fitText, textWidth } from '../../../src/vision/draw/font.ts';
import {
  drawSheet,
  encodePng,
  enlarge,
  maskPatches,
  outlineWindows,
  windowColours,
} from '../../../src/vision/draw/sheet.ts';
import { blankPixels } from '../../../src/vision/pixels.ts';
import * as kit from '../../kit/pictures/pictures.ts';

const at = ({ width, data }: { width: number; data: Uint8Array }, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];
const tile = blankPixels(64, 64, [10, 20, 30]);

t.test('enlarge repeats pixels', async (t) => {
  t.same(kit.rowsOf(enlarge(kit.pixelsOf([[1, 2]]), 2)), [
    [1, 1, 2, 2],
    [1, 1, 2, 2],
  ]);
});

t.test('windows are outlined in their colours, the tile stays as it is', async (t) => {
  const drawn = outlineWindows(tile, { windows: Int32Array.of(0, 0, 1, 2), K: 2, patch: 16 });
  t.same(at(drawn, 0, 0), windowColours[0]);
  t.same(at(drawn, 32, 16), windowColours[1]);
  t.same(at(drawn, 50, 40), [10, 20, 30], 'inside');
  t.same(at(tile, 0, 0), [10, 20, 30]);
});

t.test('masked: hidden is grey, disputed half grey, outside dimmed', async (t) => {
  const masks = Uint8Array.of(1, 0, 0, 0, /* second window */ 1, 1, 0, 0);
  const windows = { windows: Int32Array.of(0, 0, 0, 1), K: 2, patch: 16 };
  const drawn = maskPatches(tile, masks, { side: 4, patch: 16, windows });
  t.same(at(drawn, 8, 8), [136, 136, 140], 'hidden in the only window');
  t.same(at(drawn, 17, 1), [10, 20, 30], 'hidden in one, visible in the other: above the diagonal');
  t.same(at(drawn, 30, 14), [136, 136, 140], 'below it');
  t.same(at(drawn, 8, 24), [10, 20, 30], 'visible');
  t.ok(at(drawn, 8, 60)[0]! > 200, 'in no window');
  const whole = maskPatches(tile, Uint8Array.of(0, 1, 0, 0), { side: 2, patch: 32 });
  t.same(
    [at(whole, 8, 8), at(whole, 40, 8)],
    [
      [10, 20, 30],
      [136, 136, 140],
    ],
  );
});

t.test('a page of headings, tiles and captions', async (t) => {
  const page = drawSheet(
    ['image', 'a heading far too long'],
    [{ tiles: [tile, undefined], caption: 'ключ\u202e.jpg' }, { tiles: [tile, tile] }],
  );
  const marks = new Set(
    Array.from({ length: page.data.length / 3 }, (_, i) => [...page.data.subarray(i * 3, i * 3 + 3)].join()),
  );
  t.ok(marks.has('38,38,42') && marks.has('128,128,134') && marks.has('10,20,30'), 'ink, captions, tiles');
  t.match(Buffer.from(await encodePng(page)).toString('latin1', 1, 4), 'PNG');
  t.equal(textWidth('ab', 2), 22);
  t.equal(fitText('abcdef', 23, 1), 'abc…');
  t.equal(drawSheet([], []).height > 0, true);
});
