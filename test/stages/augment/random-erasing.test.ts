import t from 'tap';
import { Random } from '../../../src/random.ts';
import { randomErasing } from '../../../src/stages/augment/random-erasing.ts';
import type { Effect } from '../../../src/vision/geometry.ts';
import { rawPicture } from '../../../src/vision/picture.ts';
import * as kit from '../../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../../kit/stages.ts';

const picture = rawPicture({ ...kit.gradient(120, 90), channels: 3 });

function erased(
  options: object,
  key = 'cats/one.jpg#0',
  of = picture,
): (Effect & { kind: 'noise' | 'fill' }) | undefined {
  const made = stageOf(randomErasing, options, anyPictures).run({ picture: of }, { key }).picture;
  const operation = made.from?.operation;
  if (operation === undefined) return undefined;
  return operation.kind === 'effect' ? (operation.effect as Effect & { kind: 'noise' | 'fill' }) : undefined;
}

t.test('the documented draws: whether, area, proportion, top, left, two words of the key', (t) => {
  const random = new Random(7, 'random-erasing', 'cats/one.jpg#0');
  random.word();
  const area = 120 * 90 * random.between(0.02, 1 / 3);
  const proportion = Math.exp(random.between(Math.log(0.3), Math.log(1 / 0.3)));
  const [height, width] = [Math.round(Math.sqrt(area * proportion)), Math.round(Math.sqrt(area / proportion))];
  const top = random.integer(90 - height + 1);
  const left = random.integer(120 - width + 1);
  const key = [random.word(), random.word()];
  t.same(erased({ probability: 1 }), { kind: 'noise', box: { left, top, width, height }, key });
  t.same([left, top, width, height, ...key], [52, 25, 51, 54, 1376396013, 1936033290], 'as docs/chance.md has it');
  t.same(erased({ probability: 1, fill: 'mean' }), {
    kind: 'fill',
    box: { left, top, width, height },
    colour: [124, 116, 104],
  });
  t.end();
});

t.test('boxes are of the wished areas and proportions; a quarter of the pictures has one', (t) => {
  let count = 0;
  for (let i = 0; i < 2000; i++) {
    const found = erased({}, `${i}`);
    if (found === undefined) continue;
    count++;
    const { left, top, width, height } = found.box;
    t.ok(left >= 0 && top >= 0 && left + width <= 120 && top + height <= 90 && width < 120 && height < 90);
    // Sides are rounded.
    t.ok((width + 1) * (height + 1) > 0.02 * 10800 && (width - 1) * (height - 1) < 10800 / 3, `${width} × ${height}`);
    t.ok((height + 1) / (width - 1) > 0.3 && (height - 1) / (width + 1) < 1 / 0.3, `${width} × ${height}`);
  }
  t.ok(Math.abs(count - 500) < 60, `${count} of 2000`);
  t.equal(erased({ probability: 0 }), undefined);
  t.equal(erased({ probability: 1, scale: [1, 1] }), undefined, 'a box as large as the picture never fits');
  const tiny = rawPicture({ width: 1, height: 1, channels: 3, data: new Uint8Array(3) });
  t.equal(erased({ probability: 1 }, 'a', tiny), undefined, 'nor one in a picture of one pixel');
  t.end();
});

t.test('spec, variant for evaluation and options', (t) => {
  const stage = stageOf(randomErasing, {}, picturesOf(4));
  t.same(stage.output, picturesOf(4));
  t.equal(stage.evalVariant, null, 'left out in evaluation');
  const copied = { fields: { picture: 'picture', lr: { picture: [2, 2] } }, size: [4, 4] } as const;
  t.same(stageOf(randomErasing, { scale: [0.3, 0.1], ratio: [2, 1] }, copied).codes, [
    'RANGE_ORDER',
    'RANGE_ORDER',
    'STAGE_ORDER',
  ]);
  for (const options of [{ probability: 2 }, { scale: [0, 1] }, { ratio: [0, 1] }, { fill: 'black' }, { count: 2 }])
    t.ok(refuses(randomErasing, options), JSON.stringify(options));
  t.end();
});
