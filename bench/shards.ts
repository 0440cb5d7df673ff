/**
 * What do shards cost? Reading them in order, checksums and all, beside reading the same bytes plainly: into memory of their own, as Node's ways to
 * read a file do, and into one buffer again and again in a plain loop, which is no more than the system's copy in one thread. And random resized crops of raw 256 px records, from
 * files to the trainer's cells, beside the same crops of records that lie in memory and are copied first, by our own renderer and by OpenCV or Pillow,
 * each at its best setting. The files lie in the system's cache on both sides. Arguments choose: `npm run bench -- shards sequential`.
 */
import { closeSync, createReadStream, openSync, read as readAt, readSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BufferPool } from '../src/files/buffer-pool.ts';
import {
  builtin,
  decode,
  definePipeline,
  imageFolder,
  pipeline,
  randomFlip,
  randomResizedCrop,
  resize,
  run as runPipeline,
  shards,
  toShards,
} from '../src/index.ts';
import { cellsOf } from '../src/pipeline/cells.ts';
import { soundPipeline } from '../src/pipeline/check.ts';
import { toCells } from '../src/runs/loader/batches.ts';
import { openLoader } from '../src/runs/loader/open.ts';
import { iterate } from '../src/streams/iterate.ts';
import type { Picture } from '../src/vision/picture.ts';
import { Bench, photos } from './loader/bench.ts';
import { againstCopyAndResize } from './loader/copy-and-resize.ts';
import { makeRecords } from './loader/files.ts';
import { batch, recordCuts, renderCopies, side } from './loader/ours.ts';
import { alternate, bestOf, inParallel, timed } from './loader/pairs.ts';
import type { Row } from './peers/row.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

const recordSide = 256;
/** Passes in a turn: one or two seconds, so that opening, filling and running empty weigh about as little as in an epoch of a real data set. */
const passes = 24;
const count = passes * photos;
/** Reads that are under way at a time, as the loader has them. */
const inFlight = 8;

