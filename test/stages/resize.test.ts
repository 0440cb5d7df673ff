import t from 'tap';
import { resize } from '../../src/stages/resize.ts';
import { openPicture } from '../../src/vision/open.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.ramp, channels: 3 });

t.test('2 × 2 of a 4 × 4 ramp: each pixel is near what Pillow makes', async (t) => {
  const sample = stageOf(resize, { size: 2, kernel: 'bilinear' }, anyPictures).run({ picture });
  const rows = kit.rowsOf(await sample.picture.pixels());
  // Pillow 9.4's; native/image makes the same, sharp is 7 levels nearer to the plain means, which are 40, 72, 168, 200.
  const pillow = [57, 83, 157, 183];
  for (const [i, value] of rows.flat().entries()) t.ok(Math.abs(value - pillow[i]!) <= 7, `${i}: ${value}`);
});

t.test('to any size, also larger', async (t) => {
  for (const [size, width, height] of [
    [100, 100, 100],
    [8, 8, 8],
    [[3, 5], 5, 3],
  ] as const) {
    for (const fit of ['cover', 'contain', 'fill']) {
      const pixels = await stageOf(resize, { size, fit }, anyPictures).run({ picture }).picture.pixels();
      t.same([pixels.width, pixels.height], [width, height]);
    }
  }
});

t.test('spec and options', async (t) => {
  t.same(stageOf(resize, { size: [3, 5] }, anyPictures).output.size, [3, 5]);
  t.same(resize.definition.shorthand, 'size');
  for (const options of [
    {},
    { size: 0 },
    { size: 1.5 },
    { size: [1, 2, 3] },
    { size: 4, fit: 'crop' },
    { size: 4, kernel: 'cubic' },
    { size: 4, background: [256, 0, 0] },
    { size: 4, more: 1 },
  ]) {
    t.ok(refuses(resize, options), JSON.stringify(options));
  }
  t.same(stageOf(resize, { size: 4 }, { ...picturesOf(8), grid: { patch: 4, side: 2 } }).codes, ['STAGE_ORDER']);
  t.same(
    stageOf(resize, { size: 4 }, { fields: { picture: 'picture', lr: { picture: [2, 2] } }, size: [8, 8] }).codes,
    ['STAGE_ORDER'],
  );
});

t.test('two in a row go through the pixels of the first: what is gone is gone', async (t) => {
  // A chequerboard of single pixels: its mean, whatever comes after.
  const board = kit.pixelsOf(
    Array.from({ length: 32 }, (_, y) => Array.from({ length: 32 }, (_, x) => ((x + y) % 2) * 255)),
  );
  const small = rawPicture({ ...board, channels: 3 }).resize({ width: 8, height: 8 });
  const brought = await small.resize({ width: 32, height: 32 }).pixels();
  const { data } = await small.pixels();
  const again = await rawPicture({ data, width: 8, height: 8, channels: 3 }).resize({ width: 32, height: 32 }).pixels();
  t.same(kit.rowsOf(brought), kit.rowsOf(again), 'as from 8 × 8 bytes, of raw pixels');
  t.ok(Math.max(...brought.data) - Math.min(...brought.data) < 10, 'flat');
  const file = await openPicture(await kit.png(board));
  const decoded = await file.resize({ width: 8, height: 8 }).resize({ width: 32, height: 32 }).pixels();
  const apart = decoded.data.reduce((most, value, i) => Math.max(most, Math.abs(value - again.data[i]!)), 0);
  t.ok(apart <= 1, `and of a file, which another renderer decodes and makes small in one pass: ${apart}`);
});
