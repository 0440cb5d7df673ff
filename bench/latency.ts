/**
 * How fast are pictures loaded from a disk that answers late? A folder that waits 0, 2, 20 or 100 ms in every open and every read, and one of 20 ms in which one file of 200 takes two
 * seconds, by FUSE; JPEGs of about 48 KB, random crops to 224 px. Beside tf.data and torchvision, each at the best of some numbers of threads or workers, on the same folder in one
 * run. Then tars, and shards of the same files, from a folder of 20 ms in which nothing stays in the system's memory, beside one without waiting; and the tars by http, over a line of 50 ms and
 * 100 Mbit/s of a small server of ours, beside what it carries. Every side has the machine to itself, in a process that begins anew: what ours has learnt of a disk counts for nothing the next time. Arguments choose: `npm run bench -- latency 20 torchvision`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, linkSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from '../src/balance/tune-micro-batch.ts';
import { definePipeline, imageFolder, run as runPipeline, toShards, toWebdataset } from '../src/index.ts';
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

/** The same photographs in large files, and behind a line, where nobody else is asked. */
const stores = ['tars', 'shards', 'http'] as const;
/** Of the line: milliseconds before each answer, and megabits a second. */
const line = { ms: 50, megabits: 100 };

/** Every photograph is there so many times. */
const times = 4;
const rounds = 3;
interface Turn {
  readonly skip: number;
  readonly batches: number;
}

/** Batches of 64: until a side has found its pace, and on the clock. Ours has few ahead; theirs has its pace at once, but each worker makes some ahead, which are used up first. */
const ourTurn = { skip: 48, batches: 48 };
/** Over a line that carries 260 pictures a second. */
const lineTurn = { skip: 12, batches: 36 };
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
    settings: [threads(2, 4, 16, 32, 64), threads(64, 128, 256, 512)],
  },
  {
    name: 'torchvision',
    environment: 'torch',
    script: 'torchvision',
    how: 'decode_jpeg + v2',
    settings: [workers(2, 4, 8, 16), workers(16, 32, 48)],
  },
];

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  const names = peers.map(({ name }) => name);
  refuseUnknown(args, Object.keys(waits), stores, names);
  const bench = new Bench();
  const rows: Row[] = [];
  const cells = [...Object.keys(waits), ...stores];
  try {
    const many = await makeMany(bench);
    const program = compileSlowFolder(bench.folder);
    for (const cell of cells) {
      if (!isWanted(cell, cells, args)) continue;
      const wait = waits[cell];
      const found =
        wait === undefined
          ? await storeRows(cell as (typeof stores)[number], { bench, many, program })
          : await waitRows(cell, wait, {
              bench,
              many,
              program,
              chosen: peers.filter(({ name }) => isWanted(name, names, args)),
            });
      for (const row of found) console.error(`${row.what}: ${row.ratio.toFixed(2)}`);
      rows.push(...found);
    }
  } finally {
    await bench.close();
  }
  return { rows, notes: bench.notes };
}

interface Place {
  readonly bench: Bench;
  /** The folder of the photographs, each several times. */
  readonly many: string;
  readonly program: string;
}

async function makeMany(bench: Bench): Promise<string> {
  const many = join(bench.folder, 'many');
  mkdirSync(many);
  for (const name of await bench.files())
    for (let i = 0; i < times; i++) linkSync(join(bench.photos, name), join(many, `${i}-${name}`));
  return many;
}

/** Ours beside each peer, and beside itself without waiting. */
function waitRows(
  name: string,
  wait: Wait,
  { bench, many, program, chosen }: Place & { readonly chosen: readonly Peer[] },
): Promise<Row[]> {
  const what = name === 'late' ? '20 ms, and one of 200 two seconds' : `${name} ms`;
  const files = readdirSync(many).sort();
  const cell = { what, wait, files, chosen };
  return within(program, many, join(bench.folder, `slow-${name}`), wait, (folder) => {
    if (name === '0') return rowsOf({ ...cell, folder });
    const before = name === 'late' ? { ms: 20 } : { ms: 0 };
    return within(program, many, join(bench.folder, `other-${name}`), before, (other) =>
      rowsOf({ ...cell, folder, before: { what: `${before.ms} ms`, folder: other } }),
    );
  });
}

/** What reads with `ms` of waiting reach of those without, from large files of which nothing stays in memory; and over http of what the line carries. */
async function storeRows(store: (typeof stores)[number], { bench, many, program }: Place): Promise<Row[]> {
  const folder = join(
    await makeStore(store === 'shards' ? store : 'tars', many, bench),
    store === 'shards' ? 'shards' : 'webdataset',
  );
  if (store === 'http') return [await lineRow(folder, many)];
  const from = store === 'tars' ? store : 'raw';
  const rates: Record<number, number[]> = { 0: [], 20: [] };
  for (let round = 0; round < rounds; round++) {
    for (const ms of [0, 20]) {
      const at = join(bench.folder, `slow-${store}-${ms}-${round}`);
      rates[ms]!.push(
        await within(program, folder, at, { ms, keepsNothing: true }, (slow) => rateOf(...ourTask(slow, from))),
      );
    }
  }
  const [ours, theirs] = [median(rates[20]!), median(rates[0]!)];
  return [{ what: `${store}: 20 ms against 0 ms`, ours, theirs, unit: 'images/s', ratio: ours / theirs }];
}

