import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PatchstreamError } from '../../../src/errors.ts';
import { BufferPool } from '../../../src/files/buffer-pool.ts';
import { crc32 } from '../../../src/formats/shard/checksum.ts';
import { Random } from '../../../src/random.ts';
import { definePipeline } from '../../../src/runs/loader/define.ts';
import { run } from '../../../src/runs/run.ts';
import { images } from '../../../src/sinks/images.ts';
import { toJsonl } from '../../../src/sinks/to-jsonl.ts';
import { toWebdataset } from '../../../src/sinks/to-webdataset.ts';
import { shards } from '../../../src/sources/shards.ts';
import { webdataset } from '../../../src/sources/webdataset.ts';
import { decode } from '../../../src/stages/index.ts';
import { pictureFormats } from '../../../src/vision/headers/formats.ts';
import { mendTar, tarSeeds } from '../files/tars.ts';
import { openSource } from '../runs/jobs.ts';
import { residentMiB } from '../runs/memory.ts';
import { gradient, jpeg } from './pictures.ts';

/** What came of many mutated files. */
export interface Verdicts {
  /** How many were refused when they were opened, gave samples that failed, and gave samples. */
  readonly refused: number;
  readonly failed: number;
  readonly read: number;
  /** Anything thrown that is not of the catalogue. */
  readonly strange: readonly string[];
  /**
   * What was made, changed or removed outside of the targets: beside them and above them, in the working directory, at home, where temporary files lie,
   * and under an absolute path that is written into names; what lies in the targets and is none of what sinks write there; members of tars whose names lead
   * anywhere; and what changed of the process: its prototypes, its globals, its environment, its working directory, its open files.
   */
  readonly stray: readonly string[];
  /** How much resident memory, in MiB, was above that at the beginning, at most. */
  readonly grown: number;
}

type Kind = 'shard' | 'tar';

/** Where the jobs write: so deep that a name that climbs out of it comes out where it is seen. */
const targets = 'some/where/deep/down/target';

/**
 * Mutates shards and tars, `count` in all, seeded, reads everything that they still give under both policies, and writes some of it into a folder.
 * Half of the mutated shards and tars have their checksums made anew, so that what lies behind them is reached.
 */
export async function mutate(root: string, count: number): Promise<Verdicts> {
  const bases: Readonly<Record<Kind, readonly Buffer[]>> = {
    shard: [readFileSync('fixtures/shards/golden-v1.shard')],
    tar: tarSeeds(await jpeg(gradient(8, 6))),
  };
  mkdirSync(join(root, 'in'));
  const target = join(root, targets);
  mkdirSync(target, { recursive: true });
  // So short that it has a place in any name.
  const absolute = mkdtempSync(join(tmpdir(), 'm-'));
  for (const folder of ['home', 'temporary', 'working']) mkdirSync(join(root, folder));
  // Something that could be written over, on each level above the target, and wherever a name may lead to.
  const levels = ['home', 'temporary', 'working'].map((folder) => join(root, folder)).concat(absolute);
  for (let folder = target; folder.startsWith(root); folder = dirname(folder)) levels.push(folder);
  for (const folder of levels) {
    writeFileSync(join(folder, 'job-00000.tar'), 'bait');
    writeFileSync(join(folder, 'a.jpg'), 'bait');
  }
  const leave = elsewhere(root);
  try {
    return await mutateIn({ root, target, absolute, bases, count });
  } finally {
    leave();
    rmSync(absolute, { recursive: true });
  }
}

