import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import t from 'tap';
import { type Format, pictureFormats, sniff } from '../../src/vision/headers/formats.ts';
import { openPicture } from '../../src/vision/open.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { type TiffTag, tiffOf } from '../kit/pictures/tiffs.ts';

const pixels = kit.gradient(16, 8);
const open = (bytes: Uint8Array, formats: readonly Format[] = pictureFormats) => openPicture(bytes, { formats });

/** Tags of an uncompressed TIFF of 2 × 2 pixels. */
const tiff = ({ bits = 8, samples = 1, format = 1, photometric = samples > 2 ? 2 : 1, more = {} }: TiffTag) =>
  tiffOf({ width: 2, height: 2, bits, samples, format, photometric, more });

t.test('L19: TIFFs that would be read as something else are refused with what they are', async (t) => {
  const cases: readonly (readonly [tiff: Buffer, found: RegExp])[] = [
    [tiff({ bits: 32, format: 3 }), /got a TIFF of floats \(32 bits\)/],
    [tiff({ bits: 16, format: 3 }), /floats \(16 bits\)/],
    [tiff({ bits: 64, format: 3 }), /floats \(64 bits\)/],
    [tiff({ bits: 32, format: 3, samples: 3 }), /floats/],
    [tiff({ bits: 32 }), /integers of 32 bits/],
    [tiff({ bits: 16, format: 2 }), /signed integers \(16 bits\)/],
    [tiff({ bits: 8, format: 2 }), /signed integers/],
    [tiff({ bits: 64, format: 6 }), /complex numbers/],
    [tiff({ samples: 5 }), /5 bands, of which 3 are known/],
    [tiff({ samples: 5, photometric: 1 }), /5 bands, of which one is known/],
    [tiff({ samples: 4 }), /4 bands/],
    [tiff({ samples: 3, photometric: 1 }), /3 bands, of which one is known/],
    [tiff({ samples: 3, photometric: 8 }), /Lab colours/],
    [tiff({ samples: 3, photometric: 6 }), /YCbCr colours without JPEG/],
    [tiff({ photometric: 32_803 }), /a raw photograph/],
    [tiff({ samples: 3, more: { 50706: [1] } }), /a raw photograph/],
  ];
  for (const [bytes, message] of cases)
    await t.rejects(open(bytes), { code: 'PICTURE_UNSUPPORTED', message }, String(message));
});

t.test('L19: TIFFs of 1, 8 and 16 bits, grey, RGB, CMYK, with alpha: their colours', async (t) => {
  const first = async (bytes: Uint8Array) => [...(await (await open(bytes)).pixels()).data.subarray(0, 3)];
  t.same(await first(tiff({})), [10, 10, 10]);
  t.same(await first(tiff({ photometric: 0 })), [245, 245, 245], 'white is zero');
  t.same(await first(tiff({ samples: 3 })), [10, 20, 30]);
  t.same(await first(tiff({ bits: 16 })), [10, 10, 10], '16 bits are brought to 8');
  t.same(await first(tiff({ bits: 16, samples: 3 })), [10, 20, 30]);
  t.same(await first(tiff({ bits: 1 })), [255, 255, 255], 'one bit, which is set');
  t.same(await first(tiff({ samples: 4, more: { 338: [2] } })), [217, 218, 220], 'an alpha of 40, on white');
  const cmyk = await first(tiff({ samples: 4, photometric: 5 }));
  t.ok(
    cmyk.every((value) => value > 150 && value < 230),
    `a little ink: ${cmyk}`,
  );
});

t.test('M6: a JPEG that no decoder here reads is not called damaged', async (t) => {
  const bytes = await kit.jpeg(pixels);
  const frame = bytes.indexOf(Buffer.of(0xff, 0xc0));
  const changed = (at: number, ...values: number[]) => {
    const copy = Buffer.from(bytes);
    copy.set(values, frame + at);
    return copy;
  };
  const cases: readonly (readonly [bytes: Buffer, message: RegExp])[] = [
    [changed(4, 12), /got a JPEG of 12 bits/],
    [changed(1, 0xc3, 0, 17, 16), /a lossless JPEG of 16 bits/],
    [changed(1, 0xc5), /a hierarchical JPEG/],
    [changed(1, 0xcb), /a lossless JPEG with arithmetic codes/],
    [changed(1, 0xf7), /a JPEG-LS/],
    [changed(5, 0, 0), /its height after its first scan/],
    [changed(9, 2), /2 components/],
  ];
  for (const [file, message] of cases)
    await t.rejects(open(file), { code: 'PICTURE_UNSUPPORTED', message }, String(message));
});

t.test('M6: a lossless JPEG of 8 bits goes to sharp', async (t) => {
  const bytes = readFileSync(new URL('../../fixtures/jpeg/lossless.jpg', import.meta.url));
  const picture = await open(bytes);
  t.same([picture.width, picture.height], [32, 24]);
  const { data } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  t.same((await picture.pixels()).data, new Uint8Array(data));
  t.match(await picture.crop({ left: 3, top: 2, width: 9, height: 7 }).pixels(), { width: 9, height: 7 });
});

/** A file of boxes, with its major brand and the others. */
const boxes = (major: string, ...others: string[]) => {
  const head = Buffer.from(`....ftyp${major}\0\0\0\0${others.join('')}`, 'latin1');
  head.writeUInt32BE(head.length);
  return Buffer.concat([head, Buffer.alloc(40)]);
};

