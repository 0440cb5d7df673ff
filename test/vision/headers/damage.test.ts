import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import t from 'tap';
import { PatchstreamError } from '../../../src/errors.ts';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import type { Format } from '../../../src/vision/headers/formats.ts';
import { judgeScan } from '../../../src/vision/headers/jpeg-scan.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Picture } from '../../../src/vision/picture.ts';
import { renderPixels } from '../../../src/vision/render/render.ts';
import * as kit from '../../kit/pictures/pictures.ts';
import { bySharp } from '../../kit/pictures/renderers.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? addon.found : false;

const formats: readonly Format[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'];
const fixture = (name: string) => readFileSync(new URL(`../../../fixtures/jpeg/${name}.jpg`, import.meta.url));
const pixels = kit.noisy(160, 120);
const source = () => sharp(pixels.data, { raw: { width: 160, height: 120, channels: 3 } });

/** One of each coding. Of all but the last two a decoder notices when it falls out of step. */
const kinds: Record<string, Buffer> = {
  '4:2:0': await source().jpeg({ quality: 85 }).toBuffer(),
  '4:4:4': await source().jpeg({ quality: 85, chromaSubsampling: '4:4:4' }).toBuffer(),
  grey: await source().toColourspace('b-w').jpeg({ quality: 85 }).toBuffer(),
  cmyk: await source().toColourspace('cmyk').jpeg({ quality: 85 }).toBuffer(),
  rgb: fixture('rgb'),
  restarts: fixture('restarts'),
  progressive: await source().jpeg({ quality: 85, progressive: true }).toBuffer(),
  arithmetic: fixture('arithmetic'),
};

const end = Buffer.of(0xff, 0xd9);
const scanOf = (bytes: Buffer) => bytes.indexOf(Buffer.of(0xff, 0xda));
/** The place of a share of the data of the scans. */
const placeOf = (bytes: Buffer, share: number) =>
  scanOf(bytes) + 20 + Math.floor((bytes.length - 22 - scanOf(bytes)) * share);
const into = (bytes: Buffer, at: number, ...parts: Uint8Array[]) =>
  Buffer.concat([bytes.subarray(0, at), ...parts, bytes.subarray(at)]);
const over = (bytes: Buffer, at: number, part: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + part.length)]);

async function outcome(render: Promise<unknown>): Promise<string> {
  const error: unknown = await render.then(
    () => 'pixels',
    (error: unknown) => error,
  );
  return error instanceof PatchstreamError ? error.code : String(error);
}

/** What native/image, or sharp where it is absent, and sharp make of a file, or of a part of its picture. */
async function both(bytes: Uint8Array, part = (picture: Picture) => picture): Promise<readonly [string, string]> {
  const opened = await openPicture(bytes, { formats }).then(part, (error: unknown) => error);
  if (!(opened instanceof Object && 'origin' in opened)) return [await outcome(Promise.reject(opened)), 'not opened'];
  return [await outcome(renderPixels(opened as Picture)), await outcome(bySharp(opened as Picture))];
}

const broken = ['PICTURE_BROKEN', 'PICTURE_BROKEN'] as const;
const sound = ['pixels', 'pixels'] as const;

t.test('L17: a scan that was cut and given an end, or is cut, fails in both renderers', async (t) => {
  for (const [kind, bytes] of Object.entries(kinds)) {
    // A decoder of arithmetic codes reads zeros behind them, as it must, and cannot see that they are too many.
    const blind = kind === 'arithmetic';
    for (const share of [0.2, 0.5, 0.9]) {
      const cut = bytes.subarray(0, placeOf(bytes, share));
      t.same(await both(Buffer.concat([cut, end])), blind ? sound : broken, `${kind}, cut at ${share}, with an end`);
      t.same(await both(cut), broken, `${kind}, cut at ${share}`);
    }
  }
});

