import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import { operations } from '../../../src/stages/augment/operations.ts';
import { randAugment } from '../../../src/stages/augment/rand-augment.ts';
import { applyEffect } from '../../../src/vision/effects/apply.ts';
import { normalShare } from '../../../src/vision/effects/noise.ts';
import type { Colour, Effect, Pixels } from '../../../src/vision/geometry.ts';
import { channelMean, channelStd } from '../../../src/vision/patches.ts';
import { rawPicture } from '../../../src/vision/picture.ts';
import { rgbToGrey } from '../../../src/vision/pixels.ts';
import { renderGrey, renderPixels } from '../../../src/vision/render/render.ts';
import * as kit from '../../kit/pictures/pictures.ts';
import { bySharp } from '../../kit/pictures/renderers.ts';

const skip = isAbsent(imageAddon()) ? 'native/image is not built' : false;

/** What Pillow, timm and torchvision make of a small photograph: bench/parity/augment.py. */
const expected = JSON.parse(readFileSync('fixtures/expected/augment.json', 'utf8')) as {
  readonly recipe: object;
  readonly order: readonly string[];
  readonly cases: readonly (
    | { readonly operation: number; readonly magnitude: number; readonly sign: 1 | -1 }
    | { readonly colour: 'brightness' | 'contrast' | 'saturation' | 'hue'; readonly factor: number }
    | { readonly blur: number }
  )[];
  readonly width: number;
  readonly height: number;
  readonly stride: number;
};
const { width, height, stride } = expected;
const stored = new Uint8Array(readFileSync('fixtures/expected/augment.bin'));
const photo: Pixels = { width, height, data: stored.subarray(0, width * height * 3) };
const background: Colour = [124, 116, 104];

function effectOf(one: (typeof expected.cases)[number]): Effect {
  if ('operation' in one) {
    const { operation, magnitude, sign } = one;
    return operations[operation]!.make(magnitude / 10, { width, height, sign, background });
  }
  if ('blur' in one) return { kind: 'blur', sigma: one.blur };
  const { colour, factor } = one;
  if (colour === 'hue') return { kind: 'hue', shift: Math.trunc(factor * 255) & 255 };
  return { kind: colour, factor };
}

function noise(width: number, height: number): Pixels {
  const random = new Random(7, 'noise', 'test');
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.uniform() * 256) };
}

t.test('Pillow makes the same of a photograph, by timm and torchvision: at most 2 of 255 apart', (t) => {
  let at = photo.data.length;
  for (const one of expected.cases) {
    const made = applyEffect(photo, effectOf(one)).data.filter((_, i) => i % stride === 0);
    let [most, sum] = [0, 0];
    for (const value of made) {
      const apart = Math.abs(value - stored[at++]!);
      most = Math.max(most, apart);
      sum += apart;
    }
    const name = JSON.stringify('operation' in one ? { ...one, operation: expected.order[one.operation] } : one);
    t.ok(most <= 2 && sum / made.length < 0.3, `${name}: at most ${most}, ${sum / made.length} on average`);
  }
  t.equal(at, stored.length, 'all of them');
  t.end();
});

t.test('the recipe rand-m9-mstd0.5-inc1, and the order of its operations', (t) => {
  t.same(randAugment.definition.options.parse({}), expected.recipe);
  const ours = operations.map(({ name }) => name.toLowerCase());
  const theirs = expected.order.map((name) => name.replace(/Increasing$|Rel$/, '').toLowerCase());
  t.same(ours, theirs);
  t.end();
});

const box = fc.record({
  left: fc.nat(4),
  top: fc.nat(4),
  width: fc.integer({ min: 1, max: 9 }),
  height: fc.integer({ min: 1, max: 9 }),
});
const byte = fc.nat(255);
const word = fc.nat(2 ** 32 - 1);
const factor = fc.double({ min: 0, max: 100, noNaN: true });
const entry = fc.double({ min: -1.5, max: 1.5, noNaN: true });
const shift = fc.double({ min: -15, max: 15, noNaN: true });
const anyEffect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({ kind: fc.constantFrom('autoContrast' as const, 'equalize' as const) }),
  fc.record({ kind: fc.constant('posterize' as const), bits: fc.nat(8) }),
  fc.record({ kind: fc.constant('solarize' as const), threshold: fc.nat(256) }),
  fc.record({ kind: fc.constant('solarizeAdd' as const), add: byte }),
  fc.record({ kind: fc.constantFrom('brightness' as const, 'contrast' as const), factor }),
  fc.record({ kind: fc.constantFrom('saturation' as const, 'sharpness' as const), factor }),
  fc.record({ kind: fc.constant('hue' as const), shift: byte }),
  fc.record({ kind: fc.constant('blur' as const), sigma: fc.double({ min: 0.01, max: 5, noNaN: true }) }),
  fc.record({ kind: fc.constant('noise' as const), box, key: fc.tuple(word, word) }),
  fc.record({ kind: fc.constant('fill' as const), box, colour: fc.tuple(byte, byte, byte) }),
  fc.record({
    kind: fc.constant('affine' as const),
    matrix: fc.tuple(entry, entry, shift, entry, entry, shift),
    background: fc.tuple(byte, byte, byte),
  }),
);

