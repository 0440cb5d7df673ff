import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PatchstreamError } from '../../src/errors.ts';
import { openVectors } from '../../src/formats/vectors/open.ts';
import { Random } from '../../src/random.ts';
import { toJsonl } from '../../src/sinks/to-jsonl.ts';
import { toNpy } from '../../src/sinks/to-npy.ts';
import { toParquet } from '../../src/sinks/to-parquet.ts';
import { toShards } from '../../src/sinks/to-shards.ts';
import { runNumbered } from './runs/jobs.ts';
import { residentMiB } from './runs/memory.ts';
import { vectors } from './vectors.ts';

const sinks = { parquet: toParquet, npy: toNpy, shards: toShards, jsonl: toJsonl };

/** Damages files of vectors in `count` ways and reads them. @returns how it went; `strange` are errors that are not of the catalogue. */
export async function mutateVectors(folder: string, count: number) {
  const files = [];
  for (const [name, sink] of Object.entries(sinks)) {
    const made = join(folder, name);
    await runNumbered(made, sink() as never, { count: 30, stages: [vectors({ width: 5 })] });
    const [whole] = name === 'npy' ? ['job-00000.npy'] : [`job-00000.${name === 'shards' ? 'shard' : name}`];
    files.push([join(made, name, whole!)]);
    // Of an array, the file of keys too.
    if (name === 'npy') files.push([join(made, name, whole!), join(made, name, 'job-00000.jsonl')].reverse());
  }
  const target = join(folder, 'mutated');
  mkdirSync(target);
  const strange: string[] = [];
  const totals = { refused: 0, read: 0 };
  const before = residentMiB();
  let grown = 0;
  for (let i = 0; i < count; i++) {
    const random = new Random(7, 'mutations', String(i));
    const [damaged, ...beside] = files[i % files.length]!;
    const path = join(target, basename(damaged!));
    writeFileSync(path, mutated(readFileSync(damaged!), random));
    for (const other of beside) writeFileSync(join(target, basename(other)), readFileSync(other));
    if (path.endsWith('.npy'))
      writeFileSync(path.replace('.npy', '.jsonl'), readFileSync(damaged!.replace('.npy', '.jsonl')));
    const array = path.endsWith('.jsonl') && beside.length > 0 ? path.replace('.jsonl', '.npy') : path;
    try {
      const set = await openVectors(array);
      for await (const { keys, values } of set.batches()) {
        if (values.length !== keys.length * set.width || !values.every(Number.isFinite))
          strange.push(`${i}: not whole`);
      }
      totals.read++;
    } catch (error) {
      totals.refused++;
      if (!(error instanceof PatchstreamError)) strange.push(`${i}, ${basename(damaged!)}: ${error}`);
    }
    if (i % 250 === 249) grown = Math.max(grown, residentMiB() - before);
  }
  return { ...totals, strange, grown };
}

/** Other bytes in a few places, most of them near the ends, where headers and metadata are; or fewer or more of them. */
function mutated(bytes: Buffer, random: Random): Buffer {
  const below = (n: number) => random.word() % n;
  const near = () =>
    [below(bytes.length), below(Math.min(300, bytes.length)), bytes.length - 1 - below(Math.min(900, bytes.length))][
      below(3)
    ]!;
  const result = Buffer.from(bytes);
  switch (below(8)) {
    case 0:
      return result.subarray(0, below(bytes.length));
    case 1:
      return Buffer.concat([result.subarray(0, near()), result.subarray(near())]);
    default:
      for (let n = below(4); n >= 0; n--) result[near()] = [below(256), 255, 0, 128][below(4)]!;
      return result;
  }
}
