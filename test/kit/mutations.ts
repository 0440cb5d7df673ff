import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { images } from '../../src/datasets/images.ts';
import { Recycler } from '../../src/datasets/recycler.ts';
import { crc32 } from '../../src/datasets/shard/checksum.ts';
import { shards } from '../../src/datasets/shards.ts';
import { toJsonl } from '../../src/datasets/to-jsonl.ts';
import { toWebdataset } from '../../src/datasets/to-webdataset.ts';
import { webdataset } from '../../src/datasets/webdataset.ts';
import { PatchstreamError } from '../../src/errors.ts';
import { definePipeline } from '../../src/pipeline/define.ts';
import { run } from '../../src/pipeline/run.ts';
import { Random } from '../../src/random.ts';
import { decode } from '../../src/stages/index.ts';
import { openSource } from './jobs.ts';
import { residentMiB } from './memory.ts';
import { gradient, jpeg } from './pictures.ts';
import { mendTar, tarSeeds } from './tars.ts';

/** What came of many mutated files. */
export interface Verdicts {
  /** How many were refused when they were opened, gave samples that failed, and gave samples. */
  readonly refused: number;
  readonly failed: number;
  readonly read: number;
  /** Anything thrown that is not of the catalogue. */
  readonly strange: readonly string[];
  /** What was made, changed or removed outside of the targets, and links within them. */
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
  // Something that could be written over, on each level above the target.
  for (let folder = target; folder.startsWith(root); folder = dirname(folder)) {
    writeFileSync(join(folder, 'job-00000.tar'), 'bait');
    writeFileSync(join(folder, 'a.jpg'), 'bait');
  }
  const strange: string[] = [];
  const stray: string[] = [];
  let [refused, failed, read] = [0, 0, 0];
  const around = () => told(root, (path) => path !== join(root, 'in/file.shard') && path !== join(root, 'in/file.tar'));
  const beside = around();
  const memory = new Recycler();
  const before = residentMiB();
  let grown = 0;
  for (let i = 0; i < count; i++) {
    const random = new Random(5, 'mutations', `${i}`);
    const kind: Kind = i % 2 === 0 ? 'shard' : 'tar';
    const base = bases[kind][random.integer(bases[kind].length)]!;
    const path = join(root, `in/file.${kind}`);
    writeFileSync(path, mutated(base, kind, random));
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
        stray.push(...links(output));
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

/** All that is in a folder: kind, time and bytes of each thing by its path. */
function told(folder: string, isTold: (path: string) => boolean): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    if (!isTold(path)) continue;
    const about = lstatSync(path, { bigint: true });
    // A folder's time changes with what is made in it for a while.
    found[path] = about.isFile() ? `${about.mtimeNs} ${readFileSync(path, 'latin1')}` : `${about.mode}`;
  }
  return found;
}

/** Links in a folder, which lead out of it. */
function links(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.map((name) => join(folder, name)).filter((path) => lstatSync(path).isSymbolicLink());
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

/** One to four changes, and a checksum that fits again in every second file. */
function mutated(base: Buffer, kind: Kind, random: Random): Buffer {
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
    else if (change === 6) bytes.write('../../', Math.min(at, bytes.length - 6), 'latin1');
    else if (random.uniform() < 0.3) bytes = Buffer.from(bytes.subarray(0, at));
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
