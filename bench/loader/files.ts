import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { Random } from '../../src/random.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/photos', import.meta.url));

/** Sizes of ImageNet's files, [width, height]; most of its photographs have one of these. */
const sizes = [
  [500, 375],
  [500, 333],
  [375, 500],
  [500, 375],
] as const;

/**
 * ImageNet-like JPEGs, `photo-0000.jpg` …: about 500 × 375 px at quality 91, 4:2:0, about 48 KB. The fixtures are too small to be enlarged to that
 * without losing the fine texture that decoding pays for, so a file shows four of them, enlarged by about a third, in two rows.
 */
export async function makePhotos(folder: string, count: number): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true });
  const sources = fixturePhotos();
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const name = `photo-${String(i).padStart(4, '0')}.jpg`;
    const random = new Random(4, name, 'bench');
    const [width, height] = sizes[i % sizes.length]!;
    const mosaic = await tile(sources, { width, height, across: 2, down: 2 }, random);
    writeFileSync(join(folder, name), await mosaic.jpeg({ quality: Number(process.env.Q ?? 91) }).toBuffer());
    names.push(name);
  }
  return names;
}

/** Photographs of other formats and sizes: squares of `side` px, `across` × `across` photographs each. */
export interface Squares {
  readonly format: 'png' | 'webp';
  readonly side: number;
  readonly across: number;
  readonly count: number;
}

/** PNGs as libpng writes them by itself (a filter for each row, level 6), or lossy WebPs of quality 80. Answers their names. */
export async function makeSquares(
  folder: string,
  { format, side, across, count }: Squares,
): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true });
  const sources = fixturePhotos();
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const name = `photo-${String(i).padStart(4, '0')}.${format}`;
    const mosaic = await tile(
      sources,
      { width: side, height: side, across, down: across },
      new Random(4, name, 'bench'),
    );
    const file =
      format === 'png' ? mosaic.png({ adaptiveFiltering: true, compressionLevel: 6 }) : mosaic.webp({ quality: 80 });
    writeFileSync(join(folder, name), await file.toBuffer());
    names.push(name);
  }
  return names;
}

/** A JPEG of 4,000 × 3,000 px at quality 90: 12 × 12 photographs. */
export async function makeLarge(path: string): Promise<void> {
  const mosaic = await tile(
    fixturePhotos(),
    { width: 4000, height: 3000, across: 12, down: 12 },
    new Random(4, 'large', 'bench'),
  );
  writeFileSync(path, await mosaic.jpeg({ quality: 90 }).toBuffer());
}

/** Records of `side` × `side` × 3 bytes, one after the other: the photographs' middle squares. */
export async function makeRecords(folder: string, names: readonly string[], side: number): Promise<Uint8Array> {
  const size = side * side * 3;
  const records = new Uint8Array(names.length * size);
  for (const [i, name] of names.entries()) {
    records.set(await sharp(join(folder, name)).resize(side, side).removeAlpha().raw().toBuffer(), i * size);
  }
  return records;
}

interface Mosaic {
  readonly width: number;
  readonly height: number;
  readonly across: number;
  readonly down: number;
}

/** Photographs drawn at random, side by side. */
async function tile(sources: readonly Buffer[], { width, height, across, down }: Mosaic, random: Random) {
  const input = Array.from({ length: across * down }, (_, i) => {
    const [column, row] = [i % across, Math.floor(i / across)];
    const [left, top] = [Math.floor((column * width) / across), Math.floor((row * height) / down)];
    const [right, bottom] = [Math.floor(((column + 1) * width) / across), Math.floor(((row + 1) * height) / down)];
    const source = sharp(sources[random.integer(sources.length)]).resize(right - left, bottom - top, {
      fit: 'cover',
      kernel: 'cubic',
    });
    const raw = { width: right - left, height: bottom - top, channels: 3 } as const;
    return source
      .raw()
      .toBuffer()
      .then((input) => ({ input, raw, left, top }));
  });
  const blank = sharp({ create: { width, height, channels: 3, background: '#000' } });
  const pixels = await blank
    .composite(await Promise.all(input))
    .removeAlpha()
    .raw()
    .toBuffer();
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

function fixturePhotos(): Buffer[] {
  return readdirSync(fixtures)
    .filter((name) => name.endsWith('.jpg'))
    .sort()
    .map((name) => readFileSync(join(fixtures, name)));
}
