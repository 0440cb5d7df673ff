import fc from 'fast-check';
import t from 'tap';
import { PatchstreamError } from '../../src/errors.ts';
import { openPicture } from '../../src/vision/open.ts';
import { type Pixels, rawPicture } from '../../src/vision/picture.ts';
import { render, renderAll } from '../../src/vision/render/render.ts';
import * as kit from '../kit/pictures/pictures.ts';

const raw = ({ width, height, data }: Pixels) => rawPicture({ width, height, data, channels: 3 });

function furthest(a: Pixels, b: Pixels): number {
  if (a.width !== b.width || a.height !== b.height) return Number.POSITIVE_INFINITY;
  return a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);
}

t.test('crop and flip are exact', async (t) => {
  const picture = await openPicture(await kit.png(kit.ramp));
  t.same(kit.rowsOf(await picture.pixels()), kit.rowsOf(kit.ramp));
  const crop = picture.crop({ left: 1, top: 1, width: 3, height: 2 });
  t.same(kit.rowsOf(await crop.pixels()), [
    [80, 96, 112],
    [144, 160, 176],
  ]);
  t.same(kit.rowsOf(await crop.flip().pixels()), [
    [112, 96, 80],
    [176, 160, 144],
  ]);
  t.same(kit.rowsOf(await crop.flip().crop({ left: 0, top: 1, width: 1, height: 1 }).pixels()), [[176]]);
  t.same(kit.rowsOf(await crop.crop({ left: 1, top: 0, width: 1, height: 2 }).pixels()), [[96], [160]]);
});

t.test('a property: crops and flips in any order are what they are on the pixels', async () => {
  const start = kit.gradient(9, 7);
  const picture = await openPicture(await kit.png(start));
  const part = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constant('flip' as const), fc.tuple(part, part, part, part)), { maxLength: 5 }),
      async (steps) => {
        let lazy = picture;
        let rows = Array.from({ length: start.height }, (_, y) =>
          Array.from({ length: start.width }, (_, x) => `${x},${y}`),
        );
        for (const step of steps) {
          if (step === 'flip') {
            lazy = lazy.flip();
            rows = rows.map((row) => row.toReversed());
            continue;
          }
          const left = Math.floor(step[0] * lazy.width);
          const top = Math.floor(step[1] * lazy.height);
          const width = 1 + Math.floor(step[2] * (lazy.width - left));
          const height = 1 + Math.floor(step[3] * (lazy.height - top));
          lazy = lazy.crop({ left, top, width, height });
          rows = rows.slice(top, top + height).map((row) => row.slice(left, left + width));
        }
        const pixels = await lazy.pixels();
        const expected = rows.flat().flatMap((name) => {
          const [x, y] = name.split(',').map(Number) as [number, number];
          return [...start.data.subarray((y * start.width + x) * 3, (y * start.width + x) * 3 + 3)];
        });
        return pixels.data.length === expected.length && expected.every((value, i) => value === pixels.data[i]);
      },
    ),
    { numRuns: 40, seed: 1 },
  );
});

t.test('resize: fits and kernels', async (t) => {
  const wide = await openPicture(await kit.png(kit.gradient(40, 20)));
  for (const kernel of ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const) {
    const pixels = await wide.resize({ width: 10, height: 5, kernel }).pixels();
    t.ok(furthest(pixels, kit.gradient(10, 5)) <= 30, kernel);
  }
  const cover = await wide.resize({ width: 10, height: 10 }).pixels();
  t.same([cover.width, cover.height], [10, 10]);
  t.ok(cover.data[0]! > 55 && cover.data[0]! < 75, 'the middle is kept: the left quarter is gone');
  const contain = kit.rowsOf(
    await wide.resize({ width: 8, height: 8, fit: 'contain', background: [9, 9, 9] }).pixels(),
  );
  t.same(
    [contain[0], contain[1], contain[6], contain[7]],
    Array(4).fill(Array(8).fill(9)),
    'two rows of border above and below',
  );
  t.not(contain[2]![4], 9);
  const fill = await wide.resize({ width: 3, height: 9, fit: 'fill' }).pixels();
  t.same([fill.width, fill.height], [3, 9]);
  t.same(kit.rowsOf(await raw(kit.ramp).resize({ width: 2, height: 2, kernel: 'bilinear' }).pixels()).length, 2);
});

