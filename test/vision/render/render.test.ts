import { readdirSync, readFileSync } from 'node:fs';
import sharp from 'sharp';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import { Ring } from '../../../src/streams/ring.ts';
import { openPicture } from '../../../src/vision/open.ts';
import { type Picture, type Pixels, rawPicture } from '../../../src/vision/picture.ts';
import { cropPixels, rgbToGrey } from '../../../src/vision/pixels.ts';
import { enlarge } from '../../../src/vision/render/enlarge.ts';
import { setRenderThreads } from '../../../src/vision/render/native.ts';
import { recordRenderer } from '../../../src/vision/render/records.ts';
import { renderAll, renderGrey, renderPixels } from '../../../src/vision/render/render.ts';
import * as kit from '../../kit/pictures/pictures.ts';
import { bySharp } from '../../kit/pictures/renderers.ts';
import { growth, residentMiB } from '../../kit/runs/memory.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? addon.found : false;
const folder = new URL('../../../fixtures/photos/', import.meta.url);
const photos = readdirSync(folder).filter((name) => name.endsWith('.jpg'));
const photo = (i: number) => readFileSync(new URL(photos[i % photos.length]!, folder));

function meanDifference(a: Pixels, b: Pixels): number {
  if (a.width !== b.width || a.height !== b.height) return Number.POSITIVE_INFINITY;
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
}

