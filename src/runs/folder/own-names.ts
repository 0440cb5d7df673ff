import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../../errors.ts';
import { filesOfJobs, filesOfRuns, filesOfTrainings, sheetFile } from '../../pipeline/file/own-files.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { jsonOf, temporaryEnding, unlessGone } from '../../whole-file.ts';

/** The names of all that a run writes into its own folder, beside the files of its sink, which has a record of its own (`OwnRecord`). */
export function namesOf({ train, sink, evaluate }: Pick<Resolved, 'train' | 'sink' | 'evaluate'>): readonly string[] {
  const pictures = (evaluate?.measures ?? []).flatMap(({ id, definition }) =>
    definition.picture ? [pictureFile(id)] : [],
  );
  if (train !== undefined) return [...new Set([...filesOfRuns, ...filesOfTrainings, ...pictures])];
  const { sheet } = (sink?.name === 'shards' ? sink.options : {}) as { readonly sheet?: unknown };
  return [...filesOfRuns, ...filesOfJobs, ...(sheet ? [sheetFile] : [])];
}

/** The name of the picture that a measure draws. */
export function pictureFile(id: string): string {
  return `${id.replace(/[^\w.-]+/g, '-')}.png`;
}

/**
 * Whether all that a run would replace is what runs have written: rows `start` of `events.jsonl`, to which is only ever added, say which names were
 * theirs. A file of that name which nothing says so of is somebody's, and stays. False where this run has still to say it.
 *
 * @throws OUTPUT_OTHER
 */
export async function checkOwned(folder: string, names: readonly string[]): Promise<boolean> {
  const ours = await namesOfRuns(join(folder, 'events.jsonl'));
  if (ours === 'all') return true;
  const rest = names.filter((name) => !ours.has(name));
  for (const name of rest.flatMap((one) => [one, `${one}${temporaryEnding}`])) {
    const found = await lstat(join(folder, name)).catch(unlessGone);
    // An empty file is nobody's work, and may be what a run was killed over before it had begun.
    if (found === undefined || (found.isFile() && found.size === 0)) continue;
    throw fail('OUTPUT_OTHER', { found: name }, { where: folder });
  }
  return rest.length === 0;
}

/** The names that runs have taken; `all` where an earlier version has run here, which did not say which. */
async function namesOfRuns(path: string): Promise<ReadonlySet<string> | 'all'> {
  const text = (await readFile(path, 'utf8').catch(unlessGone)) ?? '';
  const names = new Set<string>();
  // Also where a full disk has cut the very first row.
  if (text.startsWith('{"time":"')) names.add('events.jsonl');
  for (const line of text.split('\n')) {
    // Most lines are of something else, and long.
    if (!line.includes('"event":"start"')) continue;
    const { event, digest, files } = parsed(line);
    if (event !== 'start' || typeof digest !== 'string') continue;
    if (!Array.isArray(files)) return 'all';
    for (const file of files) names.add(String(file));
  }
  return names;
}

/** A line that a kill or a full disk has cut is none. */
function parsed(line: string): Readonly<Record<string, unknown>> {
  return (jsonOf(line) ?? {}) as Readonly<Record<string, unknown>>;
}
