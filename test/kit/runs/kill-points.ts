import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { openVectors } from '../../../src/formats/vectors/open.ts';
import { shards } from '../../../src/sources/shards.ts';
import { filesOf, type KilledSink, openSource, runKilled } from './jobs.ts';
import { saying } from './said.ts';

/** What makes Node run a program of TypeScript: begun many times, it takes what was compiled before. */
export const typescript = ['--import', './scripts/lib/typescript.mjs'];

/** Where a job is killed, and how often it comes there. */
export const killPoints = [
  ['shard opened', 1],
  ['shard opened', 3],
  ['shard to be written', 2],
  ['shard written in part', 1],
  ['shard to be synced', 2],
  ['shard to be named', 1],
  ['shard named', 1],
  ['shard named', 3],
  ['shard to be entered', 2],
  ['shard entered in part', 2],
  ['shard entered', 3],
  ['run to be named', 1],
] as const;

/** Keys of all records of a folder of shards, in order. */
export async function recordsOf(path: string) {
  const source = await openSource(shards.definition, { path });
  const keys = Array.from({ length: source.count }, (_, i) => source.key(i));
  await source.close?.();
  return keys;
}

/** The positions in a job's quarantine. */
export const quarantined = (output: string) =>
  readFileSync(join(output, 'quarantine.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).position as number);

/** Kills a job at each of the points, begins it again, and holds the shards to those of a job that was left alone: each sample once. */
export async function killedAt(t: Test, points: readonly (readonly [string, number])[]): Promise<void> {
  const count = 60;
  const undisturbed = join(t.testdir({}), 'undisturbed');
  const { done, failures } = await runKilled(undisturbed, count);
  const expected = filesOf(join(undisturbed, 'shards'));
  t.ok(Object.keys(expected).length >= 4, `${Object.keys(expected).length} shards`);
  const keys = await recordsOf(join(undisturbed, 'shards'));
  t.equal(new Set(keys).size, keys.length, 'each once');
  t.same([keys.length, failures], [done, 5]);
  for (const [point, nth] of points) {
    const output = join(t.testdirName, `${point}-${nth}`.replaceAll(' ', '-'));
    const child = spawnSync(
      process.execPath,
      [...typescript, 'test/kit/runs/killed.mjs', point, String(nth), output, String(count)],
      {
        encoding: 'utf8',
      },
    );
    t.equal(child.signal, 'SIGKILL', `${point}, ${nth}: ${child.stderr.slice(-500)}`);
    const before = readdirSync(join(output, 'shards')).filter((name) => name.endsWith('.shard'));
    const lines: string[] = [];
    const onEvent = saying(lines);
    const again = await runKilled(output, count, { onEvent });
    t.same(filesOf(join(output, 'shards')), expected, `${point}, ${nth}`);
    t.same(quarantined(output), quarantined(undisturbed), 'each failure once');
    t.equal(again.done, done, 'those of the first run are counted');
    // A shard that has its name and is not yet entered is written again; all others are kept.
    const kept = point === 'shard named' || point.startsWith('shard to be entered') || point.endsWith('in part');
    t.equal(lines.length > 0, before.length > (kept ? 1 : 0), `${point}: ${lines}`);
  }
}

/** The same of a sink of vectors, whose files may have others beside them. */
export async function vectorsKilledAt(
  t: Test,
  sink: KilledSink,
  points: readonly (readonly [string, number])[],
): Promise<void> {
  const count = 60;
  const folder = t.testdir({});
  const undisturbed = join(folder, 'undisturbed');
  const { done } = await runKilled(undisturbed, count, {}, sink);
  const expected = filesOf(join(undisturbed, sink));
  let rows = 0;
  for await (const { keys } of (await openVectors(undisturbed)).batches()) rows += keys.length;
  t.equal(rows, done);
  for (const [point, nth] of points) {
    const output = join(folder, `${point}-${nth}`.replaceAll(' ', '-'));
    const args = [...typescript, 'test/kit/runs/killed.mjs', point, String(nth), output, String(count), sink];
    const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
    t.equal(child.signal, 'SIGKILL', `${point}, ${nth}: ${child.stderr.slice(-500)}`);
    t.equal((await runKilled(output, count, {}, sink)).done, done, 'those of the first run are counted');
    t.same(filesOf(join(output, sink)), expected, `${point}, ${nth}`);
    t.same(quarantined(output), quarantined(undisturbed), 'each failure once');
  }
}
