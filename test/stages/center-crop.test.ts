import t from 'tap';
import { centerCrop } from '../../src/stages/center-crop.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.ramp, channels: 3 });

t.test('the middle of 4 × 4', async (t) => {
  const middle = async (size: unknown) =>
    kit.rowsOf(await stageOf(centerCrop, { size }, anyPictures).run({ picture }).picture.pixels());
  t.same(await middle(2), [
    [80, 96],
    [144, 160],
  ]);
  t.same(await middle([1, 3]), [[64, 80, 96]]);
  t.same(await middle(4), kit.rowsOf(kit.ramp));
});

t.test('what is too small is refused: beforehand where sizes are known, else by sample', async (t) => {
  t.same(stageOf(centerCrop, { size: 5 }, picturesOf(4)).codes, ['CROP_LARGE']);
  t.same(stageOf(centerCrop, { size: 5 }, anyPictures).codes, []);
  t.throws(() => stageOf(centerCrop, { size: 5 }, anyPictures).run({ picture }), { code: 'CROP_LARGE' });
});

t.test('spec and options', async (t) => {
  t.same(stageOf(centerCrop, {}, anyPictures).output.size, [224, 224]);
  t.same(stageOf(centerCrop, { size: 2 }, { ...picturesOf(4), grid: { patch: 2, side: 2 } }).codes, ['STAGE_ORDER']);
  for (const options of [{ size: -1 }, { size: '4' }, { sizes: 4 }]) t.ok(refuses(centerCrop, options));
});
