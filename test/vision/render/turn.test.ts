import fc from 'fast-check';
import sharp from 'sharp';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import type { Frame } from '../../../src/vision/geometry.ts';
import { openPicture } from '../../../src/vision/open.ts';
import { type Picture, type Pixels, rawPicture } from '../../../src/vision/picture.ts';
import { rgbToGrey } from '../../../src/vision/pixels.ts';
import { planOf } from '../../../src/vision/render/plan.ts';
import { renderGrey, renderPixels } from '../../../src/vision/render/render.ts';
import { boundsOf, drawnFrom, warpPixels } from '../../../src/vision/render/turn.ts';
import * as kit from '../../kit/pictures/pictures.ts';
import { bySharp } from '../../kit/pictures/renderers.ts';

const skip = isAbsent(imageAddon()) ? 'native/image is not built' : false;
const degrees = (angle: number) => (angle * Math.PI) / 180;
const raw = (pixels: Pixels) => rawPicture({ ...pixels, channels: 3 });

/** Both renderers. */
const renderers = { native: renderPixels, sharp: bySharp };

function noise(width: number, height: number): Pixels {
  const random = new Random(7, 'noise', 'test');
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.uniform() * 256) };
}

/** A smooth picture whose value at every place is known: waves, in three colours. */
const wave = (x: number, y: number, channel: number) =>
  127.5 + 100 * Math.sin(x / (7 + channel)) * Math.cos(y / (9 - channel));

function waves(width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < 3; channel++) data[at++] = Math.round(wave(x + 0.5, y + 0.5, channel));
  }
  return { width, height, data };
}

function differences(a: Pixels, b: Pixels): { mean: number; most: number } {
  if (a.width !== b.width || a.height !== b.height) return { mean: Infinity, most: Infinity };
  let [sum, most] = [0, 0];
  for (const [i, value] of a.data.entries()) {
    const apart = Math.abs(value - b.data[i]!);
    sum += apart;
    most = Math.max(most, apart);
  }
  return { mean: sum / a.data.length, most };
}

t.test('a frame that stands upright on whole pixels is a padded crop', async (t) => {
  const picture = raw(noise(23, 17));
  for (const box of [
    { left: 3, top: 4, width: 10, height: 9 },
    { left: -4, top: -2, width: 12, height: 30 },
    { left: 0, top: 0, width: 23, height: 17 },
  ]) {
    const { left, top, width, height } = box;
    const frame = { x: left + width / 2, y: top + height / 2, width, height, angle: 0 };
    const expected = await renderPixels(picture.cropPadded(box, [9, 8, 7]));
    for (const [name, of] of Object.entries(renderers)) {
      t.same(await of(picture.cropTurned(frame, [9, 8, 7])), expected, name);
    }
  }
});

t.test('quarter turns, worked out by hand', async (t) => {
  const picture = raw(kit.ramp);
  const turnedBy = (quarters: number) =>
    picture.cropTurned({ x: 2, y: 2, width: 4, height: 4, angle: degrees(90 * quarters) });
  for (const of of Object.values(renderers)) {
    t.same(kit.rowsOf(await of(turnedBy(1))), [
      [48, 112, 176, 240],
      [32, 96, 160, 224],
      [16, 80, 144, 208],
      [0, 64, 128, 192],
    ]);
    t.same(
      kit.rowsOf(await of(turnedBy(2))),
      kit
        .rowsOf(kit.ramp)
        .reverse()
        .map((row) => row.reverse()),
    );
    t.same((await of(turnedBy(4))).data, kit.ramp.data);
  }
});

