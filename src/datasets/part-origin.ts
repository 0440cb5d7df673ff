import { readFile, writeFile } from 'node:fs/promises';
import type { Job } from './sink.ts';

/** What all parts of a job have in common. */
export interface Origin {
  /** The digest of the recipe without the part; earlier versions have none. */
  readonly job?: string | undefined;
  readonly source: Job['source'];
}

/** How the name of a part's origin ends, which lies beside its files where they cannot say of which job they are. */
export const originEnding = '.job';

export async function writeOrigin(path: string, { recipe, source }: Job): Promise<void> {
  await writeFile(path, `${JSON.stringify({ job: recipe.job, source } satisfies Origin)}\n`);
}

/** What another part has written of its job; nothing where that cannot be read, as while it is being written. */
export async function readOrigin(path: string): Promise<Origin | undefined> {
  try {
    const { job, source } = JSON.parse(await readFile(path, 'utf8')) as Origin;
    return typeof source.count === 'number' && typeof source.keys === 'string' ? { job, source } : undefined;
  } catch {
    return undefined;
  }
}
