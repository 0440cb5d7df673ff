import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../../src/random.ts';
import { sampleResizedCrop } from '../../../src/vision/render/resized-crop.ts';
import { extractAndResize } from '../../loader/others.ts';
import { batch, type Cut } from '../../loader/ours.ts';
import { inParallel } from '../../loader/pairs.ts';

/** The protocol of streams/stream.py: bare sharp, `sharp(bytes).extract(box).resize(…)`, so many files at a time. Nothing is made ahead. */
type Request =
  | { readonly open: { readonly folder: string; readonly files: readonly string[]; readonly setting: Setting } }
  | { readonly turn: { readonly skip: number; readonly batches: number } }
  | { readonly pixels: { readonly items: readonly Item[]; readonly out: string } };

interface Setting {
  readonly 'at a time': number;
  readonly threads: number;
  /** Of the squares that are made. */
  readonly size: number;
  /** The side of the files, which are all alike. */
  readonly from: number;
}

type Item = readonly [path: string, ...cut: Cut];

const cores = availableParallelism();
const random = new Random(4, 'sharp', 'bench');

let paths: readonly string[] = [];
let setting: Setting | undefined;

export async function hello(): Promise<object> {
  const atATime = [...new Set([1, cores, 2 * cores])];
  const settings = [...new Set([1, cores])].flatMap((threads) =>
    atATime.map((count) => ({ 'at a time': count, threads })),
  );
  return { version: `sharp ${sharp.versions.sharp}`, settings };
}

export async function answer(request: Request): Promise<object> {
  if ('open' in request) {
    const { folder, files } = request.open;
    setting = request.open.setting;
    paths = files.map((name) => join(folder, name));
    sharp.concurrency(setting.threads);
    return {};
  }
  if ('pixels' in request) {
    const { items, out } = request.pixels;
    const made = items.map(([path, ...cut]) => extractAndResize(readFileSync(path), cut, setting?.size));
    writeFileSync(out, Buffer.concat(await Promise.all(made)));
    return {};
  }
  const { batches } = request.turn;
  const begun = performance.now();
  for (let i = 0; i < batches; i++) await next();
  return { ms: performance.now() - begun, images: batches * batch };
}

async function next(): Promise<void> {
  const { size, from, 'at a time': atATime } = setting!;
  const bytes = size * size * 3;
  const made = new Uint8Array(batch * bytes);
  await inParallel(batch, atATime, async (i) => {
    const box = sampleResizedCrop(from, from, { scale: [0.2, 1], ratio: [3 / 4, 4 / 3] }, random);
    const file = await readFile(paths[random.integer(paths.length)]!);
    made.set(
      await extractAndResize(file, [box.left, box.top, box.width, box.height, random.uniform() < 0.5], size),
      i * bytes,
    );
  });
}