t.test(
  'the two renderers give the same bits, whatever comes before and behind; and so do greys',
  { skip },
  async (t) => {
    const raw = rawPicture({ ...noise(23, 19), channels: 3 });
    const starts = [
      raw,
      raw.flip().resize({ width: 17, height: 14 }).settle(),
      raw.crop({ left: 2, top: 1, width: 15, height: 16 }),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...starts),
        fc.array(anyEffect, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (start, effects, flips) => {
          let picture = start;
          for (const effect of effects) picture = picture.apply(effect);
          if (flips) picture = picture.flip().crop({ left: 1, top: 2, width: 11, height: 9 });
          const ours = await renderPixels(picture);
          // From the same pixels: sharp resizes a little otherwise.
          let pixels = await renderPixels(start);
          for (const effect of effects) pixels = applyEffect(pixels, effect);
          let other = rawPicture({ ...pixels, channels: 3 });
          if (flips) other = other.flip().crop({ left: 1, top: 2, width: 11, height: 9 });
          t.same(ours.data, (await bySharp(other)).data, JSON.stringify(effects));
          t.same(await renderGrey(picture), rgbToGrey(ours.data));
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  },
);

t.test('effects that change nothing', (t) => {
  const pixels = noise(9, 7);
  for (const effect of [
    { kind: 'affine', matrix: [1, 0, 0, 0, 1, 0], background },
    { kind: 'posterize', bits: 8 },
    { kind: 'solarize', threshold: 256 },
    { kind: 'solarizeAdd', add: 0 },
    { kind: 'brightness', factor: 1 },
    { kind: 'contrast', factor: 1 },
    { kind: 'saturation', factor: 1 },
    { kind: 'sharpness', factor: 1 },
    { kind: 'blur', sigma: 0.01 },
  ] as const satisfies readonly Effect[]) {
    t.same(applyEffect(pixels, effect).data, pixels.data, effect.kind);
  }
  const flat = { width: 6, height: 5, data: new Uint8Array(90).fill(77) };
  for (const effect of [
    { kind: 'autoContrast' },
    { kind: 'equalize' },
    { kind: 'contrast', factor: 0.3 },
    { kind: 'saturation', factor: 2 },
    { kind: 'sharpness', factor: 0 },
    { kind: 'blur', sigma: 3 },
    { kind: 'hue', shift: 90 },
  ] as const satisfies readonly Effect[]) {
    t.same(applyEffect(flat, effect).data, flat.data, `a flat picture: ${effect.kind}`);
  }
  t.end();
});

t.test('worked out by hand', (t) => {
  const rows = (effect: Effect) => kit.rowsOf(applyEffect(kit.ramp, effect));
  t.same(
    rows({ kind: 'affine', matrix: [1, 0, 1, 0, 1, 0], background: [9, 9, 9] })[0],
    [16, 32, 48, 9],
    'moved to the left',
  );
  t.same(rows({ kind: 'affine', matrix: [1, 0, 0, 0, 1, -2], background: [9, 9, 9] }).slice(0, 3), [
    [9, 9, 9, 9],
    [9, 9, 9, 9],
    [0, 16, 32, 48],
  ]);
  // A quarter turn around the middle.
  t.same(rows({ kind: 'affine', matrix: [0, 1, 0, -1, 0, 4], background: [9, 9, 9] })[0], [192, 128, 64, 0]);
  t.same(rows({ kind: 'posterize', bits: 2 })[1], [64, 64, 64, 64]);
  t.same(rows({ kind: 'posterize', bits: 0 })[3], [0, 0, 0, 0]);
  t.same(rows({ kind: 'solarize', threshold: 96 })[1], [64, 80, 159, 143]);
  t.same(rows({ kind: 'solarizeAdd', add: 10 })[1], [74, 90, 106, 122]);
  t.same(rows({ kind: 'solarizeAdd', add: 10 })[2], [128, 144, 160, 176]);
  t.same(rows({ kind: 'brightness', factor: 1.5 })[3], [255, 255, 255, 255]);
  t.same(rows({ kind: 'autoContrast' })[0], [0, 17, 34, 51], 'from 0–240 to 0–255');
  t.same(rows({ kind: 'contrast', factor: 0 })[0], [120, 120, 120, 120], 'the mean');
  t.same(rows({ kind: 'fill', box: { left: 1, top: 0, width: 2, height: 1 }, colour: [5, 5, 5] }).slice(0, 2), [
    [0, 5, 5, 48],
    [64, 80, 96, 112],
  ]);
  // Red turned by a third of the circle is green.
  const red = { width: 1, height: 1, data: Uint8Array.of(200, 0, 0) };
  t.same([...applyEffect(red, { kind: 'hue', shift: 85 }).data], [0, 200, 0]);
  t.same([...applyEffect(red, { kind: 'saturation', factor: 0 }).data], [60, 60, 60], 'its luma');
  t.end();
});

t.test('a blur is a Gaussian, to a step of 8 bits', (t) => {
  const pixels = noise(40, 33);
  const sigma = 1.7;
  const weight = (k: number) => Math.exp((-k * k) / (2 * sigma * sigma));
  const total = Array.from({ length: 31 }, (_, i) => weight(i - 15)).reduce((sum, each) => sum + each, 0);
  const clamped = (at: number, side: number) => Math.min(Math.max(at, 0), side - 1);
  const made = applyEffect(pixels, { kind: 'blur', sigma });
  let most = 0;
  for (let y = 0; y < 33; y++) {
    for (let x = 0; x < 40; x++) {
      let sum = 0;
      for (let j = -15; j <= 15; j++) {
        for (let i = -15; i <= 15; i++) {
          const value = pixels.data[(clamped(y + j, 33) * 40 + clamped(x + i, 40)) * 3]!;
          sum += (weight(i) * weight(j) * value) / total ** 2;
        }
      }
      most = Math.max(most, Math.abs(sum - made.data[(y * 40 + x) * 3]!));
    }
  }
  t.ok(most < 1, `${most}`);
  t.end();
});

t.test('noise has the mean and spread of normalised pixels, and lies in its box alone', (t) => {
  t.ok(Math.abs(normalShare(1.959963984540054) - 0.975) < 1e-14);
  t.ok(Math.abs(normalShare(-2.5758293035489004) - 0.005) < 1e-14);
  const grey = { width: 200, height: 150, data: new Uint8Array(200 * 150 * 3).fill(1) };
  const box = { left: 20, top: 10, width: 150, height: 120 };
  const made = applyEffect(grey, { kind: 'noise', box, key: [1, 2] }).data;
  const values: number[][] = [[], [], []];
  for (let y = 0, at = 0; y < 150; y++) {
    for (let x = 0; x < 200; x++, at += 3) {
      const inside = x >= 20 && x < 170 && y >= 10 && y < 130;
      for (let c = 0; c < 3; c++) if (inside) values[c]!.push((made[at + c]! - channelMean[c]!) / channelStd[c]!);
      if (!inside && made[at] !== 1) t.fail(`${x}, ${y}`);
    }
  }
  for (const [c, each] of values.entries()) {
    const mean = each.reduce((sum, value) => sum + value, 0) / each.length;
    const spread = Math.sqrt(each.reduce((sum, value) => sum + (value - mean) ** 2, 0) / each.length);
    // What lies beyond 0–255 is cut off, which takes 1 to 2 of 100 from the spread.
    t.ok(Math.abs(mean) < 0.03 && Math.abs(spread - 0.985) < 0.02, `channel ${c}: ${mean}, ${spread}`);
    const high = each.filter((value) => value > 1).length / each.length;
    t.ok(Math.abs(high - (1 - normalShare(1))) < 0.012, `${high} above one deviation`);
  }
  const other = applyEffect(grey, { kind: 'noise', box, key: [1, 3] }).data;
  t.ok(other.filter((value, i) => value === made[i]).length < 0.5 * made.length);
  t.end();
});
