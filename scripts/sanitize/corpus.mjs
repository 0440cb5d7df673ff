/** Good and broken JPEGs, PNGs and WebPs, made here and nowhere stored: name → bytes. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

/** @typedef {{ readonly at: number, readonly kind: number, readonly length: number }} Segment */

/**
 * The segments up to the first scan, that one included: where the marker stands, its kind, and the length that it announces.
 *
 * @param {Buffer} bytes
 * @returns {Segment[]}
 */
export function segmentsOf(bytes) {
  const segments = [];
  for (let at = 2; at + 4 <= bytes.length; ) {
    const kind = bytes[at + 1] ?? 0;
    const length = bytes.readUInt16BE(at + 2);
    segments.push({ at, kind, length });
    if (kind === 0xda) break;
    at += 2 + length;
  }
  return segments;
}

/**
 * A copy with some bytes replaced.
 *
 * @param {Buffer} bytes
 * @param {number} at
 * @param {readonly number[]} values
 */
function put(bytes, at, values) {
  const copy = Buffer.from(bytes);
  copy.set(values.slice(0, Math.max(0, copy.length - at)), at);
  return copy;
}

/** @param {number} word */
const bigEndian = (word) => [word >> 8, word & 255];

/**
 * Whole JPEGs of every kind: samplings, progressive, arithmetic, restart intervals, grey, CMYK, colour profiles, orientations, 1 × 1, 65,500 wide
 * and high. Arithmetic coding and restart intervals are written by `cjpeg` (Debian: libjpeg-turbo-progs); without it they are left out, which
 * `missing` says.
 *
 * @param {string} photos a folder of photographs
 * @returns {Promise<{ files: Map<string, Buffer>, missing: string[] }>}
 */
export async function goodFiles(photos) {
  const photo = await sharp(join(photos, 'cat.jpg')).resize(72, 54).raw().toBuffer();
  const source = () => sharp(photo, { raw: { width: 72, height: 54, channels: 3 } });
  /** @param {number} width @param {number} height */
  const plain = (width, height) =>
    sharp({ create: { width, height, channels: 3, background: '#c08040' } })
      .jpeg({ quality: 50 })
      .toBuffer();
  /** @type {Map<string, Buffer>} */
  const files = new Map([
    ['420', await source().jpeg({ quality: 80 }).toBuffer()],
    ['444', await source().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()],
    ['progressive', await source().jpeg({ quality: 80, progressive: true }).toBuffer()],
    ['mozjpeg', await source().jpeg({ quality: 60, mozjpeg: true }).toBuffer()],
    ['grey', await source().toColourspace('b-w').jpeg().toBuffer()],
    ['cmyk', await source().toColourspace('cmyk').jpeg().toBuffer()],
    ['profile', await source().withIccProfile('p3').jpeg().toBuffer()],
    ['large', await sharp(join(photos, 'cat.jpg')).resize(900, 700).jpeg({ quality: 85 }).toBuffer()],
    ['one-pixel', await plain(1, 1)],
    ['one-column', await plain(1, 40)],
    ['wide', await plain(65500, 1)],
    ['high', await plain(1, 65500)],
    ['odd', await source().resize(17, 9).jpeg({ quality: 70 }).toBuffer()],
  ]);
  for (let orientation = 1; orientation <= 8; orientation++) {
    files.set(`orientation-${orientation}`, await source().withMetadata({ orientation }).jpeg().toBuffer());
  }
  const missing = [];
  const ppm = Buffer.concat([Buffer.from('P6\n72 54\n255\n'), photo]);
  const variants = {
    arithmetic: ['-arithmetic'],
    'arithmetic-progressive': ['-arithmetic', '-progressive'],
    restart: ['-restart', '1B'],
    'restart-rows': ['-restart', '1', '-progressive'],
    'restart-fine': ['-restart', '1', '-quality', '100'],
    'restart-blocks-fine': ['-restart', '3B', '-quality', '100', '-optimize'],
    422: ['-sample', '2x1'],
    440: ['-sample', '1x2'],
    411: ['-sample', '4x1'],
    rgb: ['-rgb'],
  };
  for (const [name, options] of Object.entries(variants)) {
    try {
      files.set(name, execFileSync('cjpeg', options, { input: ppm, stdio: ['pipe', 'pipe', 'ignore'] }));
    } catch {
      missing.push(name);
    }
  }
  return { files, missing };
}