/** Structural similarity of the green channel, the mean over squares of 8 × 8 pixels (Wang and others, 2004). */
function similarity(a: Pixels, b: Pixels): number {
  const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];
  let total = 0;
  let count = 0;
  for (let top = 0; top + 8 <= a.height; top += 4) {
    for (let left = 0; left + 8 <= a.width; left += 4, count++) {
      let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
      for (let i = 0; i < 64; i++) {
        const at = ((top + (i >> 3)) * a.width + left + (i & 7)) * 3 + 1;
        const [x, y] = [a.data[at]!, b.data[at]!];
        sa += x;
        sb += y;
        saa += x * x;
        sbb += y * y;
        sab += x * y;
      }
      const [ma, mb] = [sa / 64, sb / 64];
      const [va, vb, covariance] = [saa / 64 - ma * ma, sbb / 64 - mb * mb, sab / 64 - ma * mb];
      total += ((2 * ma * mb + c1) * (2 * covariance + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
    }
  }
  return total / count;
}

const parts = [
  { box: { left: 0, top: 0, width: 96, height: 90 }, width: 64, height: 64 },
  { box: { left: 13, top: 9, width: 77, height: 81 }, width: 64, height: 64 },
  { box: { left: 7, top: 3, width: 95, height: 97 }, width: 40, height: 41 },
  { box: { left: 1, top: 2, width: 100, height: 99 }, width: 30, height: 29 },
  { box: { left: 21, top: 17, width: 40, height: 44 }, width: 64, height: 64 },
  { box: { left: 5, top: 9, width: 32, height: 90 }, width: 64, height: 64 },
] as const;

t.test('the two renderers agree on photographs: parts, sizes, kernels, mirrors', { skip }, async (t) => {
  for (let i = 0; i < photos.length; i += 9) {
    const picture = await openPicture(photo(i));
    if (Math.min(picture.width, picture.height) < 110) continue;
    for (const { box, width, height } of parts) {
      for (const kernel of ['bicubic', 'bilinear'] as const) {
        const part = picture.crop(box).resize({ width, height, fit: 'fill', kernel });
        const seen = i % 2 === 0 ? part : part.flip();
        const [ours, theirs] = [await renderPixels(seen), await bySharp(seen)];
        const what = `${photos[i % photos.length]} ${box.width}×${box.height} → ${width}×${height} ${kernel}`;
        t.ok(meanDifference(ours, theirs) <= 2, `${what}: mean difference ${meanDifference(ours, theirs)}`);
        t.ok(similarity(ours, theirs) >= 0.98, `${what}: similarity ${similarity(ours, theirs)}`);
      }
    }
  }
});

t.test('eight orientations, grey, CMYK, progressive, profiles, borders', { skip }, async (t) => {
  const base = await renderPixels(await openPicture(photo(3)));
  const source = sharp(base.data, { raw: { width: base.width, height: base.height, channels: 3 } });
  const files: Record<string, Buffer> = {
    grey: await source.clone().toColourspace('b-w').jpeg().toBuffer(),
    cmyk: await kit.cmyk(base),
    progressive: await source.clone().jpeg({ progressive: true }).toBuffer(),
    p3: await source.clone().withIccProfile('p3').jpeg().toBuffer(),
    srgb: await source.clone().withIccProfile('srgb').jpeg().toBuffer(),
  };
  for (let orientation = 1; orientation <= 8; orientation++) {
    files[`orientation ${orientation}`] = await kit.oriented(base, orientation);
  }
  for (const [name, bytes] of Object.entries(files)) {
    const picture = await openPicture(bytes);
    const seen = picture.crop({ left: 21, top: 10, width: 83, height: 95 });
    for (const chain of [
      picture,
      seen,
      seen.resize({ width: 40, height: 31, fit: 'fill' }).flip(),
      seen.resize({ width: 36, height: 60, fit: 'contain', background: [9, 80, 200] }).flip(),
      seen.resize({ width: 30, height: 50 }).crop({ left: 3, top: 4, width: 20, height: 30 }),
      seen.resize({ width: 60, height: 70, fit: 'fill' }).resize({ width: 20, height: 20, fit: 'fill' }),
    ]) {
      const [ours, theirs] = [await renderPixels(chain), await bySharp(chain)];
      t.ok(
        meanDifference(ours, theirs) <= 2,
        `${name} ${chain.width}×${chain.height}: ${meanDifference(ours, theirs)}`,
      );
    }
  }
});

t.test('a part of a file is the same pixels as that part of the whole', { skip }, async (t) => {
  const base = await renderPixels(await openPicture(photo(1)));
  const source = sharp(base.data, { raw: { width: base.width, height: base.height, channels: 3 } });
  const ways = [
    { chromaSubsampling: '4:2:0' },
    { chromaSubsampling: '4:4:4' },
    { chromaSubsampling: '4:2:0', progressive: true },
  ];
  for (const way of ways) {
    const picture = await openPicture(await source.clone().jpeg(way).toBuffer());
    const whole = await renderPixels(picture);
    let wrong = 0;
    for (let i = 0; i < 120; i++) {
      const box = { left: (i * 7) % 90, top: (i * 5) % 61, width: 1 + ((i * 11) % 38), height: 1 + ((i * 13) % 60) };
      const part = await renderPixels(picture.crop(box));
      if (Buffer.compare(part.data, cropPixels(whole, box).data) !== 0) wrong++;
    }
    t.equal(wrong, 0, JSON.stringify(way));
  }
});

t.test('a bright dot stays where it is at every scale of the decoder', { skip }, async (t) => {
  const [width, height] = [640, 512];
  const [dotX, dotY] = [331.5, 217.5];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = Math.round(255 * Math.exp(-((x + 0.5 - dotX) ** 2 + (y + 0.5 - dotY) ** 2) / (2 * 14 ** 2)));
      data.fill(value, (y * width + x) * 3, (y * width + x) * 3 + 3);
    }
  }
  const picture = await openPicture(await kit.jpeg({ width, height, data }, 98));
  for (const shrink of [1.3, 2, 3.1, 4.4, 6.1, 8, 12.1, 13]) {
    const box = { left: 133, top: 61, width: 403, height: 333 };
    const size = { width: Math.floor(box.width / shrink), height: Math.floor(box.height / shrink) };
    const seen = await renderPixels(picture.crop(box).resize({ ...size, fit: 'fill' }));
    let [sum, sumX, sumY] = [0, 0, 0];
    for (let at = 0; at < seen.data.length; at += 3) {
      const value = Math.max(0, seen.data[at]! - 4);
      sum += value;
      sumX += value * (((at / 3) % size.width) + 0.5);
      sumY += value * (Math.floor(at / 3 / size.width) + 0.5);
    }
    const offX = sumX / sum - ((dotX - box.left) * size.width) / box.width;
    const offY = sumY / sum - ((dotY - box.top) * size.height) / box.height;
    t.ok(Math.hypot(offX, offY) < 0.1, `1/${shrink}: off by ${offX}, ${offY}`);
  }
});

