import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { unless, unlessGone } from '../../whole-file.ts';

export const namePattern = /^step-(\d{8,})$/;
/** The name under which one is written. */
const temporaryPattern = /^\.step-\d{8,}-/;
/** All that a checkpoint is made of. */
const files: readonly string[] = ['model.safetensors', 'ema.safetensors', 'optimizer.safetensors', 'state.json'];

/** `step-00000900` for 900 finished steps. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

/** Names of the checkpoints in a folder, oldest first; a folder that is not there has none. */
export async function checkpointNames(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(unlessGone)) ?? [];
  return names
    .filter((name) => namePattern.test(name))
    .sort((a, b) => Number(namePattern.exec(a)![1]) - Number(namePattern.exec(b)![1]));
}

/**
 * Deletes all checkpoints but the last `keep` up to `newest`, and those that are `held`. Later ones were found broken on resume, or this run would
 * have gone on from them: they must not push out the whole ones.
 */
export async function pruneCheckpoints(
  folder: string,
  { keep, newest, held = new Set() }: { keep: number; newest?: string; held?: ReadonlySet<string> },
): Promise<void> {
  const all = await checkpointNames(folder);
  const here = newest === undefined ? all.length - 1 : all.indexOf(newest);
  const kept = new Set(all.slice(Math.max(0, here + 1 - Math.max(1, keep)), here + 1));
  for (const name of all) if (!kept.has(name) && !held.has(name)) await removeCheckpoint(join(folder, name));
}

/** Deletes all checkpoints of a folder. */
export async function removeCheckpoints(folder: string): Promise<void> {
  for (const name of await checkpointNames(folder)) await removeCheckpoint(join(folder, name));
}

/** Deletes what a killed run left half-written. */
export async function clearLeftovers(folder: string): Promise<void> {
  for (const name of (await readdir(folder).catch(unlessGone)) ?? []) {
    if (temporaryPattern.test(name)) await removeCheckpoint(join(folder, name));
  }
}

/**
 * Deletes a checkpoint: the files that it is made of, and its folder. One in which there is anything else, or that is no folder, is not ours to
 * delete, and stays whole. False where it stays.
 */
export async function removeCheckpoint(path: string): Promise<boolean> {
  const found = await lstat(path).catch(unlessGone);
  if (found === undefined) return true;
  if (!found.isDirectory()) return false;
  const entries = await readdir(path, { withFileTypes: true });
  if (entries.some((entry) => !entry.isFile() || !files.includes(entry.name))) return false;
  // The weights last: without `state.json` it is no checkpoint any more, however far this comes.
  for (const { name } of entries.sort((a, b) => files.indexOf(b.name) - files.indexOf(a.name))) {
    await unlink(join(path, name)).catch(unlessGone);
  }
  // What was laid into it meanwhile stays.
  await rmdir(path).catch(unless('ENOENT', 'ENOTEMPTY', 'EEXIST'));
  return true;
}
