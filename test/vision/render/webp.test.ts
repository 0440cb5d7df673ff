import sharp from 'sharp';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Colour } from '../../../src/vision/picture.ts';
import { renderPixels } from '../../../src/vision/render/render.ts';
import { noisy } from '../../kit/pictures/pictures.ts';
import { bySharp, natively } from '../../kit/pictures/renderers.ts';

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