t.test('the same bits with and without vectors, with one thread and with several', { skip }, async (t) => {
  const chains: Picture[] = [];
  for (let i = 0; i < 24; i++) {
    const picture = i % 3 === 2 ? grey(28 + i, 30) : await openPicture(photo(i));
    const box = { left: i % 5, top: i % 3, width: Math.min(picture.width - 5, 25 + 3 * i), height: 26 };
    chains.push(picture.crop(box).resize({ width: 5 + i, height: 33 - i, fit: 'fill' }));
  }
  const bits = async () => Buffer.concat((await Promise.all(chains.map(renderPixels))).map(({ data }) => data));
  const first = await bits();
  if (isAbsent(addon)) return;
  addon.setPortable(1);
  t.ok(first.equals(await bits()), 'without vectors');
  addon.setPortable(0);
  for (const count of [1, 5]) {
    setRenderThreads(count);
    t.ok(first.equals(await bits()), `${count} threads`);
  }
});

t.test(
  'rows of every length, enlarged and reduced, cut and mirrored: the same bits without vectors',
  { skip },
  async (t) => {
    const random = new Random(6, 'rows', 'test');
    const data = Uint8Array.from({ length: 1200 * 4 * 3 }, () => random.integer(256));
    const pictures = Array.from({ length: 400 }, (_, i) => {
      // Every second one is reduced so far that the first and last outputs have many taps less than their neighbours.
      const width = 1 + random.integer(i % 2 === 0 ? 60 : 1200);
      const box = { left: random.integer(width), top: 0, width: 1, height: 1 + random.integer(4) };
      const cut = { ...box, width: 1 + random.integer(width - box.left) };
      const size = { width: 1 + random.integer(i % 4 === 1 ? 12 : 90), height: 1 + random.integer(5) };
      const whole = rawPicture({ data: data.subarray(0, width * 4 * 3), width, height: 4, channels: 3 });
      const kernel = random.uniform() < 0.5 ? 'bilinear' : 'bicubic';
      const made = whole.crop(cut).resize({ ...size, fit: 'fill', kernel });
      return random.uniform() < 0.5 ? made.flip() : made;
    });
    const bits = async () => Buffer.concat((await Promise.all(pictures.map(renderPixels))).map(({ data }) => data));
    const first = await bits();
    if (isAbsent(addon)) return;
    addon.setPortable(1);
    t.teardown(() => addon.setPortable(0));
    t.ok(first.equals(await bits()));
  },
);

function grey(width: number, height: number): Picture {
  const data = Uint8Array.from({ length: width * height }, (_, i) => (i % width) * 4 + Math.floor(i / width) * 3);
  return rawPicture({ data, width, height, channels: 1 });
}

t.test('raw grey: repeated to RGB, and one colour stays that colour', { skip }, async (t) => {
  const data = new Uint8Array(28 * 28).fill(201);
  for (const size of [8, 32, 5]) {
    const seen = await renderPixels(
      rawPicture({ data, width: 28, height: 28, channels: 1 }).resize({ width: size, height: size }),
    );
    t.ok(seen.data.length === size * size * 3 && seen.data.every((value) => value === 201), `${size} × ${size}`);
  }
  const digit = grey(28, 28);
  t.ok(
    meanDifference(
      await renderPixels(digit.resize({ width: 8, height: 8 })),
      await bySharp(digit.resize({ width: 8, height: 8 })),
    ) <= 1,
  );
});