t.test('a shrunk checkerboard is grey: kernels are stretched, so that nothing aliases', async (t) => {
  const board = kit.pixelsOf(
    Array.from({ length: 32 }, (_, y) => Array.from({ length: 32 }, (_, x) => ((x + y) % 2) * 255)),
  );
  for (const kernel of ['bilinear', 'bicubic', 'lanczos'] as const) {
    const { data } = await raw(board).resize({ width: 8, height: 8, kernel }).pixels();
    t.ok(
      data.every((value) => Math.abs(value - 127.5) < 6),
      kernel,
    );
  }
});

t.test('the eight orientations stand upright, also cropped and resized', async (t) => {
  const upright = kit.gradient(24, 16);
  for (let orientation = 1; orientation <= 8; orientation++) {
    const picture = await openPicture(await kit.oriented(upright, orientation));
    t.same([picture.width, picture.height, picture.orientation], [24, 16, orientation]);
    t.ok(furthest(await picture.pixels(), upright) <= 12, `orientation ${orientation}`);
    const box = { left: 12, top: 0, width: 12, height: 8 };
    t.ok(
      furthest(await picture.crop(box).pixels(), await raw(upright).crop(box).pixels()) <= 12,
      `${orientation}, cropped`,
    );
    const size = { width: 12, height: 8 };
    t.ok(
      furthest(await picture.resize(size).pixels(), await raw(upright).resize(size).pixels()) <= 12,
      `${orientation}, resized`,
    );
    t.ok(
      furthest(
        await picture.crop(box).resize({ width: 6, height: 4 }).pixels(),
        await raw(upright).crop(box).resize({ width: 6, height: 4 }).pixels(),
      ) <= 12,
      `${orientation}, both`,
    );
  }
});

t.test('every kind of file becomes RGB of 8 bits', async (t) => {
  const colours = kit.gradient(16, 8);
  const greyed = kit.pixelsOf([
    [0, 100, 200, 255],
    [10, 20, 30, 40],
  ]);
  const open = async (bytes: Uint8Array, formats?: readonly 'gif'[]) =>
    (await openPicture(bytes, formats ? { formats } : {})).pixels();
  t.equal(furthest(await open(await kit.webp(colours)), colours), 0, 'WebP');
  t.equal(furthest(await open(await kit.grey(greyed)), greyed), 0, 'grey is repeated');
  t.ok(furthest(await open(await kit.sixteenBit(colours)), colours) <= 1, '16 bit');
  const muted = kit.pixelsOf(Array.from({ length: 8 }, () => Array.from({ length: 16 }, (_, x) => 60 + 8 * x)));
  t.ok(furthest(await open(await kit.cmyk(muted)), muted) <= 45, 'CMYK, by a printing profile');
  t.ok(furthest(await open(await kit.gif(greyed), ['gif']), greyed) <= 4, 'GIF where it is allowed');
});

