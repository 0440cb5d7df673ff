import t from 'tap';
import { randomFlip } from '../../src/stages/random-flip.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.ramp, channels: 3 });
const rows = kit.rowsOf(kit.ramp);

t.test('always, never, and about half of the time', async (t) => {
  const flip = (probability: number, key?: string) =>
    stageOf(randomFlip, { probability }, picturesOf(4)).run({ picture }, { key: key ?? 'a' }).picture;
  t.same(
    kit.rowsOf(await flip(1).pixels()),
    rows.map((row) => row.toReversed()),
  );
  t.equal(flip(0), picture);
  const flipped = Array.from({ length: 1000 }, (_, i) => flip(0.5, `${i}`)).filter((made) => made !== picture).length;
  t.ok(Math.abs(flipped - 500) < 70, `${flipped} of 1000`);
});

t.test('spec, variant for evaluation and options', async (t) => {
  t.same(stageOf(randomFlip, {}, picturesOf(4)).output, picturesOf(4));
  t.equal(stageOf(randomFlip, {}, picturesOf(4)).evalVariant, null, 'left out in evaluation');
  t.same(stageOf(randomFlip, {}, { fields: { picture: 'picture', lr: { picture: [2, 2] } }, size: [4, 4] }).codes, [
    'STAGE_ORDER',
  ]);
  t.same(stageOf(randomFlip, {}, { ...picturesOf(4), grid: { patch: 2, side: 2 } }).codes, [], 'a grid does not mind');
  for (const options of [{ probability: 1.1 }, { probability: '0.5' }, { p: 1 }]) t.ok(refuses(randomFlip, options));
});
