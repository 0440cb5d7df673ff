import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { decode, definePipeline, imageFolder, resize, run as runPipeline, toShards } from '../../../src/index.ts';
import type { Picture } from '../../../src/vision/picture.ts';
import type { Bench } from '../../loader/bench.ts';
import { makeRecords } from '../../loader/files.ts';
import { croppedPictures, cutOf, renderFile } from '../../loader/ours.ts';
import { type Environment, type Found, pythonOf } from '../installed.ts';
import type { PeerRow } from '../peer-row.ts';
import { bestSetting, compareRounds, describeSetting, type Setting, takeTurns } from '../rounds.ts';
import { type Answer, Side } from '../side.ts';

/** A loader of others: the script that streams, in the environment that has it. */
interface Loader {
  readonly peer: string;
  readonly script: string;
  readonly environment: Environment;
  readonly how?: string;
  readonly from: 'jpeg' | 'raw';
  /** What is not the same as ours. */
  readonly differs?: string;
}

const loaders: readonly Loader[] = [
  {
    peer: 'torchvision, decode_jpeg + v2',
    script: 'torchvision',
    environment: 'torch',
    how: 'decode_jpeg + v2',
    from: 'jpeg',
  },
  { peer: 'torchvision, Pillow + v2', script: 'torchvision', environment: 'torch', how: 'Pillow + v2', from: 'jpeg' },
  {
    peer: 'FFCV, JPEG',
    script: 'ffcv',
    environment: 'ffcv',
    how: 'jpeg',
    from: 'jpeg',
    differs: 'its own file, compressed again at quality 91',
  },
  {
    peer: 'FFCV, raw 500 px',
    script: 'ffcv',
    environment: 'ffcv',
    how: 'raw',
    from: 'jpeg',
    differs: 'nothing is decoded: raw pixels, twelve times as large on disk',
  },
  { peer: 'DALI on CPU', script: 'dali', environment: 'dali', from: 'jpeg' },
  { peer: 'tf.data', script: 'tf_data', environment: 'tensorflow', from: 'jpeg' },
  { peer: 'Grain, Pillow', script: 'grain', environment: 'grain', from: 'jpeg' },
  { peer: 'SPDL, FFmpeg', script: 'spdl', environment: 'spdl', from: 'jpeg' },
  { peer: 'FFCV, raw 256 px', script: 'ffcv', environment: 'ffcv', how: 'raw256', from: 'raw' },
];

export const loaderNames = loaders.map(({ peer }) => peer);

const recordSide = 256;
/** Batches that are skipped at the beginning of a turn: no peer makes more ahead. */
const skip = { long: 12, short: 8 };
const turns = { jpeg: 24, raw: 96 };
const trial = { jpeg: 10, raw: 32 };

/** What all rows share: the files, and our own sides. */
export interface LoaderBench {
  readonly bench: Bench;
  readonly minutes: number;
  readonly quick: boolean;
}

/**
 * A row for each loader, with its best setting, beside ours: batches that are lent, and in the note the same as new arrays. Each pair of turns is ours and theirs, the other way round every
 * other time.
 */
export async function* loaderRows(
  { bench, minutes, quick }: LoaderBench,
  wanted: (peer: string) => boolean,
): AsyncGenerator<PeerRow> {
  const chosen = loaders.filter(({ peer }) => wanted(peer));
  if (chosen.length === 0) return;
  const names = await bench.files();
  const folders = {
    jpeg: bench.photos,
    raw: chosen.some(({ from }) => from === 'raw') ? await rawShards(bench, names) : '',
  };
  for (const loader of chosen) {
    const found = pythonOf(loader.environment);
    const what = `loader: ${loader.peer}`;
    if ('missing' in found) {
      yield absent(what, loader.peer, found.missing);
      continue;
    }
    try {
      const deadline = performance.now() + (minutes * 60_000) / chosen.length;
      yield await duel({ loader, what, names, bench, folder: folders[loader.from], quick, deadline }, found);
    } catch (error) {
      yield absent(what, loader.peer, error instanceof Error ? error.message : String(error));
    }
  }
}

function absent(what: string, peer: string, missing: string): PeerRow {
  return { what, kind: 'loader', peer, missing: missing.split('\n')[0]! };
}

interface Duel {
  readonly loader: Loader;
  readonly what: string;
  readonly names: readonly string[];
  readonly bench: Bench;
  /** Of the files that ours reads. */
  readonly folder: string;
  readonly quick: boolean;
  readonly deadline: number;
}

/** Ours twice, with batches that are lent and with new arrays, beside the loader. */
async function duel(plan: Duel, found: { python: string }): Promise<PeerRow> {
  const { folder, loader } = plan;
  const ours = await openOurs(folder, loader.from, true);
  try {
    const owned = await openOurs(folder, loader.from, false);
    try {
      return await rowOf(plan, { ...found, ours, owned });
    } finally {
      owned.close();
    }
  } finally {
    ours.close();
  }
}