t.test(
  'pixels are where the arithmetic says, at any angle and size: against the function that was drawn',
  async (t) => {
    const picture = raw(waves(120, 90));
    const random = new Random(3, 'frames', 'test');
    for (let i = 0; i < 12; i++) {
      const frame: Frame = {
        x: 40 + 40 * random.uniform(),
        y: 35 + 20 * random.uniform(),
        width: 20 + 20 * random.uniform(),
        height: 20 + 20 * random.uniform(),
        angle: degrees(360 * random.uniform() - 180),
      };
      for (const zoom of [1, 2.5]) {
        const turned = picture.cropTurned(frame);
        const [wide, high] = [Math.round(frame.width * zoom), Math.round(frame.height * zoom)];
        const seen = zoom === 1 ? turned : turned.resize({ width: wide, height: high, fit: 'fill' });
        const [cos, sin] = [Math.cos(frame.angle), Math.sin(frame.angle)];
        const expected = new Uint8Array(seen.width * seen.height * 3);
        for (let row = 0, at = 0; row < seen.height; row++) {
          for (let column = 0; column < seen.width; column++) {
            const x = ((column + 0.5) / seen.width - 0.5) * frame.width;
            const y = ((row + 0.5) / seen.height - 0.5) * frame.height;
            for (let channel = 0; channel < 3; channel++) {
              expected[at++] = Math.round(wave(frame.x + x * cos - y * sin, frame.y + x * sin + y * cos, channel));
            }
          }
        }
        for (const [name, of] of Object.entries(renderers)) {
          const { most } = differences(await of(seen), { width: seen.width, height: seen.height, data: expected });
          t.ok(most <= 2, `${name}, ${JSON.stringify(frame)} × ${zoom}: at most ${most} of 255 apart`);
        }
      }
    }
  },
);

t.test('what lies outside of the picture has the colour of the background, and nothing else has', async (t) => {
  const plain = raw({ width: 40, height: 30, data: new Uint8Array(40 * 30 * 3).fill(200) });
  const frame = { x: 4, y: 6, width: 30, height: 26, angle: degrees(33) };
  for (const of of Object.values(renderers)) {
    const { width, height, data } = await of(plain.cropTurned(frame, [1, 2, 3]));
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++, at += 3) {
        const [x, y] = [column + 0.5 - 15, row + 0.5 - 13];
        const px = 4 + x * Math.cos(frame.angle) - y * Math.sin(frame.angle);
        const py = 6 + x * Math.sin(frame.angle) + y * Math.cos(frame.angle);
        const inside = px >= 0 && py >= 0;
        if (Math.min(Math.abs(px), Math.abs(py)) < 1e-3) continue;
        if (data[at] !== (inside ? 200 : 1)) t.fail(`${column}, ${row}: ${data[at]} at ${px}, ${py}`);
      }
    }
    t.ok(data.includes(3) && data.includes(200));
  }
});

t.test('made small in one go: as turning at full size and then making it small', async (t) => {
  for (const bytes of [await kit.jpeg(waves(300, 240)), await kit.png(waves(300, 240))]) {
    const picture = await openPicture(new Uint8Array(bytes));
    const frame = { x: 150, y: 120, width: 150, height: 150, angle: degrees(-21) };
    for (const side of [40, 75, 110]) {
      const small = { width: side, height: side, fit: 'fill' } as const;
      const once = picture.cropTurned(frame).resize(small);
      // Settled, the turn is a picture of its own.
      const twice = picture.cropTurned(frame).settle().resize(small);
      for (const [name, of] of Object.entries(renderers)) {
        const { mean, most } = differences(await of(once), await of(twice));
        t.ok(mean < 1 && most <= 6, `${name}, ${side} px: ${mean} on average, at most ${most}`);
      }
    }
  }
});

