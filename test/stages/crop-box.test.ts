import t from 'tap';
import { cropBox } from '../../src/stages/crop-box.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.ramp, channels: 3 });
const withBox = { ...anyPictures, fields: { ...anyPictures.fields, box: { dtype: 'int32', shape: [4] } } } as const;
const cut = async (...box: number[]) =>
  kit.rowsOf(
    await stageOf(cropBox, {}, withBox)
      .run({ picture, box: Int32Array.from(box) })
      .picture.pixels(),
  );

t.test('the box, and of one that juts out what lies in the picture', async (t) => {
  t.same(await cut(1, 1, 2, 2), [
    [80, 96],
    [144, 160],
  ]);
  const whole = kit.rowsOf(kit.ramp);
  t.same(await cut(-5, -5, 20, 20), whole);
  t.same(await cut(2, 3, 100, 100), [whole[3]!.slice(2)]);
});

t.test('a box beside the picture, or without pixels, fails alone', async (t) => {
  for (const box of [
    [4, 0, 2, 2],
    [0, -3, 2, 2],
    [1, 1, 0, 2],
  ])
    await t.rejects(cut(...box), { code: 'PICTURE_BOX' });
});

t.test('spec and options', async (t) => {
  t.equal(stageOf(cropBox, {}, { ...withBox, size: [4, 4] }).output.size, undefined, 'sizes then vary');
  t.same(stageOf(cropBox, {}, { ...picturesOf(4), grid: { patch: 2, side: 2 } }).codes.includes('STAGE_ORDER'), true);
  t.ok(refuses(cropBox, { box: [1, 2, 3, 4] }));
});