t.test('luma: of a JPEG the values in the file; else of the colours, within rounding', async (t) => {
  const bytes = photo(3);
  const picture = await openPicture(bytes);
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  const far = (a: Uint8Array, b: Uint8Array) =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
  const grey = await renderGrey(picture);
  t.equal(grey.length, info.width * info.height);
  // Colours are rounded and kept to 0-255 on the way, where luma is not.
  const mean = grey.reduce((sum, value, i) => sum + Math.abs(value - rgbToGrey(data)[i]!) / grey.length, 0);
  t.ok(mean < 0.5, `${mean}`);
  const cut = { left: 5, top: 3, width: 40, height: 50 };
  for (const way of [picture.crop(cut), picture.crop(cut).flip(), picture.resize({ width: 50, height: 60 })]) {
    t.ok(far(await renderGrey(way), rgbToGrey((await renderPixels(way)).data)) <= 6, `${way.width}×${way.height}`);
  }
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turned = await openPicture(await kit.oriented(kit.gradient(40, 24), orientation));
    t.ok(far(await renderGrey(turned), rgbToGrey(kit.gradient(40, 24).data)) <= 4, `orientation ${orientation}`);
  }
  const raw = rawPicture({ ...kit.ramp, channels: 3 });
  t.same([...(await renderGrey(raw))], kit.rowsOf(kit.ramp).flat(), 'grey pixels stay');
  const page = raw.resize({ width: 8, height: 4, fit: 'contain', background: [255, 0, 0] });
  t.same([...(await renderGrey(page))].slice(0, 2), [76, 76], 'a border too');
  const cmyk = await openPicture(await kit.cmyk(kit.gradient(24, 24)));
  t.ok(far(await renderGrey(cmyk), rgbToGrey((await renderPixels(cmyk)).data)) === 0, 'what sharp renders');
});

t.test('raw pixels with a side that native/image does not take are left to sharp', { skip }, async (t) => {
  for (const [width, height] of [
    [65_536, 1],
    [1, 70_000],
  ] as const) {
    const data = new Uint8Array(width * height).fill(90);
    const picture = rawPicture({ data, width, height, channels: 1 }).resize({ width: 4, height: 2, fit: 'fill' });
    t.same((await renderPixels(picture)).data, new Uint8Array(24).fill(90), `${width} × ${height}`);
    t.equal(recordRenderer(picture, data), undefined, 'also as records');
  }
});

t.test('what native/image refuses fails by itself, and the others of its turn are rendered', { skip }, async (t) => {
  const data = new Uint8Array(28 * 28);
  const lost = renderPixels(rawPicture({ data, width: 28, height: 28, channels: 1 }).resize({ width: 8, height: 8 }));
  const before = renderPixels(grey(28, 28).resize({ width: 8, height: 8 }));
  structuredClone(data.buffer, { transfer: [data.buffer] });
  await t.rejects(lost, { code: 'PICTURE_REFUSED', cause: { message: /do not fit together/ } });
  const after = renderPixels(grey(28, 28).resize({ width: 8, height: 8 }));
  t.same((await before).data, (await after).data);
});

t.test('records beyond the data are refused', { skip }, (t) => {
  const data = new Uint8Array(2 * 16).fill(3);
  const renderer = recordRenderer(rawPicture({ data: data.subarray(0, 16), width: 4, height: 4, channels: 1 }), data)!;
  const out = new Uint8Array(48);
  renderer.render(Int32Array.of(1), out);
  t.ok(out.every((value) => value === 3));
  t.throws(() => renderer.render(Int32Array.of(2), out), { code: 'PICTURE_REFUSED' });
  t.throws(() => renderer.render(Int32Array.of(0, 1), out), { code: 'PICTURE_REFUSED' });
  t.end();
});

t.test('damaged files fail with an error of the catalogue, or give pixels; nothing else', { skip }, async (t) => {
  const whole = photo(5);
  const codes = new Map<string, number>();
  const judge = async (bytes: Uint8Array) => {
    const code = await openPicture(bytes)
      .then((picture) => renderPixels(picture.resize({ width: 20, height: 20 })))
      .then(
        () => 'pixels',
        (error: { code?: string }) => error.code ?? String(error),
      );
    codes.set(code, (codes.get(code) ?? 0) + 1);
    return code;
  };
  for (let length = 1; length < whole.length; length += 61) await judge(whole.subarray(0, length));
  t.equal(codes.has('pixels'), false, 'no truncated file gives pixels');
  t.match([...codes.keys()].sort(), ['PICTURE_BROKEN', 'PICTURE_FORMAT']);
  for (let at = 2; at < whole.length; at += 23) {
    const bytes = Buffer.from(whole);
    bytes[at] = bytes[at]! ^ (1 << (at % 8));
    await judge(bytes);
  }
  t.same(
    [...codes.keys()].filter((code) => code !== 'pixels' && !/^PICTURE_[A-Z]+$/.test(code)),
    [],
  );
  const frame = whole.indexOf(Buffer.from([0xff, 0xc0]));
  const lying = (width: number, height: number) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt16BE(height, frame + 5);
    bytes.writeUInt16BE(width, frame + 7);
    return bytes;
  };
  t.ok(frame > 0);
  t.equal(await judge(lying(65_500, 65_500)), 'PICTURE_LIMIT');
  const opened = await openPicture(Buffer.from(whole));
  opened.bytes?.set(lying(4000, 4000));
  await t.rejects(renderPixels(opened), { code: 'PICTURE_BROKEN', message: /its size is another/ });
  for (const [width, height] of [
    [1, 1],
    [65_500, 1],
    [1, 65_500],
    [65_500, 9],
  ] as const) {
    const bytes = await kit.jpeg(kit.gradient(width, height));
    t.equal(await judge(bytes), 'pixels', `${width} × ${height}`);
  }
});

