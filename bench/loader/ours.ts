import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  builtin,
  decode,
  definePipeline,
  defineSource,
  idx,
  imageFolder,
  pipeline,
  randAugment,
  randomFlip,
  randomResizedCrop,
  resize,
  type Sample,
  type Source,
} from '../../src/index.ts';
import { cellsOf } from '../../src/pipeline/cells.ts';
import { soundPipeline } from '../../src/pipeline/check.ts';
import { Random } from '../../src/random.ts';
import { toCells } from '../../src/runs/loader/batches.ts';
import { openLoader } from '../../src/runs/loader/open.ts';
import { iterate } from '../../src/streams/iterate.ts';
import { type Picture, rawPicture } from '../../src/vision/picture.ts';
import { render } from '../../src/vision/render/render.ts';
import { sampleResizedCrop } from '../../src/vision/render/resized-crop.ts';
import { inParallel } from './pairs.ts';

export const side = 224;
export const batch = 64;
/** Pictures that wait at the renderer at a time; it has enough to do, and its memory stays small. */
const inFlight = 64;

/** The chain of the comparison: the augmentation of MAE and LoMaR, to squares of `size` px. */
export function cropped(source: string | Source<Sample & { readonly bytes: Uint8Array }>, size = side) {
  const folder = typeof source === 'string' ? imageFolder(source) : source;
  return pipeline(folder, decode(), randomResizedCrop({ size }), randomFlip());
}

/** A source of files that lie in memory. */
export function inMemory(folder: string, names: readonly string[]) {
  const files = names.map((name) => readFileSync(join(folder, name)));
  return defineSource({
    name: 'in-memory',
    summary: 'Files that lie in memory.',
    options: z.strictObject({}),
    spec: () => ({ fields: { bytes: 'bytes' as const }, formats: ['jpeg' as const] }),
    open: async () => ({
      count: files.length,
      key: (index) => names[index]!,
      read: (index) => ({ bytes: files[index]! as Uint8Array }),
    }),
  })();
}

/**
 * Passes over the folder in shuffled order, as batches uint8 [64, 224, 224, 3]: lent until the next one, unless the loop is to own them, for which each
 * is new memory.
 */
export async function croppedPasses(folder: string, epochs: number, { views = true } = {}): Promise<void> {
  for await (const { fields } of cropped(folder).batches(batch, { shuffle: true, epochs, views })) {
    const { dtype, shape } = fields.picture;
    if (dtype !== 'uint8' || shape[1] !== side || shape[3] !== 3) throw new Error(`A batch of ${dtype} ${shape}.`);
  }
}

/** One pass after another with RandAugment behind the chain, whose two operations are always done. */
export async function augmentedPasses(folder: string, epochs: number): Promise<void> {
  const augment = randAugment({ probability: 1, deviation: 0 });
  const chain = pipeline(imageFolder(folder), decode(), randomResizedCrop({ size: side }), randomFlip(), augment);
  for await (const { fields } of chain.batches(batch, { shuffle: true, epochs, views: true })) {
    if (fields.picture.dtype !== 'uint8') throw new Error(`A batch of ${fields.picture.dtype}.`);
  }
}

/** The same as cells of the ring, as the trainer takes them: nothing is copied. */
export async function croppedCells(source: Parameters<typeof cropped>[0], epochs: number): Promise<void> {
  const sound = soundPipeline(definePipeline(cropped(source)), builtin, { ends: false });
  const { loader, spec, threads, finish, close } = await openLoader(sound, { shuffle: true, epochs });
  const cells = loader.ordered.pipe(toCells(loader, spec, batch, cellsOf(undefined, batch, threads)));
  for await (const { list, ring } of iterate(cells)) ring.free(list.cells);
  finish();
  await close();
}

/** The pictures that the chain renders, their files in memory. */
export async function croppedPictures(folder: string, size = side): Promise<{ key: string; picture: Picture }[]> {
  const pictures: { key: string; picture: Picture }[] = [];
  for await (const { key, picture } of cropped(folder, size).samples()) pictures.push({ key, picture });
  return pictures;
}

/** Renders all pictures, each into one of a few places that are used again and again, as cells are. */
export async function renderEach(pictures: readonly { picture: Picture }[]): Promise<void> {
  const places = Array.from({ length: inFlight }, () => new Uint8Array(new SharedArrayBuffer(side * side * 3)));
  await inParallel(pictures.length, inFlight, async (i) => {
    const out = places.pop()!;
    const { picture } = pictures[i]!;
    await render(picture, out.subarray(0, picture.width * picture.height * 3));
    places.push(out);
  });
}

