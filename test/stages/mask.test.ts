import t from 'tap';
import { mask } from '../../src/stages/mask.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import type { Spec } from '../../src/vision/spec.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.gradient(64, 64), channels: 3 });
const windowed: Spec = { ...picturesOf(64), grid: { patch: 8, side: 8 }, windows: { K: 5, M: 2 } };
const sum = (bits: Uint8Array) => bits.reduce((a, b) => a + b, 0);

t.test('in windows: exactly 15 of 25 each, on their own', async (t) => {
  const { masks } = stageOf(mask, { ratio: 0.6 }, windowed).run({ picture });
  const [first, second] = [masks.subarray(0, 25), masks.subarray(25)];
  t.same([masks.length, sum(first), sum(second)], [50, 15, 15]);
  t.not(first.join(), second.join());
});

t.test('over a 4 × 4 picture in patches of 2: MAE counts what it keeps', async (t) => {
  const tiny = rawPicture({ ...kit.ramp, channels: 3 });
  const hidden = (ratio: number) => sum(stageOf(mask, { ratio, patch: 2 }, picturesOf(4)).run({ picture: tiny }).masks);
  t.same([0.25, 0.5, 0.75, 0.7].map(hidden), [1, 2, 3, 3]);
  t.equal(
    sum(stageOf(mask, { patch: 8 }, { fields: {}, open: true }).run({ picture }).masks),
    52,
    '64 − ⌊64 · 0.2⌋, size from the sample',
  );
});

t.test('spec', async (t) => {
  t.same(stageOf(mask, {}, windowed).output.fields.masks, { dtype: 'uint8', shape: [2, 25] });
  const grid = stageOf(mask, { ratio: 0.75, patch: 16 }, picturesOf(224)).output;
  t.same(
    [grid.fields.masks, grid.grid],
    [
      { dtype: 'uint8', shape: [196] },
      { patch: 16, side: 14 },
    ],
  );
});

t.test('refusals', async (t) => {
  t.same(stageOf(mask, {}, picturesOf(64)).codes, ['MASK_GRID']);
  t.same(stageOf(mask, { patch: 15 }, picturesOf(64)).codes, ['PATCH_SIDE']);
  t.same(stageOf(mask, { patch: 4 }, windowed).codes, ['PATCH_TWO']);
  t.same(stageOf(mask, { patch: 8 }, windowed).codes, []);
  t.same(stageOf(mask, { patch: 8 }, anyPictures).codes, ['SIZE_VARIES']);
  t.same(stageOf(mask, { ratio: 0.01 }, windowed).codes, ['MASK_COUNT']);
  t.same(stageOf(mask, { ratio: 0.9999, patch: 32 }, picturesOf(64)).codes, ['MASK_COUNT']);
  for (const options of [{ ratio: 0 }, { ratio: 1 }, { ratio: '80%' }, { patch: 0 }, { share: 0.5 }])
    t.ok(refuses(mask, options));
});