const rows: Readonly<Record<string, (bench: ShardBench) => Promise<Row>>> = {
  sequential: (bench) => againstReading(bench, 'sequential reading', ownMemory),
  copy: (bench) => againstReading(bench, 'sequential reading against a bare copy', oneBuffer),
  renderer: againstCopyAndRenderer,
  opencv: againstOthers,
};

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, Object.keys(rows));
  const bench = new Bench();
  const done: Row[] = [];
  try {
    const prepared = await prepare(bench);
    for (const [name, row] of Object.entries(rows)) {
      if (!isWanted(name, Object.keys(rows), args)) continue;
      try {
        done.push(await row(prepared));
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

interface ShardBench {
  readonly bench: Bench;
  /** The folder of the shards. */
  readonly path: string;
  /** The same pictures in memory: [photos, 256, 256, 3]. */
  readonly records: Uint8Array;
}

async function prepare(bench: Bench): Promise<ShardBench> {
  const records = await makeRecords(bench.photos, await bench.files(), recordSide);
  const output = join(bench.folder, 'shards-job');
  const job = definePipeline({
    name: 'records',
    source: imageFolder(bench.photos),
    stages: [decode(), resize(recordSide)],
    sink: toShards({ shardBytes: 2 ** 26 }),
    output,
  });
  await runPipeline(job);
  return { bench, path: join(output, 'shards'), records };
}

/** A way to read files plainly. */
interface Plain {
  readonly how: string;
  read(path: string): Promise<void>;
}

/** Ways that give bytes in memory of their own. */
const ownMemory: readonly Plain[] = [
  { how: 'readFile', read: async (path) => void (await readFile(path)) },
  {
    how: 'a stream of 1 MiB pieces',
    async read(path) {
      for await (const _ of createReadStream(path, { highWaterMark: 2 ** 20 }));
    },
  },
  { how: 'pieces of 192 KiB, eight at a time', read: (path) => readPieces(path, 3 * 2 ** 16) },
  { how: 'pieces of 1 MiB, eight at a time', read: (path) => readPieces(path, 2 ** 20) },
];

/** Reads a file in pieces, each into memory of its own. */
async function readPieces(path: string, bytes: number): Promise<void> {
  const file = await open(path);
  const { size } = await file.stat();
  await inParallel(Math.ceil(size / bytes), inFlight, async (i) => {
    await readInto(file.fd, Buffer.allocUnsafeSlow(bytes), 0, bytes, i * bytes);
  });
  await file.close();
}

/** Ways that write over what they have read before: a plain loop in one thread, and the same by Node's threads. */
const oneBuffer: readonly Plain[] = [2 ** 16, 2 ** 18, 2 ** 20, 2 ** 22].flatMap((bytes) => [
  {
    how: `a loop of readSync, one buffer of ${bytes / 1024} KiB`,
    async read(path) {
      const buffer = Buffer.alloc(bytes);
      const file = openSync(path, 'r');
      for (let got = 1, at = 0; got > 0; at += got) got = readSync(file, buffer, 0, bytes, at);
      closeSync(file);
    },
  },
  {
    how: `a loop of read, one buffer of ${bytes / 1024} KiB`,
    async read(path) {
      const buffer = Buffer.alloc(bytes);
      const file = await open(path);
      let got = 1;
      for (let at = 0; got > 0; at += got) got = (await readInto(file.fd, buffer, 0, bytes, at)).bytesRead;
      await file.close();
    },
  },
]);

const readInto = promisify(readAt);

async function againstReading({ path }: ShardBench, what: string, ways: readonly Plain[]): Promise<Row> {
  const names = (await readdir(path)).map((name) => join(path, name));
  const bytes = (await Promise.all(names.map((name) => stat(name)))).reduce((sum, { size }) => sum + size, 0);
  const { definition } = shards;
  const ours = async () => {
    const context = { base: '.', signal: new AbortController().signal, progress() {} };
    const source = await definition.open(definition.options.parse({ path }), context);
    // As the loader does, into memory that is used again.
    const memory = new BufferPool();
    for (let pass = 0; pass < passes; pass++) {
      await inParallel(source.count, inFlight, async (i) => {
        const { picture } = (await source.read(i, context.signal, memory)) as { picture: Picture };
        if (picture.origin.kind === 'raw') memory.giveBack(picture.origin.data);
      });
    }
    await source.close?.();
  };
  const all = async ({ read }: Plain) => {
    for (let pass = 0; pass < passes; pass++) for (const name of names) await read(name);
  };
  const way = await bestOf(ways, (way) => timed(() => all(way)));
  const speed = await alternate(
    { ours: () => timed(ours), theirs: () => timed(() => all(way)), images: (passes * bytes) / 2 ** 20 },
    9,
  );
  const more = `raw records of ${recordSide} px, every checksum compared; plainly: ${way.how}`;
  return { what, ...speed, unit: 'MiB/s', more };
}

/** Passes over the shards in shuffled order, as cells of the ring, as the trainer takes them. */
async function crops(path: string): Promise<void> {
  const chain = pipeline(shards(path), randomResizedCrop({ size: side }), randomFlip());
  const sound = soundPipeline(definePipeline(chain), builtin, { ends: false });
  const { loader, spec, threads, finish, close } = await openLoader(sound, { shuffle: true, epochs: passes });
  const cells = loader.ordered.pipe(toCells(loader, spec, batch, cellsOf(undefined, batch, threads)));
  for await (const { list, ring } of iterate(cells)) ring.free(list.cells);
  finish();
  await close();
}

async function againstCopyAndRenderer({ path, records }: ShardBench): Promise<Row> {
  const cuts = recordCuts(photos, recordSide);
  const speed = await alternate(
    {
      ours: () => timed(() => crops(path)),
      theirs: () => timed(() => renderCopies(records, recordSide, cuts, count)),
      images: count,
    },
    9,
  );
  return { what: 'raw 256 px → RRC-224', ...speed, more: 'records in memory, a copy of each, our renderer' };
}

async function againstOthers({ bench, path, records }: ShardBench): Promise<Row> {
  const ours = () => timed(() => crops(path));
  const row = await againstCopyAndResize(bench, { records, recordSide, count, ours });
  return { what: 'raw 256 px → RRC-224 against copy and resize', ...row };
}