/** Lets the process work where all of it is seen. Answers the way back. */
function elsewhere(root: string): () => void {
  const { HOME, TMPDIR } = process.env;
  const before = process.cwd();
  process.chdir(join(root, 'working'));
  Object.assign(process.env, { HOME: join(root, 'home'), TMPDIR: join(root, 'temporary') });
  return () => {
    process.chdir(before);
    for (const [name, value] of Object.entries({ HOME, TMPDIR })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

async function mutateIn({
  root,
  target,
  absolute,
  bases,
  count,
}: {
  readonly root: string;
  readonly target: string;
  readonly absolute: string;
  readonly bases: Readonly<Record<Kind, readonly Buffer[]>>;
  readonly count: number;
}): Promise<Verdicts> {
  const strange: string[] = [];
  const stray: string[] = [];
  let [refused, failed, read] = [0, 0, 0];
  const around = () => ({
    ...told(root, (path) => path !== join(root, 'in/file.shard') && path !== join(root, 'in/file.tar')),
    ...told(absolute, () => true),
    ...processState(),
  });
  const beside = around();
  const memory = new BufferPool();
  const before = residentMiB();
  let grown = 0;
  for (let i = 0; i < count; i++) {
    const random = new Random(5, 'mutations', `${i}`);
    const kind: Kind = i % 2 === 0 ? 'shard' : 'tar';
    const base = bases[kind][random.integer(bases[kind].length)]!;
    const path = join(root, `in/file.${kind}`);
    writeFileSync(path, mutated(base, kind, random, absolute));
    const damage = random.uniform() < 0.5 ? 'fail' : 'skip';
    const blame = (error: unknown) => {
      if (!(error instanceof PatchstreamError)) strange.push(`${i}: ${error instanceof Error ? error.stack : error}`);
    };
    try {
      const { definition } = kind === 'shard' ? shards : webdataset;
      const written = {
        path,
        damage,
        labels: i % 3 === 0,
        fields: i % 3 === 0 ? { box: { dtype: 'int32', shape: [4] } } : {},
      };
      const source = await openSource(definition as typeof shards.definition, written);
      for (let at = 0; at < source.count; at++) {
        try {
          source.key(at);
          await source.read(at, new AbortController().signal, i % 4 < 2 ? memory : undefined);
          read++;
        } catch (error) {
          failed++;
          blame(error);
        }
      }
      await source.close?.();
      if (i % 25 < 6) {
        const output = join(target, String(i));
        await write(path, kind, { output, sink: i % 3 }).catch(blame);
        stray.push(...(await unexpected(output)));
        rmSync(output, { recursive: true, force: true });
      }
    } catch (error) {
      refused++;
      blame(error);
    }
    if (i % 250 === 249) grown = Math.max(grown, residentMiB() - before);
  }
  const after = around();
  for (const path of new Set([...Object.keys(beside), ...Object.keys(after)])) {
    if (beside[path] !== after[path]) stray.push(`${path}: ${beside[path] ?? 'nothing'} → ${after[path] ?? 'nothing'}`);
  }
  return { refused, failed, read, strange, stray, grown };
}

/** All that is in a folder: kind, rights, time and bytes of each thing by its path. */
function told(folder: string, isTold: (path: string) => boolean): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    if (!isTold(path)) continue;
    const about = lstatSync(path, { bigint: true });
    const { mode, nlink, mtimeNs } = about;
    // A folder's time and links change with what is made in it for a while.
    found[path] = about.isFile() ? `${mode} ${nlink} ${mtimeNs} ${readFileSync(path, 'latin1')}` : `${mode}`;
  }
  return found;
}

/** What of the process a file must not change, in words. */
function processState(): Record<string, string> {
  const names = (value: object) => Reflect.ownKeys(value).map(String).join(' ');
  const prototypes = { Object, Array, Map, Uint8Array, Buffer, Promise, String, Number, Function, RegExp, Error };
  const kinds = Object.entries(prototypes).map(([name, { prototype }]) => [`${name}.prototype`, names(prototype)]);
  return {
    ...Object.fromEntries(kinds),
    globals: Object.getOwnPropertyNames(globalThis).join(' '),
    environment: JSON.stringify(process.env),
    directory: process.cwd(),
    ending: `${process.exitCode} ${process.listenerCount('exit')} ${process.listenerCount('SIGTERM')}`,
    // A job that leaves its files open has them all open in the end. Some of the system's own are opened once.
    files: String(existsSync('/proc/self/fd') && readdirSync('/proc/self/fd').length > mostOpen),
  };
}

/** So many open files are the process's own: those of the runner, threads, and the ends of what they tell one another. */
const mostOpen = 100;

/** What a run and the three sinks write. */
const expected = new RegExp(
  `^(${[
    String.raw`(pipeline|source|finished)\.json|(events|quarantine|written|manifest)\.jsonl|run\.lock`,
    String.raw`images(/\d{6,}[-\p{L}\p{N}]*\.png)?`,
    String.raw`webdataset(/job-\d{5}\.tar)?`,
    String.raw`jsonl(/job-\d{5}\.jsonl)?`,
  ].join('|')})$`,
  'u',
);

/** The most bytes of what a small file becomes. */
const mostWritten = 2 ** 24;

/** What in a target is none of what sinks write: other names, links, devices, much too large files; and names within tars that lead anywhere. */
async function unexpected(output: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of existsSync(output) ? readdirSync(output, { recursive: true, encoding: 'utf8' }) : []) {
    const path = join(output, name);
    const about = lstatSync(path);
    const isPlain = about.isDirectory() || (about.isFile() && about.nlink === 1 && about.size <= mostWritten);
    if (!isPlain || (about.mode & 0o7022) !== 0 || !expected.test(name))
      found.push(`${path}: ${about.mode} ${about.size}`);
    if (!name.endsWith('.tar')) continue;
    const tar = await openSource(webdataset.definition, { path, formats: [...pictureFormats] }).catch(() => undefined);
    for (let i = 0; i < (tar?.count ?? 0); i++) {
      if (!/^job-\d{5}\.tar\/\d{9}(_\d{4,})?[-A-Za-z0-9]*$/.test(tar!.key(i))) found.push(`${path}: ${tar!.key(i)}`);
    }
    await tar?.close?.();
  }
  return found;
}

