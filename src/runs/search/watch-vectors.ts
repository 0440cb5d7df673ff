import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PatchstreamError } from '../../errors.ts';
import { openVectors } from '../../formats/vectors/open.ts';
import type { VectorSet } from '../../formats/vectors/vector-set.ts';
import { unlessGone } from '../../whole-file.ts';

export interface Watching {
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly everyMs?: number;
}

/**
 * Vectors that become more: the set as it is, and again whenever its files have changed, until the signal. Before there are any, nothing comes.
 *
 * @throws what `openVectors` throws but VECTORS_NONE.
 */
export async function* watchedVectors(
  path: string,
  { signal, everyMs = 1000 }: Watching,
): AsyncGenerator<VectorSet, void> {
  let seen = '';
  while (!signal.aborted) {
    const files = await filesOf(path);
    if (files !== seen) {
      const set = await openVectors(path).catch((error: unknown) => {
        if (!(error instanceof PatchstreamError && error.code === 'VECTORS_NONE')) throw error;
      });
      if (set !== undefined) yield set;
      seen = files;
      continue;
    }
    // Only the signal ends a pause early.
    await pause(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Names, sizes and times of the files in a folder and in those that sinks write to. */
async function filesOf(path: string): Promise<string> {
  const found = await stat(path).catch(unlessGone);
  if (found === undefined) return '';
  if (!found.isDirectory()) return `${found.size} ${found.mtimeMs}`;
  const lines: string[] = [];
  for (const folder of ['', 'parquet', 'npy', 'shards', 'jsonl']) {
    for (const name of (await readdir(join(path, folder)).catch(unlessGone)) ?? []) {
      if (!/\.(parquet|npy|shard|jsonl)$/.test(name)) continue;
      const file = await stat(join(path, folder, name)).catch(unlessGone);
      if (file?.isFile()) lines.push(`${folder}/${name} ${file.size} ${file.mtimeMs}`);
    }
  }
  return lines.sort().join('\n');
}
