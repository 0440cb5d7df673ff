import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const fixtures = fileURLToPath(new URL('../../../fixtures/photos', import.meta.url));
const names = readdirSync(fixtures)
  .filter((name) => name.endsWith('.jpg'))
  .sort();

/**
 * A folder of photographs `a-00.jpg` …, with near-duplicates: `b-crop.jpg` and `z-mirror.jpg` of a-01, `c-small.jpg` of a-02, and `b-broken.jpg`, which is none.
 */
export async function photosWithCopies(folder: string, count: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i++) copyFileSync(join(fixtures, names[i]!), join(folder, nameOf(i)));
  const file = (i: number) => readFileSync(join(folder, nameOf(i)));
  const { width, height } = await sharp(file(1)).metadata();
  const crop = { left: 0, top: 0, width: Math.round(width * 0.8), height: Math.round(height * 0.8) };
  const written = {
    'b-crop.jpg': await sharp(file(1)).extract(crop).jpeg({ quality: 90 }).toBuffer(),
    'z-mirror.jpg': await sharp(file(1)).flop().jpeg({ quality: 90 }).toBuffer(),
    'c-small.jpg': await sharp(file(2)).resize(80).jpeg({ quality: 40 }).toBuffer(),
    'b-broken.jpg': file(3).subarray(0, 2000),
  };
  for (const [name, bytes] of Object.entries(written)) writeFileSync(join(folder, name), bytes);
}

const nameOf = (i: number) => `a-${String(i).padStart(2, '0')}.jpg`;
