import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Random } from '../../src/random.ts';
import { gradient, jpeg, truncated } from './pictures.ts';

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
