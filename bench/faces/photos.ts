import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../src/random.ts';

/** Photographs with 20 faces between them, 1920 px wide, most faces 180 to 260 px. */
const demo = join(dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')), 'demo');
const originals = [1, 2, 3, 4, 5, 6].map((number) => join(demo, `sample${number}.jpg`));

/** How many times smaller the photos of a group are: [from, to). A third of them so that most of their faces come to lie between 80 and 110 px. */
const groups = [
  [0.42, 0.5],
  [0.55, 0.8],
  [0.8, 1],
] as const;

/** Every original in every group so many times, each at a scale of its own, every other one mirrored. */
const times = 6;

/** Makes the photographs of the comparison as JPEGs of quality 90, and answers their paths. */
export async function makeFacePhotos(folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const paths: string[] = [];
  for (const [o, original] of originals.entries()) {
    const bytes = readFileSync(original);
    const { width } = await sharp(bytes).metadata();
    for (const [g, [from, to]] of groups.entries()) {
      for (let i = 0; i < times; i++) {
        const name = `photo-${o}-${g}-${i}.jpg`;
        const scale = from + (to - from) * new Random(5, name, 'bench').uniform();
        const smaller = sharp(bytes).resize({ width: Math.round(width * scale) });
        const path = join(folder, name);
        writeFileSync(path, await (i % 2 === 0 ? smaller : smaller.flop()).jpeg({ quality: 90 }).toBuffer());
        paths.push(path);
      }
    }
  }
  return paths;
}
