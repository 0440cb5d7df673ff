import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pax } from 'tar';
import { crc32 } from '../../src/datasets/shard/checksum.ts';
import { shards } from '../../src/datasets/shards.ts';
import { tarEnd, tarFile } from '../../src/datasets/tar/entries.ts';
import { toWebdataset } from '../../src/datasets/to-webdataset.ts';
import { webdataset } from '../../src/datasets/webdataset.ts';
import { PatchstreamError } from '../../src/errors.ts';
import { definePipeline } from '../../src/pipeline/define.ts';
import { run } from '../../src/pipeline/run.ts';
import { Random } from '../../src/random.ts';
import { openSource } from './jobs.ts';
import { residentMiB } from './memory.ts';

/** What came of many mutated files. */
export interface Verdicts {
  /** How many were refused when they were opened, gave samples that failed, and gave samples. */
  readonly refused: number;
  readonly failed: number;
  readonly read: number;
  /** Anything thrown that is not of the catalogue. */
  readonly strange: readonly string[];
  /** Files that are where nothing may be. */
  readonly stray: readonly string[];
  /** How much resident memory, in MiB, was above that at the beginning, at most. */
  readonly grown: number;
}

type Kind = 'shard' | 'tar';

/**
 * Mutates shards and tars, `count` in all, seeded, reads everything that they still give under both policies, and writes some of it into a folder.
 * Half of the mutated shards and tars have their checksums made anew, so that what lies behind them is reached.
 */
export async function mutate(root: string, count: number): Promise<Verdicts> {
  const bases: Readonly<Record<Kind, readonly Buffer[]>> = {
    shard: [readFileSync('fixtures/shards/golden-v1.shard')],
    tar: [tarBase()],
  };
  mkdirSync(join(root, 'in'));
  mkdirSync(join(root, 'target'));
  const strange: string[] = [];
  let [refused, failed, read] = [0, 0, 0];
  const before = residentMiB();
  let grown = 0;
  for (let i = 0; i < count; i++) {
    const random = new Random(5, 'mutations', `${i}`);
    const kind: Kind = i % 2 === 0 ? 'shard' : 'tar';
    const base = bases[kind][random.integer(bases[kind].length)]!;
    const path = join(root, `in/file.${kind}`);
    writeFileSync(path, mutated(base, kind, random));
    const damage = random.uniform() < 0.5 ? 'fail' : 'skip';
    const told = (error: unknown) => {
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
          await source.read(at, new AbortController().signal);
          read++;
        } catch (error) {
          failed++;
          told(error);
        }
      }
      await source.close?.();
      if (i % 25 < 2) await write(path, kind, join(root, 'target', String(i))).catch(told);
    } catch (error) {
      refused++;
      told(error);
    }
    if (i % 250 === 249) grown = Math.max(grown, residentMiB() - before);
  }
  const stray = [
    ...readdirSync(root).filter((name) => !['in', 'target'].includes(name)),
    ...readdirSync(join(root, 'in')).filter((name) => !name.startsWith('file.')),
    ...readdirSync(join(root, 'target')).filter((name) => !/^\d+$/.test(name)),
  ];
  return { refused, failed, read, strange, stray, grown };
}

/** A job from the file into tars, whose names are made from its keys. */
async function write(path: string, kind: Kind, output: string): Promise<void> {
  const from = kind === 'shard' ? shards({ path, damage: 'skip' }) : webdataset({ path, damage: 'skip' });
  const sink = toWebdataset(kind === 'shard' ? { pictures: 'png' } : {});
  await run(definePipeline({ name: 'job', source: from, stages: [], sink, output } as never));
}

/** A tar with long names, labels and fields. */
function tarBase(): Buffer {
  const jpeg = Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(700, 3)]);
  const long = `${'folder/'.repeat(30)}c.jpg`;
  return Buffer.concat([
    ...tarFile('a.jpg', jpeg),
    ...tarFile('a.cls', Buffer.from('1')),
    ...tarFile('a.json', Buffer.from('{"box":[1,2,3,4]}')),
    ...tarFile('dir/b.jpg', jpeg),
    ...tarFile('dir/b.cls', Buffer.from('2')),
    new Pax({ path: long }).encode(),
    ...tarFile('c.jpg', jpeg),
    tarEnd,
  ]);
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

function mendTar(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
}
