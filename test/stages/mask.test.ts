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

t.test('blocks: of the whole picture and of windows, exactly the share unless fewer are let be', async (t) => {
  const whole = picturesOf(64);
  const of = (options: object, spec = whole) => stageOf(mask, { patch: 8, ...options }, spec).run({ picture }).masks;
  t.equal(sum(of({ ratio: 0.5, blocks: {} })), 32);
  t.notSame(of({ ratio: 0.5, blocks: {} }), of({ ratio: 0.5 }));
  t.same(
    [0, 1].map((view) => sum(of({ ratio: 0.6, blocks: {} }, windowed).subarray(view * 25, (view + 1) * 25))),
    [15, 15],
  );
  const sums = Array.from({ length: 40 }, (_, i) =>
    sum(
      stageOf(mask, { ratio: 0.5, patch: 8, blocks: { exact: false } }, whole).run({ picture }, { key: `${i}` }).masks,
    ),
  );
  t.ok(Math.max(...sums) === 32 && Math.min(...sums) < 32 && Math.min(...sums) > 16, sums.join(' '));
  t.match(stageOf(mask, { ratio: 0.5, patch: 8, blocks: { exact: false } }, whole).output, {
    hidden: 32,
    uneven: true,
  });
  t.notOk('uneven' in stageOf(mask, { ratio: 0.5, patch: 8, blocks: {} }, whole).output);
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
  const blocks = (of: object, spec = picturesOf(64)) => stageOf(mask, { ratio: 0.5, patch: 8, blocks: of }, spec);
  t.same(blocks({ min: 33 }).messages, [
    'MASK_BLOCK: a block must be at most as large as what is hidden, 32 patches; got `blocks.min` 33. Try 32 or less, or leave it out.',
  ]);
  t.same(blocks({ min: 13 }, windowed).codes, ['MASK_BLOCK']);
  t.match(blocks({ min: 9, max: 8 }).messages, [/^RANGE_ORDER: .*min, max.* got \[9, 8\]/]);
  t.match(blocks({ aspect: [2, 1] }).messages, [/^RANGE_ORDER: .*aspect/]);
  for (const wrong of [{ min: 0 }, { aspect: [0, 1] }, { exact: 'yes' }, { share: 1 }])
    t.ok(refuses(mask, { blocks: wrong }));
  for (const options of [{ ratio: 0 }, { ratio: 1 }, { ratio: '80%' }, { patch: 0 }, { share: 0.5 }])
    t.ok(refuses(mask, options));
});
