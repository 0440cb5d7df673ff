import { relative } from 'node:path';
import { fail, type PatchstreamError } from '../../errors.ts';
import type { Job } from '../sink.ts';

/** What to choose anew where a folder of a sink is another's: its `path`, unless it lies in the folder of the run. @param output the run's. */
export function choice(folder: string, output: string): string {
  const isWithin = !relative(output, folder).startsWith('..');
  return isWithin ? 'Choose another `output`' : 'Choose another `path`';
}

/** A file that a record names, and whose run was another job. */
export function ofEarlier(name: string, { difference }: Job): string {
  const why = difference === undefined ? '' : `: ${difference}`;
  return `${name}, which an earlier run with another pipeline has written${why}`;
}

/** The error of a folder that holds what is not of this job. @param output the run's folder. @param mayGo whether --fresh would remove it. */
export function isOther(
  { folder, output }: { readonly folder: string; readonly output: string },
  found: string,
  mayGo: boolean,
): PatchstreamError {
  const choose = choice(folder, output);
  const advice = mayGo
    ? `${choose}, or start over, every part of it, with --fresh, which removes what the earlier job has written there.`
    : `${choose}, or move it away: --fresh does not delete it either.`;
  return fail('SHARDS_OTHER', { found, advice }, { where: folder });
}
