import sharp from 'sharp';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Colour } from '../../../src/vision/picture.ts';
import { renderPixels } from '../../../src/vision/render/render.ts';
import { noisy } from '../../kit/pictures/pictures.ts';
import { byLibraries, bySharp, natively } from '../../kit/pictures/renderers.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? addon.found : addon.info().webp === '' && 'native/image is built without libwebp';

const background: Colour = [200, 30, 90];
const random = new Random(7, 'webp', 'kinds');
const open = (bytes: Uint8Array) => openPicture(bytes, { background });

const far = (a: Uint8Array, b: Uint8Array) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

const [width, height] = [61, 43];
const rgb = noisy(width, height).data;
const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) =>
  i % 4 === 3 ? random.integer(256) : rgb[(i >> 2) * 3 + (i % 4)]!,
);
const opaque = () => sharp(rgb, { raw: { width, height, channels: 3 } });
const clear = () => sharp(rgba, { raw: { width, height, channels: 4 } });
const lossless = { lossless: true, exact: true } as const;

const files = {
  lossy: await opaque().webp({ quality: 80 }).toBuffer(),
  'lossy, fine': await opaque().webp({ quality: 100, smartSubsample: true }).toBuffer(),
  'lossy, alpha': await clear().webp({ quality: 80 }).toBuffer(),
  lossless: await opaque().webp(lossless).toBuffer(),
  'lossless, alpha': await clear().webp(lossless).toBuffer(),
  'lossless, few colours': await opaque().threshold(99).webp(lossless).toBuffer(),
};

t.test(
  'WebPs are what sharp makes of them, within 1 of 255; lossless ones are what was written',
  { skip },
  async (t) => {
    for (const [name, bytes] of Object.entries(files)) {
      const picture = await open(bytes);
      const found = (await natively(picture)).data;
      t.ok(far(found, (await bySharp(picture)).data) <= (name.startsWith('lossless') ? 0 : 1), name);
    }
    t.same((await natively(await open(files.lossless))).data, rgb);
  },
);

t.test('crops of WebPs are the same pixels by both renderers, turned ones included', { skip }, async (t) => {
  for (const [name, bytes] of Object.entries(files)) {
    let most = 0;
    const orientation = 1 + random.integer(8);
    const turned = await sharp(bytes)
      .withMetadata({ orientation })
      .webp({ ...lossless, quality: 90, lossless: name.startsWith('lossless') })
      .toBuffer();
    const whole = await open(turned);
    t.same([whole.width, whole.height], orientation > 4 ? [height, width] : [width, height], `${name}, ${orientation}`);
    for (let i = 0; i < 25; i++) {
      const [wide, high] = [1 + random.integer(whole.width), 1 + random.integer(whole.height)];
      const [left, top] = [random.integer(whole.width - wide + 1), random.integer(whole.height - high + 1)];
      const picture = whole.crop({ left, top, width: wide, height: high });
      most = Math.max(most, far((await natively(picture)).data, (await bySharp(picture)).data));
    }
    t.ok(most <= (name.startsWith('lossless') ? 0 : 1), `${name}: ${most}`);
  }
});

async function outcome(render: () => Promise<unknown>): Promise<string> {
  try {
    await render();
    return 'pixels';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

t.test('damage in a WebP: what is cut fails, what lies behind its pixels does not matter', { skip }, async (t) => {
  for (const [name, bytes] of Object.entries(files)) {
    const more = Buffer.concat([bytes, Buffer.from('more')]);
    t.equal(await outcome(async () => natively(await open(more))), 'pixels', `${name}, bytes behind the end`);
    for (const share of [0.3, 0.6, 0.95]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * share));
      t.equal(await outcome(async () => renderPixels(await open(cut))), 'PICTURE_BROKEN', `${name}, cut at ${share}`);
    }
  }
});

t.test('rows of a WebP far below those that are wanted are not read', { skip }, async (t) => {
  const tall = noisy(128, 2000);
  const bytes = await sharp(tall.data, { raw: { width: 128, height: 2000, channels: 3 } })
    .webp(lossless)
    .toBuffer();
  const cut = bytes.subarray(0, bytes.length >> 1);
  const picture = await open(cut);
  t.equal(await outcome(() => natively(picture)), 'PICTURE_BROKEN');
  const upper = (await natively(picture.crop({ left: 0, top: 4, width: 128, height: 20 }))).data;
  t.same(upper, tall.data.subarray(4 * 128 * 3, 24 * 128 * 3));
});

