import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { inTurns } from '../files/many-files.ts';
import { unless, writeWhole } from '../whole-file.ts';
import type { PartInfo } from './shard/parts.ts';

/** What all parts of a job have in common. */
export interface Origin {
  /** The digest of the recipe without the part; earlier versions have none. */
  readonly job?: string | undefined;
  /** How many samples the source has, and a digest of their keys. */
  readonly source: { readonly count: number; readonly keys: string };
}

/** How the name of a part's origin ends, which lies beside its files where they cannot say of which job they are. */
export const originEnding = '.job';

export async function writeOrigin(
  path: string,
  { recipe, source }: Pick<Origin, 'source'> & { readonly recipe: { readonly job: string } },
): Promise<void> {
  await writeWhole(path, `${JSON.stringify({ job: recipe.job, source } satisfies Origin)}\n`);
}

/** What another part has written of its job; nothing where that cannot be read, as while it is being written. */
export async function readOrigin(path: string): Promise<Origin | undefined> {
  const text = await readFile(path, 'utf8').catch(unless('ENOENT', 'EISDIR', 'EACCES', 'ENOTDIR'));
  if (text === undefined) return undefined;
  try {
    const { job, source } = JSON.parse(text) as Partial<Origin>;
    if (typeof source?.count === 'number' && typeof source.keys === 'string') return { job, source };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  return undefined;
}

/**
 * What is said beside files that parts of jobs have written, by the names of the files: one for each part. A part that says nothing, as where its files
 * alone were copied, is there, and of the job that the others are of; of a job of which no part says anything, nothing is known.
 *
 * @param ending of the files, as `.tar`.
 */
export async function partsOf(
  paths: readonly string[],
  ending: string,
): Promise<{ readonly name: string; readonly info: PartInfo }[]> {
  const parts = new Map<string, { readonly name: string; readonly part: readonly [number, number] }>();
  for (const path of paths) {
    const [, stem, name, i, n] = /^((.*)-(\d+)of(\d+))-\d{5,}$/s.exec(basename(path, ending)) ?? [];
    if (stem !== undefined) parts.set(join(dirname(path), stem), { name: name!, part: [Number(i), Number(n)] });
  }
  const told = await inTurns([...parts], 8, async ([path, { name, part }]) => {
    const origin = await readOrigin(`${path}${ending}${originEnding}`);
    return { path, job: join(dirname(path), `${name} of ${part[1]}`), name, part, origin };
  });
  return told.flatMap(({ path, job, name, part, origin }) => {
    const known = origin ?? told.find((other) => other.job === job && other.origin !== undefined)?.origin;
    const info = known && { name, part, recipe: { job: origin?.job }, source: known.source };
    return info === undefined ? [] : [{ name: path, info }];
  });
}