async function makeStore(store: 'tars' | 'shards', many: string, bench: Bench): Promise<string> {
  const output = join(bench.folder, `made-${store}`);
  if (existsSync(output)) return output;
  const shardBytes = 2 ** 24;
  const sink = store === 'tars' ? toWebdataset({ shardBytes }) : toShards({ pictures: 'file', shardBytes });
  await runPipeline(definePipeline({ name: 'made', source: imageFolder(many), stages: [], sink, output }));
  return output;
}

/** Tars behind a line: megabytes of pictures a second beside what the line carries. */
async function lineRow(folder: string, many: string): Promise<Row> {
  const script = fileURLToPath(new URL('latency/slow-server.mjs', import.meta.url));
  const server = spawn(process.execPath, [script, folder, String(line.ms), String(line.megabits)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [port] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
    const tars = readdirSync(folder).filter((name) => name.endsWith('.tar'));
    const addresses = tars.map((name) => `http://127.0.0.1:${port}/${name}`);
    const rate = await rateOf(...ourTask(addresses, 'tars', lineTurn));
    const files = readdirSync(many);
    const mean = files.reduce((sum, name) => sum + statSync(join(many, name)).size, 0) / files.length;
    const [ours, theirs] = [(rate * mean) / 1e6, line.megabits / 8];
    const what = `http, ${line.ms} ms and ${line.megabits} Mbit/s, against the line`;
    return { what, ours, theirs, unit: 'MB/s', ratio: ours / theirs };
  } finally {
    server.kill();
  }
}

/** Does `work` with a folder that shows `from` and waits. */
async function within<T>(
  program: string,
  from: string,
  at: string,
  wait: Wait,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await openSlowFolder(program, from, at, wait);
  try {
    return await work(folder.path);
  } finally {
    folder.close();
  }
}

/** What `rateOf` is to be asked of our own side. */
function ourTask(folder: string | string[], from: 'files' | 'tars' | 'raw', turn: Turn = ourTurn) {
  return [ourSide('loading/our-loader'), { folder, setting: { from, views: true } }, turn] as const;
}

interface Cell {
  readonly what: string;
  readonly wait: Wait;
  readonly folder: string;
  readonly files: readonly string[];
  readonly chosen: readonly Peer[];
  /** The folder that is less slow, which ours is compared with too. */
  readonly before?: { readonly what: string; readonly folder: string };
}

/** What ours is compared with. */
interface Other {
  readonly name: string;
  readonly more?: string;
  rate(): Promise<number>;
}

/** Ours beside the best of each peer, in turns. */
async function rowsOf({ what, wait, folder, files, chosen, before }: Cell): Promise<Row[]> {
  const ours = () => rateOf(...ourTask(folder, 'files'));
  const others: Other[] = [];
  // Next to ours in each round: minutes later a shared machine may be half as fast.
  if (before !== undefined) others.push({ name: before.what, rate: () => rateOf(...ourTask(before.folder, 'files')) });
  for (const { name, environment, script, how, settings } of chosen) {
    const found = pythonOf(environment);
    if ('missing' in found) throw new Error(`${name}: ${found.missing}`);
    const path = fileURLToPath(new URL(`peers/loading/streams/${script}_stream.py`, import.meta.url));
    const command = { command: found.python, args: ['-B', path], environment: { HOW: how } };
    const tried: { setting: Setting; rate: number }[] = [];
    for (const setting of settings[wait.ms < 20 ? 0 : 1]) {
      tried.push({ setting, rate: await rateOf(command, { folder, files, setting }, theirTurn(setting)) });
    }
    const { setting } = tried.sort((a, b) => b.rate - a.rate)[0]!;
    others.push({
      name,
      more: describeSetting(setting),
      rate: () => rateOf(command, { folder, files, setting }, theirTurn(setting)),
    });
  }
  const turns: { readonly own: number; readonly theirs: readonly number[] }[] = [];
  for (let round = 0; round < rounds; round++) {
    const own = await ours();
    const theirs: number[] = [];
    for (const { rate } of others) theirs.push(await rate());
    turns.push({ own, theirs });
  }
  return others.map(({ name, more }, i) => ({
    what: `${what} against ${name}`,
    ours: median(turns.map(({ own }) => own)),
    theirs: median(turns.map(({ theirs }) => theirs[i]!)),
    unit: 'images/s',
    ratio: median(turns.map(({ own, theirs }) => own / theirs[i]!)),
    ...(more === undefined ? {} : { more }),
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