/**
 * What can be wrong with one file: cut off at each marker, inside it and in the scan; lengths that lie; bits turned; frames of other sizes, depths
 * and numbers of components; a scan repeated a thousand times.
 *
 * @param {string} name
 * @param {Buffer} bytes
 * @returns {Generator<[name: string, bytes: Buffer]>}
 */
export function* brokenFiles(name, bytes) {
  const segments = segmentsOf(bytes);
  const scan = segments.at(-1)?.at ?? 2;
  for (const { at, kind, length } of segments) {
    const where = `${name}-${kind.toString(16)}-at-${at}`;
    for (const cut of [at, at + 1, at + 2, at + 3, at + 4, at + 2 + (length >> 1), at + 2 + length]) {
      yield [`${where}-cut-${cut - at}`, bytes.subarray(0, cut)];
    }
    for (const lie of [0, 1, 2, 3, length - 1, length + 1, 0x7fff, 0xffff]) {
      yield [`${where}-length-${lie}`, put(bytes, at + 2, bigEndian(lie))];
    }
    yield [`${where}-gone`, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 2 + length)])];
    yield [`${where}-twice`, Buffer.concat([bytes.subarray(0, at + 2 + length), bytes.subarray(at)])];
    for (let i = 0; i < Math.min(length, 24); i++)
      yield [`${where}-bit-${i}`, put(bytes, at + 4 + i, [(bytes[at + 4 + i] ?? 0) ^ (1 << (i % 8))])];
    if (kind >= 0xc0 && kind <= 0xc2) {
      for (const [height, width] of [
        [0, 72],
        [54, 0],
        [65535, 65535],
        [65500, 65500],
        [1, 1],
        [54, 71],
        [4096, 1024],
      ]) {
        yield [
          `${where}-size-${width}x${height}`,
          put(bytes, at + 5, [...bigEndian(height ?? 0), ...bigEndian(width ?? 0)]),
        ];
      }
      for (const precision of [0, 1, 12, 16, 255])
        yield [`${where}-bits-${precision}`, put(bytes, at + 4, [precision])];
      for (const components of [0, 1, 2, 4, 255])
        yield [`${where}-components-${components}`, put(bytes, at + 9, [components])];
      for (const sampling of [0x00, 0x44, 0x55, 0xff, 0x14])
        yield [`${where}-sampling-${sampling}`, put(bytes, at + 11, [sampling])];
      for (const other of [0xc1, 0xc2, 0xc3, 0xc5, 0xc9, 0xca, 0xcb])
        yield [`${where}-as-${other.toString(16)}`, put(bytes, at + 1, [other])];
    }
  }
  for (const share of [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]) {
    const cut = scan + Math.floor((bytes.length - scan) * share);
    yield [`${name}-cut-scan-${share}`, bytes.subarray(0, cut)];
    yield [`${name}-bit-scan-${share}`, put(bytes, cut, [(bytes[cut] ?? 0) ^ 0x10])];
    yield [`${name}-marker-in-scan-${share}`, put(bytes, cut, [0xff, 0xd0 + (cut % 8)])];
    yield [`${name}-zeros-${share}`, Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(bytes.length - cut)])];
  }
  yield [`${name}-end-missing`, bytes.subarray(0, bytes.length - 2)];
  yield [`${name}-twice`, Buffer.concat([bytes, bytes])];
  if (bytes.length < 10_000) {
    const body = bytes.subarray(scan, bytes.length - 2);
    yield [`${name}-scans`, Buffer.concat([bytes.subarray(0, scan), ...Array.from({ length: 1000 }, () => body)])];
  }
}

/**
 * Whole PNGs and WebPs: grey, palettes, RGB, alpha, 16 bits, interlaced; lossy, lossless, with EXIF and a profile, animated.
 *
 * @param {string} photos a folder of photographs
 * @returns {Promise<Map<string, Buffer>>}
 */
