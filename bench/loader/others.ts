import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import * as tf from '../../src/backends/tf.ts';
import type { Picture } from '../../src/vision/picture.ts';
import { batch, type Cut, cutOf, side } from './ours.ts';
import { inParallel } from './pairs.ts';

/** What most programs in Node do: read the file, `sharp(...).extract(box).resize(...)`, so many files at a time. */
export async function naiveSharp(folder: string, pictures: readonly Named[], atATime: number): Promise<void> {
  await inParallel(pictures.length, atATime, async (i) => {
    const { key, picture } = pictures[i]!;
    const bytes = await extractAndResize(await readFile(join(folder, key)), cutOf(picture));
    if (bytes.length !== side * side * 3) throw new Error(`${bytes.length} bytes of ${key}.`);
  });
}

/** The same files and boxes through tfjs-data, which has no decoder of its own in Node: sharp serves it. Its `mapAsync` takes one after the other. */
export async function tfjsData(folder: string, pictures: readonly Named[]): Promise<void> {
  const dataset = tf.data
    .array(pictures.map(({ key, picture }) => ({ key, cut: cutOf(picture).map(Number) })))
    .mapAsync(async (item) => {
      const { key, cut } = item as { key: string; cut: number[] };
      const [left, top, width, height, mirrored] = cut as [number, number, number, number, number];
      const bytes = await readFile(join(folder, key));
      const pixels = await extractAndResize(bytes, [left, top, width, height, mirrored === 1]);
      return { pixels: tf.tensor3d(pixels, [side, side, 3], 'int32') };
    })
    .batch(batch)
    .prefetch(2);
  await dataset.forEachAsync((value) => {
    const { pixels } = value as { pixels: tf.Tensor };
    if (pixels.shape[1] !== side) throw new Error(`A batch of ${pixels.shape}.`);
    pixels.dispose();
  });
}

/** What `naiveSharp` makes of pictures, one after the other in one file, for Python to compare. */
export async function sharpFile(folder: string, pictures: readonly Named[], path: string): Promise<void> {
  const made = pictures.map(async ({ key, picture }) =>
    extractAndResize(await readFile(join(folder, key)), cutOf(picture)),
  );
  await writeFile(path, Buffer.concat(await Promise.all(made)));
}

/** Decodes with shrink-on-load, as sharp does by itself, to the middle square. Answers the pixels of the last. */
export async function sharpLarge(bytes: Uint8Array, count: number, atATime: number): Promise<Uint8Array | undefined> {
  let last: Uint8Array | undefined;
  await inParallel(count, atATime, async () => {
    last = await sharp(bytes).resize(side, side, { fit: 'cover' }).raw().toBuffer();
  });
  return last;
}

/** Does `work` while sharp takes so many threads for each picture. */
export async function withSharpThreads<T>(threads: number, work: () => Promise<T>): Promise<T> {
  const before = sharp.concurrency();
  sharp.concurrency(threads);
  try {
    return await work();
  } finally {
    sharp.concurrency(before);
  }
}

interface Named {
  readonly key: string;
  readonly picture: Picture;
}

/** A box of a file, brought to a square of `size` px. */
export function extractAndResize(
  bytes: Uint8Array,
  [left, top, width, height, mirrored]: Cut,
  size = side,
): Promise<Buffer> {
  const pipeline = sharp(bytes).extract({ left, top, width, height }).resize(size, size, { fit: 'fill' });
  return (mirrored ? pipeline.flop() : pipeline).raw().toBuffer();
}
