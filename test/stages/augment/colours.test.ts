import t from 'tap';
import { Random } from '../../../src/random.ts';
import { colorJitter } from '../../../src/stages/augment/color-jitter.ts';
import { gaussianBlur } from '../../../src/stages/augment/gaussian-blur.ts';
import { randomGrayscale } from '../../../src/stages/augment/random-grayscale.ts';
import { solarize } from '../../../src/stages/augment/solarize.ts';
import type { Effect } from '../../../src/vision/geometry.ts';
import { type Picture, rawPicture } from '../../../src/vision/picture.ts';
import * as kit from '../../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../../kit/stages.ts';

const picture = rawPicture({ ...kit.gradient(40, 30), channels: 3 });
const key = 'cats/one.jpg#0';

/** What was done to a picture, the first first. */
function effectsOf(made: Picture): Effect[] {
  const operation = made.from?.operation;
  if (made.from === undefined || operation?.kind !== 'effect') return [];
  return [...effectsOf(made.from.picture), operation.effect];
}

t.test('color-jitter: whether, the order, four factors', (t) => {
  const random = new Random(7, 'color-jitter', key);
  random.word();
  const order = random.permutation(4);
  const jittered = (options: object) =>
    effectsOf(stageOf(colorJitter, options, anyPictures).run({ picture }, { key }).picture);
  const effects: Effect[] = [
    { kind: 'brightness', factor: random.between(0.6, 1.4) },
    { kind: 'contrast', factor: random.between(0, 3) },
    { kind: 'saturation', factor: random.between(0.9, 1.1) },
    { kind: 'hue', shift: Math.trunc(random.between(-0.2, 0.2) * 255) & 255 },
  ];
  const found = jittered({ contrast: 2, saturation: 0.1, hue: 0.2 });
  t.same(
    found,
    Array.from(order, (i) => effects[i]),
  );
  t.same([...order], [1, 2, 3, 0], 'as docs/chance.md has it');
  t.same(
    found.map((effect) => ('factor' in effect ? effect.factor.toFixed(6) : 'shift' in effect && effect.shift)),
    ['0.645612', '0.939985', 5, '0.810219'],
  );
  t.same(
    jittered({ contrast: 0, saturation: 0 }).map(({ kind }) => kind),
    ['brightness'],
    'amounts of 0 are left out',
  );
  t.same(jittered({ probability: 0 }), []);
  for (const options of [{ brightness: -1 }, { hue: 0.6 }, { probability: 2 }, { gamma: 1 }])
    t.ok(refuses(colorJitter, options), JSON.stringify(options));
  t.end();
});

t.test('those that are done or not: as often as they should be, with words of their own', (t) => {
  const cases = [
    { factory: randomGrayscale, options: {}, often: 0.1, effect: { kind: 'saturation', factor: 0 } },
    { factory: solarize, options: {}, often: 0.2, effect: { kind: 'solarize', threshold: 128 } },
    { factory: solarize, options: { threshold: 7 }, often: 0.2, effect: { kind: 'solarize', threshold: 7 } },
  ] as const;
  for (const { factory, options, often, effect } of cases) {
    const done = (probability: number | undefined, key: string) =>
      effectsOf(
        stageOf(factory, { ...options, ...(probability !== undefined && { probability }) }, anyPictures).run(
          { picture },
          { key },
        ).picture,
      );
    t.same(done(1, key), [effect]);
    t.same(done(0, key), []);
    const count = Array.from({ length: 2000 }, (_, i) => done(undefined, `${i}`)).filter((each) => each.length > 0);
    t.ok(Math.abs(count.length / 2000 - often) < 0.03, `${count.length} of 2000`);
  }
  const random = new Random(7, 'gaussian-blur', key);
  random.word();
  const sigma = random.between(0.1, 2);
  const blurred = (probability: number) =>
    effectsOf(stageOf(gaussianBlur, { probability }, anyPictures).run({ picture }, { key }).picture);
  t.same(blurred(1), [{ kind: 'blur', sigma }]);
  t.equal(sigma.toFixed(6), '1.408513', 'as docs/chance.md has it');
  t.same(blurred(0), []);
  t.end();
});

t.test('spec, variant for evaluation and options', (t) => {
  const copied = { fields: { picture: 'picture', lr: { picture: [2, 2] } }, size: [4, 4] } as const;
  for (const factory of [colorJitter, randomGrayscale, gaussianBlur, solarize]) {
    const of = (spec: Parameters<typeof stageOf>[2]) => stageOf(factory as typeof solarize, {}, spec);
    t.same(of(picturesOf(4)).output, picturesOf(4));
    t.equal(of(picturesOf(4)).evalVariant, null, 'left out in evaluation');
    t.same(of(copied).codes, ['STAGE_ORDER']);
  }
  t.same(stageOf(gaussianBlur, { sigma: [2, 1] }, anyPictures).codes, ['RANGE_ORDER']);
  t.ok(refuses(gaussianBlur, { sigma: [0, 1] }));
  t.ok(refuses(solarize, { threshold: 257 }));
  t.ok(refuses(randomGrayscale, { probability: -1 }));
  t.end();
});