async function rowOf(
  { loader, what, names, bench, quick, deadline }: Duel,
  { python, ours, owned }: { python: string; ours: Side; owned: Side },
): Promise<PeerRow> {
  const script = fileURLToPath(new URL(`streams/${loader.script}_stream.py`, import.meta.url));
  const { side, hello } = await Side.start({
    command: python,
    args: ['-B', script],
    environment: { HOW: loader.how ?? '' },
  });
  try {
    const pixels = await pixelsOf(side, bench);
    const open = (setting: Setting) => side.ask({ open: { folder: bench.photos, files: names, setting } });
    const settings = quick ? (hello.settings as Setting[]).slice(-1) : (hello.settings as Setting[]);
    const batches = { turn: quick ? 4 : turns[loader.from], trial: quick ? 2 : trial[loader.from] };
    const setting = await bestSetting(settings, async (each) => {
      await open(each);
      return msPerImage(await side.ask({ turn: { skip: skip.short, batches: batches.trial } }));
    });
    await open(setting);
    const turn = (each: Side) => async () =>
      msPerImage(await each.ask({ turn: { skip: skip.long, batches: batches.turn } }));
    const rounds = await takeTurns(
      { ours: turn(ours), theirs: turn(side), owned: turn(owned) },
      { rounds: quick ? 3 : 9, deadline },
    );
    const { ratio, spread, ...ms } = compareRounds(rounds.ours!, rounds.theirs!);
    const perSecond = (value: number) => 1000 / value;
    return {
      what,
      kind: 'loader',
      peer: loader.peer,
      version: String(hello.version),
      ours: perSecond(ms.ours),
      owned: perSecond(compareRounds(rounds.owned!, rounds.theirs!).ours),
      theirs: perSecond(ms.theirs),
      unit: 'images/s',
      ratio,
      spread,
      rounds: rounds.ours!.length,
      pixels,
      more: [
        describeSetting(setting),
        `${pixels.toFixed(2)} of 255 from Pillow`,
        ...(loader.differs === undefined ? [] : [loader.differs]),
      ].join('; '),
    };
  } finally {
    side.close();
  }
}

const msPerImage = ({ ms, images }: Answer) => Number(ms) / Number(images);

async function openOurs(folder: string, from: 'jpeg' | 'raw', views: boolean): Promise<Side> {
  const { side } = await Side.start(ourSide('loading/our-loader'));
  await side.ask({ open: { folder, setting: { from: from === 'raw' ? 'raw' : 'files', views } } });
  return side;
}

/** One of our own sides, in the tree whose engine it is to compute with. */
export function ourSide(module: string, tree?: string) {
  const root = tree ?? fileURLToPath(new URL('../../..', import.meta.url));
  // By Node's own option, so that threads of the side load TypeScript too.
  const loaded = ['--import', pathToFileURL(join(root, 'scripts/lib/typescript.mjs')).href];
  return { command: process.execPath, args: [...loaded, join(root, 'bench/peers/serve.mjs'), module] };
}

let boxes: Promise<readonly unknown[]> | undefined;

/** How far what the peer renders is from Pillow's antialiased bicubic on the same boxes, on average, of 255. */
async function pixelsOf(side: Side, bench: Bench): Promise<number> {
  boxes ??= croppedPictures(bench.photos).then((pictures) => pictures.slice(0, 64).map((each) => boxOf(bench, each)));
  const items = await boxes;
  const out = join(bench.folder, 'theirs.rgb');
  await side.ask({ pixels: { items, out } });
  return differenceOf(items, out);
}

/** How far our own pixels are. */
export async function ourPixels(bench: Bench): Promise<number> {
  await bench.files();
  const pictures = (await croppedPictures(bench.photos)).slice(0, 64);
  const out = join(bench.folder, 'ours.rgb');
  await renderFile(pictures, out);
  return differenceOf(
    pictures.map((each) => boxOf(bench, each)),
    out,
  );
}

function boxOf(bench: Bench, { key, picture }: { key: string; picture: Picture }) {
  return [join(bench.photos, key), ...cutOf(picture)];
}

/** How far pixels of `items`, squares of `size` px in the file `out`, are from Pillow's, on average, of 255. */
export async function differenceOf(items: readonly unknown[], out: string, size = 224): Promise<number> {
  const found: Found<{ python: string }> = pythonOf('torch');
  if ('missing' in found) throw new Error(`Pillow, which pixels are compared with, is not here: ${found.missing}`);
  const script = fileURLToPath(new URL('streams/pillow_pixels.py', import.meta.url));
  const environment = { SIDE: String(size) };
  const { side } = await Side.start({ command: found.python, args: ['-B', script], environment });
  try {
    return Number((await side.ask({ items, out })).mean);
  } finally {
    side.close();
  }
}

/** Shards of the photographs as raw pixels, and the same pixels in `records.rgb` for FFCV to write its file from. */
async function rawShards(bench: Bench, names: readonly string[]): Promise<string> {
  const output = join(bench.folder, 'raw-job');
  if (!existsSync(output)) {
    mkdirSync(bench.folder, { recursive: true });
    writeFileSync(join(bench.folder, 'records.rgb'), await makeRecords(bench.photos, names, recordSide));
    const stages = [decode(), resize(recordSide)] as const;
    await runPipeline(
      definePipeline({
        name: 'records',
        source: imageFolder(bench.photos),
        stages,
        sink: toShards({ shardBytes: 2 ** 26 }),
        output,
      }),
    );
  }
  return join(output, 'shards');
}