t.test('a cell that was taken back is written no more, and its sample ends all the same', { skip }, async (t) => {
  const size = 160;
  const ring = new Ring(8, size * size * 3);
  for (let i = 0; i < 60; i++) {
    const cells = Array.from({ length: 8 }, () => ring.take()!);
    const ends = await Promise.all(
      cells.map(async (cell, n) => {
        const picture = (await openPicture(photo(i + n))).resize({ width: size, height: size });
        cell.bytes().fill(7);
        return { cell, end: renderAll([{ picture, out: cell.bytes() }], cell) };
      }),
    );
    // A turn or more later, when some are written, some are being written, and some wait.
    for (let turn = 0; turn < i % 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    const left = ends.map(({ cell }) => {
      cell.free();
      return Buffer.from(cell.bytes());
    });
    await Promise.all(ends.map(({ end }) => end));
    const late = ends.filter(({ cell }, n) => !left[n]!.equals(cell.bytes()));
    if (late.length > 0) t.fail(`${late.length} cells were written after they had been taken back`);
  }
  const cell = ring.take()!;
  const picture = (await openPicture(photo(0))).resize({ width: size, height: size });
  cell.free();
  cell.bytes().fill(9);
  await renderAll([{ picture, out: cell.bytes() }], cell);
  t.ok(
    cell.bytes().every((value) => value === 9),
    'taken back before it began',
  );
  const fresh = ring.take()!;
  await renderAll([{ picture, out: fresh.bytes() }], fresh);
  t.ok(Buffer.from((await renderPixels(picture)).data).equals(fresh.bytes()), 'the next one is written');
});

t.test('memory stays flat over many renderings', { skip }, async (t) => {
  const out = new Uint8Array(96 * 96 * 3);
  const readings: number[] = [];
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 400; i++) {
      const picture = (await openPicture(photo(i))).resize({ width: 96, height: 96 });
      await renderAll([{ picture, out }]);
    }
    if (round >= 2) readings.push(residentMiB());
  }
  t.ok(growth(readings) < 12, `MiB after each round: ${readings.map((mib) => mib.toFixed(1)).join(', ')}`);
});

t.test(
  'N5: sharp is as near to an exact bicubic as native/image where it makes a JPEG or WebP much smaller',
  async (t) => {
    const large = kit.noisy(800, 600);
    const size = { width: 149, height: 112 };
    const source = sharp(large.data, { raw: { width: 800, height: 600, channels: 3 } });
    for (const [format, bytes] of [
      ['jpeg', await source.clone().jpeg({ quality: 92 }).toBuffer()],
      ['webp', await source.clone().webp({ quality: 92 }).toBuffer()],
    ] as const) {
      const decoded = await bySharp(await openPicture(bytes));
      const exact = enlarge(decoded, { ...size, kernel: 'bicubic' });
      const seen = await bySharp((await openPicture(bytes)).resize({ ...size, fit: 'fill' }));
      const most = exact.data.reduce((most, value, i) => Math.max(most, Math.abs(value - seen.data[i]!)), 0);
      // With sharp's fast choice of how far the decoder shrinks: 20 and 27.
      t.ok(most <= 10, `${format}: ${most} of 255`);
    }
  },
);
