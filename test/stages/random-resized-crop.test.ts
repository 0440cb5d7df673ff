import t from 'tap';
import { randomResizedCrop } from '../../src/stages/random-resized-crop.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.gradient(500, 375), channels: 3 });

t.test('the documented draws: area, proportion, top, left', async (t) => {
  // Words of (seed 7, cats/one.jpg#0, epoch 0): 2f19609c 60eb4742 8e9e9f38 7050ecb1.
  const [area, proportion, top, left] = [0x2f19609c, 0x60eb4742, 0x8e9e9f38, 0x7050ecb1].map(
    (word) => word / 2 ** 32,
  ) as [number, number, number, number];
  const pixels = 500 * 375 * (0.2 + 0.8 * area);
  const ratio = Math.exp(Math.log(3 / 4) + (Math.log(4 / 3) - Math.log(3 / 4)) * proportion);
  const width = Math.round(Math.sqrt(pixels * ratio));
  const height = Math.round(Math.sqrt(pixels / ratio));
  const box = { left: Math.floor(left * (501 - width)), top: Math.floor(top * (376 - height)), width, height };
  const made = stageOf(randomResizedCrop, { size: 96 }, anyPictures).run(
    { picture },
    { key: 'cats/one.jpg#0' },
  ).picture;
  t.same([made.width, made.height], [96, 96]);
  const operations = [made.from?.picture.from?.operation, made.from?.operation];
  t.same(operations, [
    { kind: 'crop', box },
    { kind: 'resize', width: 96, height: 96, kernel: 'bicubic' },
  ]);
});

t.test('the same key and epoch give the same crop, others others', async (t) => {
  const crop = (key: string, epoch: number) =>
    JSON.stringify(
      stageOf(randomResizedCrop, { size: 8 }, anyPictures).run({ picture }, { key, epoch }).picture.from?.picture.from
        ?.operation,
    );
  t.equal(crop('a', 0), crop('a', 0));
  t.not(crop('a', 0), crop('a', 1));
  t.not(crop('a', 0), crop('b', 0));
});

t.test('spec, variant for evaluation and options', async (t) => {
  const stage = stageOf(randomResizedCrop, { size: [32, 48], kernel: 'bilinear' }, anyPictures);
  t.same(stage.output.size, [32, 48]);
  t.same(stage.evalVariant, { name: 'resize', options: { size: [32, 48], kernel: 'bilinear', fit: 'cover' } });
  t.same(stageOf(randomResizedCrop, { scale: [1, 0.2], ratio: [2, 1] }, anyPictures).codes, [
    'RANGE_ORDER',
    'RANGE_ORDER',
  ]);
  t.same(stageOf(randomResizedCrop, {}, { ...picturesOf(8), grid: { patch: 4, side: 2 } }).codes, ['STAGE_ORDER']);
  for (const options of [
    { scale: [0, 1] },
    { scale: [0.2, 1.1] },
    { scale: 0.2 },
    { ratio: [0, 1] },
    { size: 'big' },
    { flip: true },
  ]) {
    t.ok(refuses(randomResizedCrop, options), JSON.stringify(options));
  }
});
