import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Random } from '../../../src/random.ts';
import { gradient, jpeg, png, truncated } from '../pictures/pictures.ts';

/** Writes files below `root`, with the folders they need. */
export function writeFiles(root: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), bytes);
  }
}

/** A folder of `count` small JPEGs, of which about `broken` (a share) are truncated; which ones is a matter of their names. */
export async function pictureFolder(root: string, count: number, broken = 0): Promise<{ broken: number }> {
  const kinds = await Promise.all([20, 24, 32, 40].map((side) => jpeg(gradient(side, side + 3))));
  const bad = await truncated();
  const files: Record<string, Uint8Array> = {};
  let wrong = 0;
  for (let i = 0; i < count; i++) {
    const name = `${String(i).padStart(5, '0')}.jpg`;
    const fails = new Random(1, 'broken', name).uniform() < broken;
    if (fails) wrong++;
    files[name] = fails ? bad : kinds[i % kinds.length]!;
  }
  writeFiles(root, files);
  return { broken: wrong };
}

/** A folder per class, a to c: pictures of 16 px that are flat, finely striped, or coarsely striped, with noise. */
export async function labelledFolder(root: string, perClass: number): Promise<void> {
  const bright = [() => false, (x: number) => x % 2 === 0, (x: number) => x % 8 < 4];
  for (const [label, inside] of bright.entries()) {
    for (let n = 0; n < perClass; n++) {
      const random = new Random(1, root.slice(-5), `${label}/${n}`);
      const data = new Uint8Array(16 * 16 * 3);
      for (let i = 0; i < 256; i++) {
        const value = (inside(i % 16) ? 200 : 20) + random.integer(20);
        data.fill(value, 3 * i, 3 * i + 3);
      }
      writeFiles(root, { [`${'abc'[label]}/${n}.png`]: await png({ width: 16, height: 16, data }) });
    }
  }
}