t.test('L17: bytes that were lost, doubled or overwritten fail in both renderers', async (t) => {
  for (const [kind, bytes] of Object.entries(kinds)) {
    if (kind === 'arithmetic') continue;
    // What both pass: the codes are sound and as many as there should be, so that nothing tells them from others.
    const passed: string[] = [];
    for (const share of [0.2, 0.55, 0.8]) {
      const at = placeOf(bytes, share);
      const length = Math.min(256, Math.floor(bytes.length / 12));
      const damages = {
        zeros: over(bytes, at, Buffer.alloc(length)),
        ones: over(bytes, at, Buffer.alloc(length, 255)),
        lost: Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
        doubled: into(bytes, at, bytes.subarray(at, at + length)),
        other: over(bytes, at, bytes.subarray(at - length, at)),
      };
      for (const [damage, file] of Object.entries(damages)) {
        const [native, sharp] = await both(file);
        t.equal(native, sharp, `${kind}, ${damage} at ${share}`);
        if (native !== 'PICTURE_BROKEN') passed.push(`${damage} at ${share}`);
      }
    }
    t.ok(passed.length <= 4, `${kind}: passed ${passed.join(', ') || 'none'}`);
  }
});

t.test('L17: what is harmless passes in both renderers', async (t) => {
  const adobe = Buffer.from('ffee000e41646f626500640000000007', 'hex');
  for (const [kind, bytes] of Object.entries(kinds)) {
    const jfif = bytes.indexOf('JFIF\0');
    const scan = scanOf(bytes);
    const files: Record<string, Buffer> = {
      'as it is': bytes,
      'bytes behind it': Buffer.concat([bytes, Buffer.from('left by a camera')]),
      'another picture behind it': Buffer.concat([bytes, bytes]),
      'bytes between segments': into(bytes, scan, Buffer.from('abc')),
      'fill bytes before its end': into(bytes, bytes.length - 2, Buffer.alloc(64, 255)),
      'some bytes before its end': into(bytes, bytes.length - 2, Buffer.from('camera')),
      'many zeros before its end': into(bytes, bytes.length - 2, Buffer.alloc(300)),
      'segments that nobody knows': into(bytes, 2, Buffer.from('ffe700047a7affef0002', 'hex')),
    };
    if (jfif > 0) files['another version of JFIF'] = over(bytes, jfif + 5, Buffer.of(2));
    // Where neither JFIF nor another Adobe says the colours, an unknown transform is taken for the usual one.
    else if (!bytes.includes('Adobe')) files['an unknown transform'] = into(bytes, 2, adobe);
    if (kind !== 'progressive')
      files['bounds that are not of its kind'] = over(bytes, scan + 5 + 2 * bytes[scan + 4]!, Buffer.of(1));
    for (const [what, file] of Object.entries(files)) t.same(await both(file), sound, `${kind}, ${what}`);
    // Of several scans the rest might be missing too.
    const alone = kind !== 'progressive' && kind !== 'arithmetic';
    t.same(await both(bytes.subarray(0, -2)), alone ? sound : broken, `${kind}, without its end`);
  }
});

t.test('L17: where the two renderers differ', { skip }, async (t) => {
  const { arithmetic } = kinds;
  // libvips does not look behind the last row; of arithmetic codes nothing else can be seen.
  const doubled = into(
    arithmetic!,
    placeOf(arithmetic!, 0.5),
    arithmetic!.subarray(placeOf(arithmetic!, 0.3), placeOf(arithmetic!, 0.5)),
  );
  t.same(await both(doubled), ['PICTURE_BROKEN', 'pixels']);
});

t.test(
  'L17: of damaged grey files the two renderers take and refuse the same, but for one kind',
  { skip },
  async (t) => {
    const random = new Random(1, 'damage', 'grey');
    const differ = new Set<string>();
    let refused = 0;
    for (const [width, height, quality] of [
      [160, 120, 85],
      [97, 75, 70],
      [64, 64, 50],
    ] as const) {
      const raw = { width, height, channels: 3 } as const;
      const grey = await sharp(kit.noisy(width, height).data, { raw })
        .toColourspace('b-w')
        .jpeg({ quality })
        .toBuffer();
      const scan = scanOf(grey) + 10;
      for (let i = 0; i < 80; i++) {
        const at = scan + random.integer(grey.length - 20 - scan);
        const length = 1 + random.integer(i % 3 === 0 ? 6 : 60);
        const noise = Buffer.from(Array.from({ length }, () => random.integer(255)));
        const file = [
          Buffer.concat([grey.subarray(0, at), grey.subarray(at + length)]),
          over(grey, at, Buffer.alloc(length)),
          into(grey, at, grey.subarray(at, at + length)),
          over(grey, at, noise),
        ][i % 4]!;
        const picture = await openPicture(file);
        const [native, other] = [await outcome(renderPixels(picture)), await outcome(bySharp(picture))];
        if (other === 'PICTURE_BROKEN') refused++;
        if (native === other) continue;
        const { damage } = judgeScan(file, height) ?? {};
        differ.add(`native ${native}, sharp ${other}: ${damage}`);
      }
    }
    t.ok(refused > 80, `${refused} of 240 are refused`);
    // Far from the end of a file libjpeg takes such a code for the end of a block, without a warning.
    differ.delete('native pixels, sharp PICTURE_BROKEN: a code in its scan that is none');
    t.same([...differ], []);
  },
);

