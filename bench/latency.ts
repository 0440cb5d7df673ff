/**
 * How fast are pictures loaded from a disk that answers late? A folder that waits 0, 2, 20 or 100 ms in every open and every read, and one of 20 ms in which one file of 200 takes two
 * seconds, by FUSE; JPEGs of about 48 KB, random crops to 224 px. Beside tf.data and torchvision, each at the best of some numbers of threads or workers, on the same folder in one
 * run. Every side has the machine to itself, in a process that begins anew: what ours has learnt of a disk counts for nothing the next time. Arguments choose: `npm run bench -- latency 20`.
 */
import { linkSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../src/balance/tune-micro-batch.ts';
import { compileSlowFolder, openSlowFolder, type Wait } from './latency/slow-folder.ts';
import { Bench } from './loader/bench.ts';
import { type Environment, pythonOf } from './peers/installed.ts';
import { ourSide } from './peers/loading/loaders.ts';
import { describeSetting, type Setting } from './peers/rounds.ts';
import type { Row } from './peers/row.ts';
import { Side, type SideCommand } from './peers/side.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

const waits: Readonly<Record<string, Wait>> = {
  '0': { ms: 0 },
  '2': { ms: 2 },
  '20': { ms: 20 },
  '100': { ms: 100 },
  late: { ms: 20, every: 200, longer: 2000 },
};

/** Every photograph is there so many times. */
const times = 4;
const rounds = 2;
interface Turn {
  readonly skip: number;
  readonly batches: number;
}

/** Batches of 64: until a side has found its pace, and on the clock. Ours has few ahead; theirs has its pace at once, but each worker makes some ahead, which are used up first. */
const ourTurn = { skip: 48, batches: 48 };
function theirTurn({ workers = 0, ahead = 0 }: Setting): Turn {
  const made = Number(workers) * (Number(ahead) + 1);
  return { skip: Math.max(8, made), batches: Math.max(16, Math.ceil((2 * made) / 3)) };
}

interface Peer {
  readonly name: string;
  readonly environment: Environment;
  readonly script: string;
  readonly how: string;
  /** What is tried for waits below 20 ms, and for those of 20 and more. */
  readonly settings: readonly [fast: readonly Setting[], slow: readonly Setting[]];
}

const threads = (...numbers: readonly number[]): Setting[] =>
  numbers.map((number) => ({ threads: number, calls: number }));
const workers = (...numbers: readonly number[]): Setting[] => numbers.map((number) => ({ workers: number, ahead: 2 }));

const peers: readonly Peer[] = [
  {
    name: 'tf.data',
    environment: 'tensorflow',
    script: 'tf_data',
    how: '',
    settings: [threads(2, 4, 16), threads(64, 128, 256)],
  },
  {
    name: 'torchvision',
    environment: 'torch',
    script: 'torchvision',
    how: 'decode_jpeg + v2',
    settings: [workers(2, 4, 8), workers(16, 32)],
  },
];

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, Object.keys(waits));
  const bench = new Bench();
  const rows: Row[] = [];
  try {
    const names = await bench.files();
    const many = join(bench.folder, 'many');
    mkdirSync(many);
    for (let i = 0; i < times; i++)
      for (const name of names) linkSync(join(bench.photos, name), join(many, `${i}-${name}`));
    const files = Array.from({ length: times }, (_, i) => names.map((name) => `${i}-${name}`)).flat();
    const program = compileSlowFolder(bench.folder);
    let unwaited: number | undefined;
    for (const [name, wait] of Object.entries(waits)) {
      if (!isWanted(name, Object.keys(waits), args)) continue;
      const folder = await openSlowFolder(program, many, join(bench.folder, `slow-${name}`), wait);
      try {
        const what = name === 'late' ? '20 ms, and one of 200 two seconds' : `${name} ms`;
        const found = await rowsOf({ what, wait, folder: folder.path, files });
        rows.push(...found);
        const ours = found[0]!.ours;
        if (unwaited !== undefined)
          rows.push({ what: `${what} against 0 ms`, ours, theirs: unwaited, unit: 'images/s', ratio: ours / unwaited });
        if (name === '0') unwaited = ours;
      } finally {
        folder.close();
      }
    }
  } finally {
    await bench.close();
  }
  return { rows, notes: bench.notes };
}

interface Cell {
  readonly what: string;
  readonly wait: Wait;
  readonly folder: string;
  readonly files: readonly string[];
}

/** Ours beside the best of each peer. */
async function rowsOf({ what, wait, folder, files }: Cell): Promise<Row[]> {
  const ours = () =>
    rateOf(ourSide('loading/our-loader'), { folder, setting: { from: 'files', views: true } }, ourTurn);
  const best: { name: string; setting: Setting; rate: () => Promise<number> }[] = [];
  for (const { name, environment, script, how, settings } of peers) {
    const found = pythonOf(environment);
    if ('missing' in found) throw new Error(`${name}: ${found.missing}`);
    const path = fileURLToPath(new URL(`peers/loading/streams/${script}_stream.py`, import.meta.url));
    const command = { command: found.python, args: ['-B', path], environment: { HOW: how } };
    const tried: { setting: Setting; rate: number }[] = [];
    for (const setting of settings[wait.ms < 20 ? 0 : 1]) {
      tried.push({ setting, rate: await rateOf(command, { folder, files, setting }, theirTurn(setting)) });
    }
    const { setting } = tried.sort((a, b) => b.rate - a.rate)[0]!;
    best.push({ name, setting, rate: () => rateOf(command, { folder, files, setting }, theirTurn(setting)) });
  }
  const rates: { ours: number; theirs: number[] }[] = [];
  for (let round = 0; round < rounds; round++) {
    const own = await ours();
    const theirs: number[] = [];
    for (const { rate } of best) theirs.push(await rate());
    rates.push({ ours: own, theirs });
  }
  return best.map(({ name, setting }, i) => ({
    what: `${what} against ${name}`,
    ours: median(rates.map((each) => each.ours)),
    theirs: median(rates.map(({ theirs }) => theirs[i]!)),
    unit: 'images/s',
    ratio: median(rates.map(({ ours: own, theirs }) => own / theirs[i]!)),
    more: describeSetting(setting),
  }));
}

/** Images a second of a side that is started for it. */
async function rateOf(command: SideCommand, open: object, turn: Turn): Promise<number> {
  const { side } = await Side.start(command);
  try {
    await side.ask({ open });
    const { ms, images } = await side.ask({ turn });
    return (1000 * Number(images)) / Number(ms);
  } finally {
    side.close();
  }
}
