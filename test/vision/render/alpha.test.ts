import sharp from 'sharp';
import t from 'tap';
import { decode } from '../../../src/stages/decode.ts';
import type { Format } from '../../../src/vision/headers/formats.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Colour, Picture } from '../../../src/vision/picture.ts';
import { renderGrey } from '../../../src/vision/render/render.ts';
import { refuses, stageOf } from '../../kit/stages.ts';

const files = { fields: { bytes: 'bytes' } } as const;
const [width, height] = [16, 8];
const grey = [100, 100, 100] as const;

/** Red, green and blue in stripes; from left to right ever more transparent. */
const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => {
  const x = (i >> 2) % width;
  if (i % 4 === 3) return 255 - 17 * x;
  return (x >> 1) % 3 === i % 4 ? 255 : 10;
});
const source = () => sharp(rgba, { raw: { width, height, channels: 4 } });

/** What the stripes show on a background, by hand. */
const onto = ([red, green, blue]: Colour) =>
  Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [pixel, channel] = [Math.floor(i / 3), i % 3];
    const alpha = rgba[pixel * 4 + 3]!;
    return Math.round((rgba[pixel * 4 + channel]! * alpha + [red, green, blue][channel]! * (255 - alpha)) / 255);
  });

const far = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) : 999;

const all: readonly Format[] = ['png', 'webp', 'tiff', 'avif', 'gif'];
const open = (bytes: Uint8Array, background?: Colour): Promise<Picture> =>
  openPicture(bytes, { formats: all, ...(background && { background }) });

t.test('L16: transparent pixels show the background, white unless another is named', async (t) => {
  const encoded = {
    png: [await source().png().toBuffer(), 0],
    'png of 16 bits': [await source().toColourspace('rgb16').png().toBuffer(), 1],
    webp: [await source().webp({ lossless: true, exact: true }).toBuffer(), 0],
    tiff: [await source().tiff({ compression: 'lzw' }).toBuffer(), 0],
    avif: [await source().avif({ lossless: true, chromaSubsampling: '4:4:4' }).toBuffer(), 4],
  } as const;
  for (const [name, [bytes, allowed]] of Object.entries(encoded)) {
    t.ok(far((await (await open(bytes)).pixels()).data, onto([255, 255, 255])) <= allowed, `${name} on white`);
    t.ok(far((await (await open(bytes, grey)).pixels()).data, onto(grey)) <= allowed, `${name} on grey`);
    const colour = [9, 200, 77] as const;
    t.ok(far((await (await open(bytes, colour)).pixels()).data, onto(colour)) <= allowed, `${name} on a colour`);
  }
});

t.test('L16: palettes, grey with alpha, a colour that stands for nothing, GIF', async (t) => {
  const half = Uint8Array.from(rgba, (value, i) => (i % 4 === 3 ? ((i >> 2) % width < 8 ? 255 : 0) : value));
  const hard = () => sharp(half, { raw: { width, height, channels: 4 } });
  const palette = await hard().png({ palette: true, colours: 8 }).toBuffer();
  t.ok(palette.includes('tRNS'), 'a palette with transparent colours');
  const right = async (bytes: Uint8Array, background: Colour) => {
    const { data } = await (await open(bytes, background)).crop({ left: 8, top: 0, width: 8, height }).pixels();
    return far(
      data,
      Uint8Array.from(data, (_, i) => background[i % 3]!),
    );
  };
  t.equal(await right(palette, [1, 2, 3]), 0, 'palette');
  t.equal(await right(await hard().gif().toBuffer(), [1, 2, 3]), 0, 'GIF');
  // On a coloured background grey pictures become coloured.
  const greyAlpha = await hard().toColourspace('b-w').png().toBuffer();
  t.equal((await sharp(greyAlpha).metadata()).channels, 2);
  t.equal(await right(greyAlpha, [1, 2, 3]), 0, 'grey with alpha');
  const greyAlpha16 = await hard().toColourspace('grey16').png().toBuffer();
  t.equal(await right(greyAlpha16, [1, 2, 3]), 0, 'grey with alpha, 16 bits');
});

t.test('L16: laid on the background before anything is mixed, in every path', async (t) => {
  const bytes = await source().png().toBuffer();
  const flat = await sharp(onto(grey), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const [ours, plain] = [await open(bytes, grey), await open(flat)];
  const ways: Record<string, (picture: Picture) => Picture> = {
    cropped: (picture) => picture.crop({ left: 3, top: 1, width: 11, height: 6 }),
    smaller: (picture) => picture.resize({ width: 5, height: 4 }),
    larger: (picture) => picture.resize({ width: 40, height: 20 }),
    'cropped, smaller, mirrored': (picture) =>
      picture.crop({ left: 2, top: 0, width: 12, height: 8 }).resize({ width: 6, height: 4, fit: 'fill' }).flip(),
    settled: (picture) => picture.resize({ width: 8, height: 4 }).settle().resize({ width: 4, height: 2 }),
    turned: (picture) => picture.cropTurned({ x: 8, y: 4, width: 6, height: 4, angle: 0.4 }),
  };
  for (const [way, seen] of Object.entries(ways)) {
    t.ok(far((await seen(ours).pixels()).data, (await seen(plain).pixels()).data) <= 1, way);
  }
  t.ok(far(await renderGrey(ours), await renderGrey(plain)) <= 1, 'luma, as faces are looked for');
});

t.test('L16: the option of decode', async (t) => {
  const bytes = await source().png().toBuffer();
  const shown = async (options: object) => {
    const { picture } = await stageOf(decode, options, files).run({ bytes });
    return (await picture.pixels()).data;
  };
  t.same(await shown({}), onto([255, 255, 255]));
  t.same(await shown({ background: [1, 2, 3] }), onto([1, 2, 3]));
  for (const background of [[1, 2], [0, 0, 256], 'white']) t.ok(refuses(decode, { background }), String(background));
});