/** Renders all pictures one after the other into one file, for Python to compare. */
export async function renderFile(pictures: readonly { picture: Picture }[], path: string): Promise<void> {
  const size = pictures[0]!.picture.width * pictures[0]!.picture.height * 3;
  const all = new Uint8Array(pictures.length * size);
  await inParallel(pictures.length, inFlight, (i) =>
    render(pictures[i]!.picture, all.subarray(i * size, (i + 1) * size)),
  );
  writeFileSync(path, all);
}

/** A box and whether it is mirrored, as Python wants it: [left, top, width, height, mirrored]. */
export type Cut = readonly [left: number, top: number, width: number, height: number, mirrored: boolean];

/** What the chain does to a picture that it has cropped, resized and perhaps mirrored. */
export function cutOf(picture: Picture): Cut {
  let mirrored = false;
  let at = picture;
  for (; at.from !== undefined; at = at.from.picture) {
    const { operation } = at.from;
    if (operation.kind === 'flip') mirrored = !mirrored;
    if (operation.kind === 'crop') {
      const { left, top, width, height } = operation.box;
      return [left, top, width, height, mirrored];
    }
  }
  return [0, 0, at.width, at.height, mirrored];
}

/** Record `i` of many: `recordSide` × `recordSide` × 3 bytes. */
export function recordAt(records: Uint8Array, i: number, recordSide: number): Uint8Array {
  const size = recordSide * recordSide * 3;
  return records.subarray(i * size, (i + 1) * size);
}

/** Random resized crops of `count` raw records, some mirrored. */
export function recordCuts(count: number, recordSide: number): Cut[] {
  return Array.from({ length: count }, (_, i) => {
    const random = new Random(4, `record-${i}`, 'bench');
    const box = sampleResizedCrop(recordSide, recordSide, { scale: [0.2, 1], ratio: [3 / 4, 4 / 3] }, random);
    return [box.left, box.top, box.width, box.height, random.uniform() < 0.5] as const;
  });
}

/** A cut of a record [recordSide, recordSide, 3] that lies in `data`. */
export function recordPicture(data: Uint8Array, recordSide: number, cut: Cut): Picture {
  const [left, top, width, height, mirrored] = cut;
  const whole = rawPicture({ data, width: recordSide, height: recordSide, channels: 3 });
  const crop = whole.crop({ left, top, width, height }).resize({ width: side, height: side, fit: 'fill' });
  return mirrored ? crop.flip() : crop;
}

/** An order of `count` records in which neighbours do not lie side by side, as in a shuffled epoch. */
export function shuffled(count: number): Uint32Array {
  return new Random(4, 'order', 'bench').permutation(count);
}

/**
 * Cuts of `count` records, those of the array again and again, in shuffled order. Each record is copied first, as the other side does, and as whoever keeps
 * records in a file does.
 */
export async function renderCopies(
  records: Uint8Array,
  recordSide: number,
  cuts: readonly Cut[],
  count: number,
): Promise<void> {
  const places = Array.from({ length: inFlight }, () => ({
    out: new Uint8Array(new SharedArrayBuffer(side * side * 3)),
    copy: new Uint8Array(recordSide * recordSide * 3),
  }));
  const order = shuffled(cuts.length);
  await inParallel(count, inFlight, async (i) => {
    const place = places.pop()!;
    const index = order[i % cuts.length]!;
    place.copy.set(recordAt(records, index, recordSide));
    await render(recordPicture(place.copy, recordSide, cuts[index]!), place.out);
    places.push(place);
  });
}

/** Passes over a file of digits, brought to `size` × `size`, as batches uint8 [n, size, size, 3]. */
export async function digitsPasses(path: string, size: number, n: number, epochs: number): Promise<void> {
  for await (const { fields } of pipeline(idx(path), resize(size)).batches(n, { epochs, views: true })) {
    if (fields.picture.shape[1] !== size) throw new Error(`A batch of ${fields.picture.shape}.`);
  }
}

/** The first `count` digits as the chain renders them. */
export async function digitsFile(path: string, size: number, count: number, out: string): Promise<void> {
  for await (const { fields } of pipeline(idx(path), resize(size)).batches(count)) {
    writeFileSync(out, fields.picture.data);
    return;
  }
}