t.test('a raw picture, grey or RGB; its own memory is never given away', async (t) => {
  const data = Uint8Array.from([1, 2, 3, 4]);
  const picture = rawPicture({ data, width: 2, height: 2, channels: 1 });
  t.same([...(await picture.pixels()).data], [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
  const own = raw(kit.ramp);
  (await own.pixels()).data.fill(0);
  t.same(kit.rowsOf(await own.pixels()), kit.rowsOf(kit.ramp));
  t.throws(() => rawPicture({ data, width: 3, height: 2, channels: 1 }), { code: 'PICTURE_ROOM' });
});

t.test('what must fail fails, and says what it found', async (t) => {
  for (const { name, bytes, code } of await kit.brokenFiles()) {
    const error = await openPicture(bytes)
      .then((picture) => picture.pixels())
      .catch((error: unknown) => error);
    t.ok(error instanceof PatchstreamError && error.code === code, `${name}: ${String(error)}`);
  }
  await t.rejects(openPicture(kit.svg), { message: /got an SVG drawing/ });
  await t.rejects(openPicture(kit.text), { message: /got text/ });
  await t.rejects(openPicture(await kit.gif(kit.ramp)), { message: /got a GIF\. Name `gif` among `formats`/ });
  await t.rejects(openPicture(await kit.png(kit.ramp), { maxPixels: 15 }), { message: /at most 15 pixels; got 4×4/ });
  await t.rejects(openPicture(Buffer.from('ffd8ffe0000000', 'hex')), { code: 'PICTURE_BROKEN' });
  const picture = raw(kit.ramp);
  for (const box of [
    { left: -1, top: 0, width: 1, height: 1 },
    { left: 0, top: 0, width: 5, height: 1 },
    { left: 0, top: 0, width: 0, height: 1 },
    { left: 0.5, top: 0, width: 1, height: 1 },
  ]) {
    t.throws(() => picture.crop(box), { code: 'PICTURE_BOX' });
  }
  t.throws(() => picture.resize({ width: 0, height: 3 }), { code: 'PICTURE_SIZE' });
  await t.rejects(render(picture, new Uint8Array(47)), { code: 'PICTURE_ROOM' });
});

t.test(
  'renderAll writes each picture into its own place, the small one from the pixels of the large one',
  async (t) => {
    const crop = (await openPicture(await kit.jpeg(kit.gradient(64, 64))))
      .crop({ left: 3, top: 5, width: 40, height: 40 })
      .resize({ width: 16, height: 16 });
    const lr = crop.settle().resize({ width: 4, height: 4 });
    const shared = new Uint8Array(new SharedArrayBuffer(16 * 16 * 3 + 64 + 4 * 4 * 3));
    await renderAll([
      { picture: crop, out: shared.subarray(0, 768) },
      { picture: lr, out: shared.subarray(832) },
    ]);
    t.same([...shared.subarray(0, 768)], [...(await crop.pixels()).data]);
    const alone = await lr.pixels();
    t.same([...shared.subarray(832)], [...alone.data], 'alone or together: the same pixels');
    t.same(
      [...alone.data],
      [
        ...(
          await raw(await crop.pixels())
            .resize({ width: 4, height: 4 })
            .pixels()
        ).data,
      ],
    );
    t.equal(lr.settle().settle().from?.operation.kind, 'settle');
  },
);

t.test('a box that juts out is filled with a colour outside; one beside the picture fails', async (t) => {
  for (const picture of [raw(kit.ramp), await openPicture(await kit.png(kit.ramp))]) {
    const box = { left: -1, top: 2, width: 3, height: 4 };
    t.same(kit.rowsOf(await picture.cropPadded(box, [9, 9, 9]).pixels()), [
      [9, 128, 144],
      [9, 192, 208],
      [9, 9, 9],
      [9, 9, 9],
    ]);
    t.same(
      kit.rowsOf(await picture.cropPadded({ left: 1, top: 1, width: 2, height: 1 }).pixels()),
      [[80, 96]],
      'one inside is cut',
    );
    t.equal(picture.cropPadded(box).resize({ width: 6, height: 8 }).width, 6);
    const beside = () => picture.cropPadded({ left: 4, top: 0, width: 2, height: 2 });
    t.throws(beside, { code: 'PICTURE_BOX', message: /got 2×2 at left 4, top 0/ }, 'M6: the numbers of the box itself');
    t.throws(() => picture.cropPadded({ left: 0.5, top: 0, width: 2, height: 2 }), { code: 'PICTURE_BOX' });
  }
});