export async function otherFormats(photos) {
  const photo = await sharp(join(photos, 'cat.jpg')).resize(40, 30).raw().toBuffer();
  const source = () => sharp(photo, { raw: { width: 40, height: 30, channels: 3 } });
  const clear = () => source().ensureAlpha(0.4);
  const grey = () => source().toColourspace('b-w');
  const frames = sharp(Buffer.concat([photo, photo.map((value) => 255 - value)]), {
    raw: { width: 40, height: 60, channels: 3, pageHeight: 30 },
  });
  /** @type {Map<string, import('sharp').Sharp>} */
  const written = new Map([
    ['png-rgb', source().png()],
    ['png-rgba', clear().png()],
    ['png-grey', grey().png()],
    ['png-deep', source().toColourspace('rgb16').png()],
    ['png-deep-grey', source().toColourspace('grey16').png()],
    ['png-interlaced', source().png({ progressive: true })],
    ['png-interlaced-rgba', clear().png({ progressive: true })],
    ['png-bits', source().png({ palette: true, colours: 2 })],
    ['png-nibbles', source().png({ palette: true, colours: 16 })],
    ['png-palette', clear().png({ palette: true })],
    ['png-raw', source().png({ compressionLevel: 0 })],
    ['webp-lossy', source().webp({ quality: 70 })],
    ['webp-lossy-fine', source().webp({ quality: 100, preset: 'text', effort: 0 })],
    ['webp-lossy-coarse', source().resize(61, 43).blur(2).webp({ quality: 5, preset: 'photo', effort: 6 })],
    ['webp-lossy-alpha', clear().webp({ quality: 70 })],
    ['webp-lossless', source().webp({ lossless: true })],
    ['webp-lossless-alpha', clear().webp({ lossless: true, exact: true })],
    ['webp-bits', grey().threshold(100).webp({ lossless: true })],
    ['webp-metadata', source().withMetadata({ orientation: 6 }).withIccProfile('p3').webp()],
    ['webp-frames', frames.webp({ lossless: true })],
  ]);
  /** @type {Map<string, Buffer>} */
  const files = new Map();
  for (const [name, made] of written) files.set(name, await made.toBuffer());
  return files;
}

/**
 * What can be wrong with a file of any format: cut, or a bit turned, at many places.
 *
 * @param {string} name
 * @param {Buffer} bytes
 * @returns {Generator<[name: string, bytes: Buffer]>}
 */
function* spoiled(name, bytes) {
  for (let i = 0; i < 60; i++) {
    const at = i < 30 ? i : Math.floor((bytes.length * (i - 30)) / 30);
    yield [`${name}-cut-${at}`, bytes.subarray(0, at)];
    yield [`${name}-bit-${at}`, put(bytes, at, [(bytes[at] ?? 0) ^ (1 << (i % 8))])];
  }
}

/**
 * The whole corpus.
 *
 * @param {string} photos
 */
export async function corpus(photos) {
  const { files: good, missing } = await goodFiles(photos);
  const files = new Map(good);
  for (const [name, bytes] of good) {
    for (const [broken, content] of brokenFiles(name, bytes)) files.set(broken, content);
  }
  for (const [name, bytes] of await otherFormats(photos)) {
    good.set(name, bytes);
    files.set(name, bytes);
    for (const [broken, content] of spoiled(name, bytes)) files.set(broken, content);
  }
  const other = {
    empty: Buffer.alloc(0),
    start: Buffer.from([0xff, 0xd8]),
    'start-end': Buffer.from([0xff, 0xd8, 0xff, 0xd9]),
    'only-fill': Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(5000, 0xff)]),
    'png-inside': Buffer.concat([
      Buffer.from([0xff, 0xd8, 0xff]),
      readFileSync(join(photos, 'cat.jpg')).subarray(100, 900),
    ]),
  };
  for (const [name, content] of Object.entries(other)) files.set(name, content);
  return { files, good: [...good.keys()], missing };
}