t.test(
  'lazy: a resize, a crop and a mirror behind it make no step more, and no more pixels than they need',
  async (t) => {
    const picture = await openPicture(new Uint8Array(await kit.jpeg(kit.gradient(900, 600))));
    const turned = picture.cropTurned({ x: 450, y: 300, width: 400, height: 400, angle: 0.3 });
    const size = { width: 100, height: 100 };
    const stepsOf = (seen: Picture) => planOf([{ picture: seen }])!.steps;
    for (const seen of [
      turned.resize(size),
      turned.resize(size).flip(),
      turned.crop({ left: 50, top: 60, width: 200, height: 200 }).resize(size),
      picture
        .crop({ left: 20, top: 10, width: 800, height: 500 })
        .cropTurned({ x: 400, y: 250, width: 380, height: 380, angle: 2 })
        .resize(size)
        .crop({ left: 3, top: 4, width: 80, height: 90 }),
    ]) {
      const steps = stepsOf(seen);
      t.equal(steps.length, 2, 'an upright cut and a warp of it');
      t.ok(
        steps[0]!.page.width < 170 && steps[0]!.page.height < 170,
        `${steps[0]!.page.width} × ${steps[0]!.page.height}`,
      );
      t.same([steps[1]!.page.width, steps[1]!.page.height], [seen.width, seen.height]);
    }
    t.equal(
      stepsOf(turned.resize({ width: 100, height: 40, fit: 'fill' })).length,
      3,
      'but one that distorts is a step of its own',
    );
    t.equal(stepsOf(turned.resize({ width: 40, height: 40, kernel: 'bilinear' })).length, 2);
    t.equal(
      stepsOf(turned.resize({ width: 800, height: 800, kernel: 'bilinear' })).length,
      3,
      'or one whose kernel is another',
    );
  },
);

t.test('a crop of a turned crop is the crop of its pixels', { skip }, async (t) => {
  const turned = raw(noise(90, 80)).cropTurned({ x: 41.3, y: 38.9, width: 60, height: 50, angle: 0.7 });
  const box = { left: 7, top: 11, width: 30, height: 20 };
  for (const of of Object.values(renderers)) {
    const { most } = differences(await of(turned.crop(box)), await of(turned.settle().crop(box)));
    t.ok(most <= 1, `at most ${most}`);
    const mirrored = differences(await of(turned.crop(box).flip()), await of(turned.settle().crop(box).flip()));
    t.ok(mirrored.most <= 1);
    const padded = { left: -5, top: 30, width: 30, height: 40 };
    t.ok(differences(await of(turned.cropPadded(padded)), await of(turned.settle().cropPadded(padded))).most <= 1);
    const twice = turned.cropTurned({ x: 30, y: 25, width: 25, height: 22, angle: -0.4 }, [5, 5, 5]);
    const settled = turned.settle().cropTurned({ x: 30, y: 25, width: 25, height: 22, angle: -0.4 }, [5, 5, 5]);
    t.ok(differences(await of(twice), await of(settled)).most <= 1, 'turned twice');
  }
});

t.test('a crop of what a turned crop has beside the picture is all background', { skip }, async (t) => {
  const side = 100;
  const beside = [
    [
      { x: 0, y: 50 },
      { left: 0, top: 30 },
    ],
    [
      { x: side, y: 50 },
      { left: 60, top: 30 },
    ],
    [
      { x: 50, y: 0 },
      { left: 30, top: 0 },
    ],
    [
      { x: 50, y: side },
      { left: 30, top: 60 },
    ],
  ] as const;
  for (const [at, corner] of beside) {
    for (const angle of [0, degrees(3), degrees(-3)]) {
      const turned = raw(noise(side, side)).cropTurned({ ...at, width: 80, height: 80, angle }, [9, 8, 7]);
      const crop = turned.crop({ ...corner, width: 20, height: 20 });
      for (const picture of [crop, crop.resize({ width: 7, height: 7 })]) {
        for (const of of Object.values(renderers)) {
          const { data } = await of(picture);
          t.ok(data.every((value, i) => value === [9, 8, 7][i % 3]));
        }
      }
    }
  }
});