/** A job from the file into tars, or into files whose names are made from its keys, or into lines. */
async function write(path: string, kind: Kind, { output, sink }: { output: string; sink: number }): Promise<void> {
  const from = kind === 'shard' ? shards({ path, damage: 'skip' }) : webdataset({ path, damage: 'skip' });
  const pictures = kind === 'shard' ? 'png' : 'file';
  const sinks = [toWebdataset({ pictures }), images({ sheet: false }), toJsonl()];
  const stages = kind === 'tar' && sink === 1 ? [decode()] : [];
  await run(definePipeline({ name: 'job', source: from, stages, sink: sinks[sink]!, output } as never));
}

const extremes = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 0x00100001];

/** One to four changes, and a checksum that fits again in every second file. `absolute` is a folder that names are led to. */
function mutated(base: Buffer, kind: Kind, random: Random, absolute: string): Buffer {
  const names = ['../../..', `${absolute}/`, '__proto__', '..\\..\\', 'a\0b', '/proc/self/'];
  let bytes = Buffer.from(base);
  const changes = 1 + random.integer(4);
  for (let i = 0; i < changes; i++) {
    const at = random.integer(Math.max(1, bytes.length));
    const length = random.integer(64);
    const change = random.integer(8);
    if (bytes.length < 8) break;
    if (change === 0) bytes[at]! ^= 1 << random.integer(8);
    else if (change === 1) bytes[at] = random.integer(256);
    else if (change === 2)
      bytes.writeUInt32LE(extremes[random.integer(extremes.length)]!, Math.min(at, bytes.length - 4));
    else if (change === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    else if (change === 4)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
    else if (change === 5)
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, random.integer(256)), bytes.subarray(at)]);
    else if (change === 6) {
      const name = names[random.integer(names.length)]!;
      // In every second one where a tar has its names.
      const place = kind === 'tar' && random.uniform() < 0.5 ? at - (at % 512) : at;
      bytes.write(name, Math.max(0, Math.min(place, bytes.length - name.length)), 'latin1');
    } else if (random.uniform() < 0.3) bytes = Buffer.from(bytes.subarray(0, at));
  }
  if (random.uniform() < 0.5) (kind === 'shard' ? mendShard : mendTar)(bytes);
  return bytes;
}

/** Makes the checksums of all frames that are still in their places, and of the tail, those of what is there. */
function mendShard(bytes: Buffer): void {
  for (let at = 8; at + 16 <= bytes.length; ) {
    const end = at + 16 + bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12);
    if (end > bytes.length || !/^[A-Z]{4}$/.test(bytes.toString('latin1', at + 4, at + 8))) break;
    bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, end)), at);
    at = end;
  }
  if (bytes.length < 24) return;
  const tail = bytes.subarray(-24);
  tail.writeUInt32LE(crc32(tail.subarray(0, 12)), 12);
}
