import t from 'tap';
import { cropBox } from '../../src/stages/crop-box.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures/pictures.ts';
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

t.test('M6: a box beside the picture, or without pixels, fails alone, with its own numbers', async (t) => {
  for (const [box, text] of [
    [[4, 0, 2, 2], '2×2 at left 4, top 0'],
    [[0, -3, 2, 2], '2×2 at left 0, top -3'],
    [[900, 10, 50, 60], '50×60 at left 900, top 10'],
    [[1, 1, 0, 2], '0×2 at left 1, top 1'],
    [[1, 1, -2, 2], '-2×2 at left 1, top 1'],
  ] as const) {
    const error = await cut(...box).catch((error: unknown) => error);
    t.match(error, { code: 'BOX_OUTSIDE', message: new RegExp(`of 4×4 px.*got ${text}`) });
  }
  // Not of integers, where a source of the user's own gives them.
  const run = () => stageOf(cropBox, {}, withBox).run({ picture, box: [Number.NaN, 0, 2, 2] });
  t.throws(run, { code: 'BOX_OUTSIDE', message: /NaN/ });
});

t.test('spec and options', async (t) => {
  t.equal(stageOf(cropBox, {}, { ...withBox, size: [4, 4] }).output.size, undefined, 'sizes then vary');
  t.same(stageOf(cropBox, {}, { ...picturesOf(4), grid: { patch: 2, side: 2 } }).codes.includes('STAGE_ORDER'), true);
  t.ok(refuses(cropBox, { box: [1, 2, 3, 4] }));
});
