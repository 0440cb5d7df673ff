import t from 'tap';
import { Random } from '../../../src/random.ts';
import { operations } from '../../../src/stages/augment/operations.ts';
import { randAugment } from '../../../src/stages/augment/rand-augment.ts';
import type { Effect } from '../../../src/vision/geometry.ts';
import { type Picture, rawPicture } from '../../../src/vision/picture.ts';
import * as kit from '../../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../../kit/stages.ts';

const picture = rawPicture({ ...kit.gradient(40, 30), channels: 3 });

/** What was done to a picture, the first first. */
function effectsOf(made: Picture): Effect[] {
  const operation = made.from?.operation;
  if (made.from === undefined || operation?.kind !== 'effect') return [];
  return [...effectsOf(made.from.picture), operation.effect];
}

const augmented = (options: object, key = 'cats/one.jpg#0') =>
  effectsOf(stageOf(randAugment, options, anyPictures).run({ picture }, { key }).picture);

t.test('the documented draws: five words an operation', (t) => {
  const random = new Random(7, 'rand-augment', 'cats/one.jpg#0');
  const drawn = [0, 1, 2].map(() => {
    const [which, isDone] = [random.integer(15), random.uniform() < 0.5];
    return { which, isDone, magnitude: 9 + 0.5 * random.normal(), sign: random.uniform() < 0.5 ? -1 : 1 } as const;
  });
  const expected = drawn
    .filter(({ isDone }) => isDone)
    .map(({ which, magnitude, sign }) => {
      const strength = Math.min(10, magnitude) / 10;
      return operations[which]!.make(strength, { width: 40, height: 30, sign, background: [124, 116, 104] });
    });
  t.same(augmented({ operations: 3 }), expected);
  t.same(
    drawn.map(({ which, isDone, magnitude, sign }) => [operations[which]!.name, isDone, magnitude.toFixed(6), sign]),
    [
      ['rotate', true, '9.106145', 1],
      ['contrast', true, '9.279724', 1],
      ['translateY', true, '9.084834', -1],
    ],
    'as docs/chance.md has it',
  );
  t.end();
});

t.test('always, never, each operation as often as the others', (t) => {
  t.same(augmented({ probability: 0 }), []);
  const counts = new Map<string, number>();
  let done = 0;
  for (let i = 0; i < 3000; i++) {
    const effects = augmented({ probability: 1, deviation: 0 }, `${i}`);
    t.equal(effects.length, 2);
    for (const { kind } of effects) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    done += augmented({}, `${i}`).length;
  }
  const share = (kind: string) => (counts.get(kind) ?? 0) / 6000;
  for (const kind of ['autoContrast', 'equalize', 'posterize', 'solarizeAdd', 'brightness', 'contrast', 'sharpness']) {
    t.ok(Math.abs(share(kind) - 1 / 15) < 0.015, `${kind}: ${share(kind)}`);
  }
  t.ok(Math.abs(share('affine') - 5 / 15) < 0.03, 'rotate, shear and translate');
  t.ok(Math.abs(share('solarize') - 2 / 15) < 0.02, 'invert and solarize');
  t.ok(Math.abs(done / 6000 - 0.5) < 0.03, 'half of what is drawn is done');
  t.end();
});

t.test('the strongest and the weakest', (t) => {
  const make = (name: string, strength: number, sign: 1 | -1 = 1) =>
    operations
      .find((each) => each.name === name)!
      .make(strength, { width: 40, height: 30, sign, background: [1, 2, 3] });
  t.same(make('posterize', 1), { kind: 'posterize', bits: 0 });
  t.same(make('posterize', 0.9), { kind: 'posterize', bits: 1 });
  t.same(make('solarize', 1), { kind: 'solarize', threshold: 0 });
  t.same(make('solarize', 0), { kind: 'solarize', threshold: 256 });
  t.same(make('solarizeAdd', 1), { kind: 'solarizeAdd', add: 110 });
  t.same(make('color', 1), { kind: 'saturation', factor: 1.9 });
  t.same(make('brightness', 1, -1), { kind: 'brightness', factor: 0.1 });
  t.same(make('translateX', 1), { kind: 'affine', matrix: [1, 0, 18, 0, 1, 0], background: [1, 2, 3] });
  t.same(make('translateY', 1, -1), { kind: 'affine', matrix: [1, 0, 0, 0, 1, -13.5], background: [1, 2, 3] });
  t.same(make('rotate', 0), { kind: 'affine', matrix: [1, -0, 0, 0, 1, 0], background: [1, 2, 3] });
  const magnitudes = Array.from({ length: 200 }, (_, i) =>
    augmented({ magnitude: 10, deviation: 3, probability: 1 }, `${i}`),
  )
    .flat()
    .flatMap((effect) => (effect.kind === 'solarizeAdd' ? [effect.add] : []));
  t.ok(magnitudes.length > 10 && Math.max(...magnitudes) === 110, 'a magnitude is 10 at most');
  t.end();
});

t.test('spec, variant for evaluation and options', (t) => {
  const stage = stageOf(randAugment, {}, picturesOf(4));
  t.same(stage.output, picturesOf(4));
  t.equal(stage.evalVariant, null, 'left out in evaluation');
  const copied = { fields: { picture: 'picture', lr: { picture: [2, 2] } }, size: [4, 4] } as const;
  t.same(stageOf(randAugment, {}, copied).codes, ['STAGE_ORDER']);
  t.same(stageOf(randAugment, {}, { ...picturesOf(4), grid: { patch: 2, side: 2 } }).codes, []);
  for (const options of [
    { operations: 0 },
    { magnitude: 11 },
    { deviation: -1 },
    { probability: 2 },
    { background: [1, 2] },
    { policy: 'm9' },
  ])
    t.ok(refuses(randAugment, options), JSON.stringify(options));
  t.end();
});
