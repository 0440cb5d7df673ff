import sharp from 'sharp';
import t from 'tap';
import { jpegHeader } from '../../../src/vision/headers/jpeg-header.ts';
import * as kit from '../../kit/pictures/pictures.ts';

const pixels = kit.gradient(30, 20);
const source = () => sharp(pixels.data, { raw: { width: 30, height: 20, channels: 3 } });

t.test('size, components, orientation and profile, as sharp reads them', async (t) => {
  const plain = { width: 30, height: 20, orientation: 1, components: 3, foreignProfile: false };
  t.same(jpegHeader(await kit.jpeg(pixels)), plain);
  t.same(jpegHeader(await source().jpeg({ progressive: true }).toBuffer()), plain);
  t.same(jpegHeader(await source().toColourspace('b-w').jpeg().toBuffer()), { ...plain, components: 1 });
  t.match(jpegHeader(await kit.cmyk(pixels)), { components: 4 });
  t.same(jpegHeader(await source().withIccProfile('p3').jpeg().toBuffer()), { ...plain, foreignProfile: true });
  t.same(jpegHeader(await source().withIccProfile('srgb').jpeg().toBuffer()), plain);
  for (let orientation = 1; orientation <= 8; orientation++) {
    const bytes = await kit.oriented(pixels, orientation);
    const { width, height } = await sharp(bytes).metadata();
    t.match(jpegHeader(bytes), { width, height, orientation });
  }
});

t.test('anything unusual is left to a decoder', async (t) => {
  const bytes = await kit.jpeg(pixels);
  t.equal(jpegHeader(await kit.png(pixels)), undefined);
  for (let length = 0; length < 160; length += 7)
    t.equal(jpegHeader(bytes.subarray(0, length)), undefined, `${length} bytes`);
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  for (const [what, at, value] of [
    ['12 bits', 4, 12],
    ['no width', 8, 0],
    ['two components', 9, 2],
    ['a lossless frame, whose kind nobody decodes', 1, 0xc4],
  ] as const) {
    const other = Buffer.from(bytes);
    other[frame + at] = value;
    t.equal(jpegHeader(other), undefined, what);
  }
  const filled = Buffer.concat([bytes.subarray(0, 2), Buffer.from([0xff, 0xff]), bytes.subarray(2)]);
  t.match(jpegHeader(filled), { width: 30 }, 'bytes that fill before a marker');
});
