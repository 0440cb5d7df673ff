import sharp from 'sharp';
import { Random } from '../../../src/random.ts';
import type { Pixels } from '../../../src/vision/picture.ts';

/** RGB pixels from rows of grey numbers, for pictures worked out by hand. */
export function pixelsOf(rows: readonly (readonly number[])[]): Pixels {
  return {
    width: rows[0]!.length,
    height: rows.length,
    data: Uint8Array.from(rows.flatMap((row) => row.flatMap((value) => [value, value, value]))),
  };
}

/** The first channel of pixels as rows of numbers. */
export function rowsOf({ width, height, data }: Pixels): number[][] {
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => data[(y * width + x) * 3]!));
}

/** 0 … 15 times 16 in a 4 × 4 picture. */
export const ramp = pixelsOf([
  [0, 16, 32, 48],
  [64, 80, 96, 112],
  [128, 144, 160, 176],
  [192, 208, 224, 240],
]);

const raw = ({ width, height, data }: Pixels) => sharp(data, { raw: { width, height, channels: 3 } });

/** Smooth colours that every encoder keeps nearly as they are; corners differ, so that orientation shows. */
export function gradient(width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      data[at] = Math.round((x / Math.max(1, width - 1)) * 255);
      data[at + 1] = Math.round((y / Math.max(1, height - 1)) * 255);
      data[at + 2] = 128;
    }
  }
  return { width, height, data };
}

/** A gradient under noise, whose JPEG has some bytes for each block, as a photograph's has. Always the same. */
export function noisy(width: number, height: number): Pixels {
  const pixels = gradient(width, height);
  const random = new Random(5, 'noisy', 'kit');
  return {
    width,
    height,
    data: Uint8Array.from(
      pixels.data,
      (value) => value + Math.round((random.uniform() - 0.5) * Math.min(60, 2 * value, 2 * (255 - value))),
    ),
  };
}

export const png = (pixels: Pixels): Promise<Buffer> => raw(pixels).png().toBuffer();
export const jpeg = (pixels: Pixels, quality = 95): Promise<Buffer> =>
  raw(pixels).jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
export const webp = (pixels: Pixels): Promise<Buffer> => raw(pixels).webp({ lossless: true }).toBuffer();
export const gif = (pixels: Pixels): Promise<Buffer> => raw(pixels).gif().toBuffer();
export const cmyk = (pixels: Pixels): Promise<Buffer> =>
  raw(pixels).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer();
export const grey = (pixels: Pixels): Promise<Buffer> => raw(pixels).toColourspace('b-w').png().toBuffer();
export const sixteenBit = (pixels: Pixels): Promise<Buffer> => raw(pixels).toColourspace('rgb16').png().toBuffer();

/** A PNG with an alpha channel: opaque on the left half, transparent on the right; the colours under it are those of `pixels`. */
export async function alpha(pixels: Pixels): Promise<Buffer> {
  const { width, height, data } = pixels;
  const rgba = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    rgba.set(data.subarray(i * 3, i * 3 + 3), i * 4);
    rgba[i * 4 + 3] = i % width < width / 2 ? 255 : 0;
  }
  return sharp(rgba, { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();
}

/** The JPEG that, once turned as its EXIF tag says, shows `pixels`. */
export async function oriented(pixels: Pixels, orientation: number): Promise<Buffer> {
  // What must be done to the upright picture so that the viewer's turn undoes it: a quarter turn, then a mirror, each a pass of its own.
  const [turn, mirror] = ([[0], [0, 'flop'], [180], [0, 'flip'], [90, 'flop'], [270], [270, 'flop'], [90]] as const)[
    orientation - 1
  ]!;
  const turned = sharp(await raw(pixels).rotate(turn).png().toBuffer());
  if (mirror !== undefined) turned[mirror]();
  return turned.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).withMetadata({ orientation }).toBuffer();
}

/** A JPEG that ends in the middle. */
export async function truncated(): Promise<Buffer> {
  const whole = await jpeg(gradient(96, 96));
  return whole.subarray(0, Math.floor(whole.length / 2));
}

/** A PNG of 100 bytes whose header announces 30,000 × 30,000 pixels. */
export async function hugeHeader(): Promise<Buffer> {
  const file = Buffer.from(await png(ramp));
  file.writeUInt32BE(30_000, 16);
  file.writeUInt32BE(30_000, 20);
  file.writeUInt32BE(crc32(file.subarray(12, 29)), 29);
  return file;
}

export const svg = Buffer.from(
  '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="/etc/passwd"/></svg>\n',
);
export const text = Buffer.from('This is not a picture, whatever it is called.\n');
export const empty = Buffer.alloc(0);

/** Files that must fail, by the name that they bear in a folder; each with the code of its error. */
export async function brokenFiles(): Promise<readonly { name: string; bytes: Buffer; code: string }[]> {
  return [
    { name: 'empty.jpg', bytes: empty, code: 'PICTURE_EMPTY' },
    { name: 'drawing.jpg', bytes: svg, code: 'PICTURE_FORMAT' },
    { name: 'text.jpg', bytes: text, code: 'PICTURE_FORMAT' },
    { name: 'huge.png', bytes: await hugeHeader(), code: 'PICTURE_LIMIT' },
    { name: 'truncated.jpg', bytes: await truncated(), code: 'PICTURE_BROKEN' },
  ];
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
