import t from 'tap';
import { downsample } from '../../src/stages/downsample.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.ramp, channels: 3 });

t.test('4 × 4 by factor 2: each pixel is near the mean of its quarter', async (t) => {
  const sample = stageOf(downsample, { factor: 2 }, picturesOf(4)).run({ picture });
  t.equal(sample.picture, picture, 'the picture stays');
  const rows = kit.rowsOf(await sample.lr.pixels());
  t.ok(
    [40, 72, 168, 200].every((mean, i) => Math.abs(rows.flat()[i]! - mean) <= 12),
    String(rows),
  );
});

t.test('antialiased: a checkerboard becomes grey', async (t) => {
  const board = kit.pixelsOf(
    Array.from({ length: 32 }, (_, y) => Array.from({ length: 32 }, (_, x) => ((x + y) % 2) * 255)),
  );
  const { lr } = stageOf(downsample, {}, picturesOf(32)).run({ picture: rawPicture({ ...board, channels: 3 }) });
  t.ok((await lr.pixels()).data.every((value) => Math.abs(value - 127.5) < 6));
});

t.test('sizes round: 224 by 2, 3, 4', async (t) => {
  const lr = (options: unknown) => stageOf(downsample, options, picturesOf(224)).output.fields.lr;
  t.same(
    [2, 3, 4].map((factor) => lr({ factor })),
    [112, 75, 56].map((side) => ({ picture: [side, side] })),
  );
  t.same(lr({ size: [8, 9] }), { picture: [8, 9] });
  const sample = stageOf(downsample, { factor: 3 }, { ...anyPictures, open: true }).run({
    picture: picture.resize({ width: 224, height: 100, fit: 'fill' }),
  });
  t.same([sample.lr.width, sample.lr.height], [75, 33], 'from the sample where the spec is open');
});

t.test('spec and options', async (t) => {
  t.same(stageOf(downsample, {}, anyPictures).codes, ['SIZE_VARIES']);
  t.same(stageOf(downsample, {}, { ...anyPictures, open: true }).output.fields.lr, { picture: null });
  t.same(stageOf(downsample, { size: 5 }, picturesOf(4)).codes, ['DOWNSAMPLE_SIZE']);
  for (const options of [{ factor: 5 }, { factor: 1 }, { size: 0 }, { kernel: 'box' }, { scale: 2 }])
    t.ok(refuses(downsample, options));
});
