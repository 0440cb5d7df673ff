import sharp from 'sharp';
import t from 'tap';
import type { Format } from '../../../src/vision/headers/formats.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Pixels } from '../../../src/vision/picture.ts';
import { renderWithSharp } from '../../../src/vision/render/sharp.ts';
import {
  app1,
  type ExifOptions,
  exifOf,
  exifSegment,
  type TiffType,
  tiffTypes,
  withSegments,
} from '../../kit/pictures/exif.ts';
import * as kit from '../../kit/pictures/pictures.ts';

const plain = await kit.jpeg(kit.gradient(24, 16));
const turned = (options: ExifOptions) => withSegments(plain, exifSegment(exifOf(options)));

/** Width and height once opened; both renderers must give the pixels that sharp's own turn gives of a JPEG with an orientation as it should be. */
async function orientationOf(bytes: Buffer): Promise<number> {
  return (await openPicture(bytes)).orientation;
}

t.test('L18: the orientation counts in every type of number and both byte orders', async (t) => {
  for (const type of Object.keys(tiffTypes) as TiffType[]) {
    const expected = type === 'ASCII' || type === 'UNDEFINED' ? 1 : 6;
    for (const little of [true, false])
      t.equal(await orientationOf(turned({ type, little })), expected, `${type}, ${little ? 'little' : 'big'} endian`);
  }
  for (const little of [true, false]) {
    t.equal(await orientationOf(turned({ type: 'SHORT', count: 2, little })), 6, 'two numbers in the entry');
    t.equal(await orientationOf(turned({ type: 'SHORT', count: 3, little })), 6, 'three numbers elsewhere');
    t.equal(await orientationOf(turned({ type: 'LONG', count: 2, little })), 6, 'two long numbers');
    t.equal(await orientationOf(turned({ type: 'SHORT', count: 0, little })), 1, 'no number');
  }
});

t.test('L18: wherever the directory and the segment stand', async (t) => {
  t.equal(await orientationOf(turned({ directory: 13 })), 6, 'a directory at an odd place');
  t.equal(await orientationOf(turned({ directory: 500, before: 7 })), 6, 'a directory far behind');
  t.equal(await orientationOf(turned({ before: 2, says: 60_000 })), 6, 'more entries said than there are');
  const xmp = app1(Buffer.from('http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation="8"/>'));
  const exif = exifSegment(exifOf());
  t.equal(await orientationOf(withSegments(plain, xmp, exif)), 6, 'XMP before it');
  t.equal(await orientationOf(withSegments(plain, xmp)), 1, 'XMP alone');
  t.equal(await orientationOf(withSegments(plain, exif, exifSegment(exifOf({ value: 3 })))), 6, 'the first of two');
  t.equal(await orientationOf(withSegments(plain, Buffer.from('ffe700047a7a', 'hex'), exif)), 6, 'others before it');
});

t.test('L18: what is cut short, or says nothing that is an orientation', async (t) => {
  const whole = exifOf();
  // All but the place of the next directory.
  t.equal(await orientationOf(withSegments(plain, exifSegment(whole.subarray(0, -4)))), 6);
  for (const length of [0, 3, 9, 11, 14, 20])
    t.equal(await orientationOf(withSegments(plain, exifSegment(whole.subarray(0, length)))), 1, `${length} bytes`);
  for (const value of [0, 9, 255, 65_535]) t.equal(await orientationOf(turned({ value })), 1, `${value}`);
  t.equal(await orientationOf(turned({ type: 'LONG', value: 65_542 })), 1, 'not the low half of a number');
  t.equal(await orientationOf(turned({ magic: 43 })), 1, 'no TIFF');
  t.equal(await orientationOf(turned({ tag: 0x0113 })), 1, 'another tag');
});

t.test('L18: both renderers turn alike, whatever sharp reads', async (t) => {
  const upright = kit.gradient(24, 16);
  const far = (a: Pixels, b: Pixels) =>
    a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);
  for (let value = 1; value <= 8; value++) {
    const right = await kit.oriented(upright, value);
    // The same picture with an EXIF that sharp and others read, or not.
    const bare = await sharp(right).jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer();
    for (const type of ['BYTE', 'LONG', 'FLOAT'] as const) {
      const picture = await openPicture(withSegments(bare, exifSegment(exifOf({ type, value }))));
      const box = { left: 3, top: 2, width: 17, height: 9 };
      for (const seen of [picture, picture.crop(box), picture.crop(box).resize({ width: 8, height: 5 })]) {
        const out = new Uint8Array(seen.width * seen.height * 3);
        await renderWithSharp([{ picture: seen, out }]);
        const theirs = { width: seen.width, height: seen.height, data: out };
        t.ok(far(await seen.pixels(), theirs) <= 3, `${value}, ${type}, ${seen.width}×${seen.height}`);
      }
      t.ok(far(await picture.pixels(), upright) <= 14, `${value}, ${type}: upright`);
    }
  }
});

t.test('L18: other formats that carry EXIF, or their own orientation', async (t) => {
  const upright = kit.gradient(24, 16);
  const source = (orientation: number) =>
    sharp(upright.data, { raw: { width: 24, height: 16, channels: 3 } }).withMetadata({ orientation });
  for (const format of ['png', 'webp', 'tiff', 'avif'] as const) {
    const bytes = await source(6).toFormat(format, { quality: 100 }).toBuffer();
    const picture = await openPicture(bytes, { formats: [format as Format] });
    // Who opens it with sharp sees the same.
    const { data, info } = await sharp(bytes).autoOrient().raw().toBuffer({ resolveWithObject: true });
    t.same([picture.width, picture.height], [info.width, info.height], format);
    t.same((await picture.pixels()).data, new Uint8Array(data), `${format}: pixels`);
  }
});