t.test(
  'animations and pictures of another colour space are left to sharp; a header that lies is refused',
  { skip },
  async (t) => {
    const frames = Buffer.concat([rgb, rgb.map((value) => 255 - value)]);
    const animated = await sharp(frames, { raw: { width, height: 2 * height, channels: 3, pageHeight: height } })
      .webp(lossless)
      .toBuffer();
    const first = await open(animated);
    t.same([first.width, first.height], [width, height]);
    await t.rejects(natively(first), /left to sharp/);
    t.same((await renderPixels(first)).data, rgb, 'the first frame');
    const wide = await open(await opaque().withIccProfile('p3').webp(lossless).toBuffer());
    await t.rejects(natively(wide), /left to sharp/);
    const large = Buffer.from(files.lossy);
    large.writeUInt16LE(16_383, 26);
    large.writeUInt16LE(16_383, 28);
    await t.rejects(open(large), { code: 'PICTURE_LIMIT' });
  },
);

const presets = ['default', 'photo', 'picture', 'drawing', 'icon', 'text'] as const;

async function lossyOf(side: readonly [number, number], index: number): Promise<Buffer> {
  const pixels = noisy(side[0], side[1]).data;
  const source = sharp(pixels, { raw: { width: side[0], height: side[1], channels: 3 } });
  // Noise has hardly a block without coefficients; what is smooth has many.
  const picture = index % 3 === 0 ? source : source.blur(1 + (index % 5));
  const quality = [1, 5, 20, 50, 75, 90, 99, 100][index % 8]!;
  return await picture.webp({ quality, effort: index % 7, preset: presets[index % presets.length]! }).toBuffer();
}

t.test('lossy WebPs of every size and quality: the same pixels without libwebp, whole and cut', { skip }, async (t) => {
  if (!isAbsent(addon) && addon.info().vectors === 'avx2') t.equal(addon.info().lossy, 'own');
  for (let i = 0; i < 120; i++) {
    const side = [1 + random.integer(i < 100 ? 70 : 300), 1 + random.integer(i < 100 ? 70 : 300)] as const;
    const whole = await open(await lossyOf(side, i));
    const [wide, high] = [1 + random.integer(side[0]), 1 + random.integer(side[1])];
    const left = random.integer(side[0] - wide + 1);
    const part = whole.crop({ left, top: random.integer(side[1] - high + 1), width: wide, height: high });
    for (const picture of [whole, part]) {
      const found = (await natively(picture)).data;
      const same = Buffer.from(found).equals((await byLibraries(() => natively(picture))).data);
      if (!same) t.fail(`${side.join(' × ')}, ${i}${picture === part ? `, ${wide} × ${high} from ${left}` : ''}`);
    }
  }
});

t.test('damage in lossy WebPs is judged alike with and without libwebp, in words too', { skip }, async (t) => {
  const counts = { pixels: 0, broken: 0 };
  const sound = await Promise.all([0, 3, 4, 5, 7, 11].map((i) => lossyOf([61 + i, 43 + i], i)));
  for (let i = 0; i < 400; i++) {
    const bytes = Buffer.from(sound[i % sound.length]!);
    // Behind the size: what is said of the whole picture, and then of its blocks.
    const from = 30 + (i % 2 === 0 ? random.integer(20) : random.integer(bytes.length - 30));
    for (let k = 0; k < 1 + (i % 3); k++) bytes[Math.min(bytes.length - 1, from + k)]! ^= 1 << random.integer(8);
    const picture = await open(i % 5 === 0 ? bytes.subarray(0, from) : bytes);
    const judged = () => natively(picture).then(({ data }) => Buffer.from(data).toString('latin1'), String);
    const found = await judged();
    const expected = await byLibraries(judged);
    if (found !== expected) t.equal(found, expected, `file ${i}`);
    counts[found.startsWith('PatchstreamError') ? 'broken' : 'pixels']++;
  }
  t.ok(counts.pixels > 50 && counts.broken > 50, `${counts.pixels} rendered, ${counts.broken} refused`);
});