t.test('the two renderers agree, also on luma; the same again is the same', { skip }, async (t) => {
  const picture = await openPicture(new Uint8Array(await kit.jpeg(waves(200, 160))));
  const turned = picture.cropTurned({ x: 90, y: 95, width: 120, height: 120, angle: 0.5 });
  for (const seen of [
    turned,
    turned.resize({ width: 64, height: 64 }),
    turned.resize({ width: 64, height: 64 }).flip(),
  ]) {
    const ours = await renderPixels(seen);
    const { mean, most } = differences(ours, await bySharp(seen));
    t.ok(mean < 1 && most <= 8, `${mean} on average, at most ${most}`);
    t.same(await renderPixels(seen), ours);
    t.same(await renderGrey(seen), rgbToGrey(ours.data));
  }
  const lying = await sharp(await kit.png(waves(200, 160)))
    .rotate(90)
    .withMetadata({ orientation: 8 })
    .jpeg({ quality: 95 })
    .toBuffer();
  const stored = (await openPicture(new Uint8Array(lying)))
    .flip()
    .cropTurned({ x: 90, y: 95, width: 120, height: 120, angle: 0.5 });
  const upright = raw(waves(200, 160)).flip().cropTurned({ x: 90, y: 95, width: 120, height: 120, angle: 0.5 });
  for (const of of Object.values(renderers)) {
    const { mean } = differences(await of(stored), await of(upright));
    t.ok(mean < 2, `of a file that lies on its side, mirrored before: ${mean}`);
  }
  const exact = raw(noise(50, 50)).cropTurned({ x: 25, y: 25, width: 31, height: 27, angle: 1.1 });
  t.ok(
    differences(await renderPixels(exact), await bySharp(exact)).most <= 1,
    'from the same pixels, but for rounding',
  );
});

t.test('frames of any kind: rendered, or refused', { skip }, async (t) => {
  const any = fc.oneof(fc.double(), fc.double({ min: -50, max: 90, noNaN: true }));
  const picture = raw(noise(31, 29));
  await fc.assert(
    fc.asyncProperty(
      fc.record({ x: any, y: any, width: any, height: any, angle: any }),
      fc.integer({ min: 1, max: 40 }),
      async (frame, side) => {
        let turned: Picture;
        try {
          turned = picture.cropTurned(frame);
        } catch (error) {
          return (error as { code?: string }).code === 'PICTURE_BOX';
        }
        if (turned.width * turned.height > 2 ** 20) return true;
        const [plain, small] = [
          await renderPixels(turned),
          await renderPixels(turned.resize({ width: side, height: side })),
        ];
        return plain.data.length === turned.width * turned.height * 3 && small.data.length === side * side * 3;
      },
    ),
    { seed: 9, numRuns: 300 },
  );
  for (const wrong of [
    { x: 15, y: 15, width: 0, height: 5, angle: 0 },
    { x: 15, y: 15, width: 5, height: Number.NaN, angle: 0 },
    { x: 15, y: 15, width: 5, height: 5, angle: Infinity },
    { x: 15, y: 15, width: 70_000, height: 5, angle: 0 },
    { x: -10, y: 15, width: 5, height: 5, angle: 0 },
  ]) {
    t.throws(() => picture.cropTurned(wrong), { code: 'PICTURE_BOX' }, JSON.stringify(wrong));
  }
});

t.test('the parts: bounds, one warp by hand, operations without a turn as they are', (t) => {
  const { left, top, width, height } = boundsOf({ x: 10, y: 20, width: 6, height: 2, angle: degrees(90) });
  t.same(
    [left, top, width, height].map((number) => Math.round(number * 1e9) / 1e9),
    [9, 17, 2, 6],
  );
  const operations = [{ kind: 'flip' as const }];
  t.equal(drawnFrom(operations, { width: 4, height: 4 }), operations);
  const shifted = { kind: 'warp', width: 3, height: 1, matrix: [1, 0, 0.5, 0, 1, 0], background: [9, 9, 9] } as const;
  // Half way between two pixels: −1/16, 9/16, 9/16, −1/16; of the last the border repeated.
  t.same(kit.rowsOf(warpPixels(kit.pixelsOf([[0, 160, 0]]), shifted)), [[90, 90, 9]]);
  t.end();
});