t.test('L17: zeros that the last rows were made of are no padding', async (t) => {
  const bytes = kinds['4:2:0']!;
  const at = placeOf(bytes, 0.7);
  t.same(await both(over(bytes, at, Buffer.alloc(bytes.length - 2 - at))), broken, 'with an end');
  t.same(await both(over(bytes, at, Buffer.alloc(bytes.length - at))), broken, 'without');
});

t.test('L17: rows that are not decoded are not judged', async (t) => {
  for (const kind of ['4:2:0', '4:4:4', 'grey', 'restarts'] as const) {
    const bytes = kinds[kind]!;
    const cut = Buffer.concat([bytes.subarray(0, placeOf(bytes, 0.5)), end]);
    const rows = (top: number, height: number) => (picture: Picture) =>
      picture.crop({ left: 8, top, width: 40, height });
    const { height } = await openPicture(bytes);
    t.same(await both(cut, rows(0, Math.floor(height / 4))), sound, `${kind}, above the cut`);
    t.same(await both(cut, rows(Math.floor(height * 0.7), 10)), broken, `${kind}, below it`);
    const small = (picture: Picture) => rows(0, Math.floor(height / 4))(picture).resize({ width: 9, height: 9 });
    t.same(await both(cut, small), sound, `${kind}, above the cut, made smaller`);
  }
});

t.test('L17: a turned picture is judged by the rows of its file', async (t) => {
  const bytes = await kit.oriented(pixels, 6);
  const cut = Buffer.concat([bytes.subarray(0, placeOf(bytes, 0.6)), end]);
  // The file's rows run from right to left of the upright picture.
  t.same(await both(cut, (picture) => picture.crop({ left: 120, top: 0, width: 40, height: 120 })), sound);
  t.same(await both(cut, (picture) => picture.crop({ left: 0, top: 0, width: 40, height: 120 })), broken);
});

t.test('L17: damage in other formats', async (t) => {
  const plain = await source().png().toBuffer();
  const idat = plain.indexOf('IDAT');
  const checkSum = idat + 4 + plain.readUInt32BE(idat - 4);
  const webp = await source().webp({ lossless: true }).toBuffer();
  const gif = await source().gif().toBuffer();
  const tiff = await source().tiff({ compression: 'deflate' }).toBuffer();
  const middle = (bytes: Buffer) => over(bytes, bytes.length >> 1, Buffer.alloc(64));
  const files: readonly (readonly [what: string, bytes: Buffer, code: string])[] = [
    ['a PNG that was cut', plain.subarray(0, plain.length >> 1), 'PICTURE_BROKEN'],
    ['a PNG with zeros', middle(plain), 'PICTURE_BROKEN'],
    ['a PNG with a wrong check sum', over(plain, checkSum, Buffer.of(plain[checkSum]! ^ 1)), 'PICTURE_BROKEN'],
    [
      'an interlaced PNG that was cut',
      (await source().png({ progressive: true }).toBuffer()).subarray(0, -200),
      'PICTURE_BROKEN',
    ],
    ['a PNG without its last chunk', plain.subarray(0, -12), 'pixels'],
    ['a PNG with bytes behind it', Buffer.concat([plain, Buffer.from('more')]), 'pixels'],
    ['a WebP that was cut', webp.subarray(0, -20), 'PICTURE_BROKEN'],
    ['a WebP with bytes behind it', Buffer.concat([webp, Buffer.from('more')]), 'pixels'],
    ['a GIF that was cut', gif.subarray(0, gif.length >> 1), 'PICTURE_BROKEN'],
    ['a TIFF that was cut', tiff.subarray(0, tiff.length >> 1), 'PICTURE_BROKEN'],
    ['an AVIF that was cut', (await source().avif().toBuffer()).subarray(0, -30), 'PICTURE_BROKEN'],
  ];
  for (const [what, bytes, code] of files) t.equal((await both(bytes))[0], code, what);
});