t.test('M6: an AVIF by any of its brands, a video only what is one', async (t) => {
  const avif = await sharp(pixels.data, { raw: { width: 16, height: 8, channels: 3 } })
    .avif()
    .toBuffer();
  t.equal(avif.toString('latin1', 8, 12), 'avif');
  const structural = Buffer.from(avif);
  structural.write('mif1', 8, 'latin1');
  t.equal((await (await open(structural, ['avif'])).pixels()).width, 16, 'mif1, that fits avif as well');
  const cases: Record<string, Buffer> = {
    'an HEIC': boxes('mif1', 'mif1', 'heic'),
    'an HEIC ': boxes('heic', 'mif1', 'heic'),
    'an HEIC  ': boxes('msf1', 'hevc', 'iso8'),
    'an HEIF of an unknown coding': boxes('mif1', 'miaf'),
    'a raw photograph (CR3)': boxes('crx ', 'crx ', 'isom'),
    'a JPEG XL': boxes('jxl ', 'jxl '),
    'a JPEG 2000': boxes('jp2 ', 'jp2 '),
    'a sound (MP4)': boxes('M4A ', 'isom'),
    'a video': boxes('isom', 'iso2', 'avc1', 'mp41'),
    'a video ': boxes('qt  ', 'qt  '),
    'a file of boxes of an unknown kind (abcd)': boxes('abcd', 'efgh'),
  };
  for (const [what, bytes] of Object.entries(cases)) t.equal(sniff(bytes).what, what.trim(), what);
});

t.test('M6: what is no picture that can be read is named, with what to do', async (t) => {
  const latin = (text: string) => Buffer.from(text.padEnd(64, '\0'), 'latin1');
  const cases: readonly (readonly [bytes: Buffer, what: string, advice: RegExp])[] = [
    [latin('BM6H'), 'a BMP', /Convert it/],
    [latin('\0\0\x01\0\x01\0'), 'an icon \\(ICO\\)', /Convert it/],
    [latin('8BPS\0\x01'), 'a Photoshop file', /Convert it/],
    [latin('II*\0\x10\0\0\0CR\x02\0'), 'a raw photograph \\(CR2\\)', /Convert it/],
    [latin('FUJIFILMCCD-RAW'), 'a raw photograph \\(RAF\\)', /Convert it/],
    [latin('\xff\x0a'), 'a JPEG XL', /Convert it/],
    [latin('\xff\x4f\xff\x51'), 'a JPEG 2000', /Convert it/],
    [latin('\x76\x2f\x31\x01'), 'an OpenEXR picture', /Convert it/],
    [latin('#?RADIANCE\n'), 'a Radiance HDR picture', /Convert it/],
    [latin('P6\n16 8\n255\n\xfe'), 'a portable bitmap \\(PNM\\)', /Convert it/],
    [kit.svg, 'an SVG drawing', /Convert it/],
    [latin('%PDF-1.7'), 'a PDF', /Convert it/],
    [latin('RIFF....AVI LIST'), 'a video \\(AVI\\)', /Remove/],
    [latin('\x1aE\xdf\xa3'), 'a video \\(Matroska or WebM\\)', /Remove/],
    [latin('PK\x03\x04'), 'a ZIP archive', /Unpack it/],
    [Buffer.from('<!DOCTYPE html><html><body>404 Not Found</body></html>'), 'an HTML page', /download it again/],
    [Buffer.from('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), 'an XML text', /download it again/],
    [Buffer.from('{"error": "not found"}'), 'a JSON text', /download it again/],
    [
      Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n'),
      'a git-lfs pointer',
      /git lfs pull/,
    ],
    [kit.text, 'text', /Remove/],
    [Buffer.alloc(64), 'nothing but zero bytes', /Copy it again/],
  ];
  for (const [bytes, what, advice] of cases) {
    await t.rejects(
      open(bytes),
      { code: 'PICTURE_FORMAT', message: new RegExp(`got ${what}.*${advice.source}`) },
      what,
    );
  }
  await t.rejects(open(Buffer.alloc(0)), { code: 'PICTURE_EMPTY' });
});

t.test(
  'colours of JPEGs: RGB without a transform, grey, CMYK and its inverted form, as sharp shows them',
  async (t) => {
    const photo = kit.noisy(48, 40);
    const source = () => sharp(photo.data, { raw: { width: 48, height: 40, channels: 3 } });
    const files: Record<string, Buffer> = {
      rgb: readFileSync(new URL('../../fixtures/jpeg/rgb.jpg', import.meta.url)),
      grey: await source().toColourspace('b-w').jpeg().toBuffer(),
      cmyk: await source().toColourspace('cmyk').jpeg().toBuffer(),
    };
    for (const [what, bytes] of Object.entries(files)) {
      const ours = await (await open(bytes)).pixels();
      const theirs = await sharp(bytes).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
      const { channels } = theirs.info;
      const mean =
        ours.data.reduce(
          (sum, value, i) => sum + Math.abs(value - theirs.data[channels === 1 ? Math.floor(i / 3) : i]!),
          0,
        ) / ours.data.length;
      t.ok(mean < 1, `${what}: ${mean}`);
    }
  },
);

t.test('what is no array of bytes is no picture, and says so', async (t) => {
  for (const [given, found] of [
    ['a.jpg', 'string'],
    [7, 'number'],
    [undefined, 'undefined'],
    [[255, 216], 'object'],
  ] as const)
    await t.rejects(openPicture(given as never), {
      code: 'PICTURE_FORMAT',
      message: new RegExp(`got ${found}, and no`),
    });
});
