import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { counted } from '../../counts.ts';
import { printable } from '../../errors.ts';
import { imageFolder } from '../../sources/index.ts';
import { jsonOf, unlessGone } from '../../whole-file.ts';
import type { Terminal } from '../command.ts';

/** What is read of the files of an earlier job. */
interface Earlier {
  readonly summary?: { readonly sum?: { readonly listed: number; readonly passedOver?: number } };
  readonly source?: { readonly 'image-folder'?: { readonly path?: unknown } };
}

/**
 * A job over a folder that is done is not done again: says how many pictures have come or gone since. Nothing of a job that was of another folder, which the run itself refuses.
 *
 * @param output the job's folder, absolute.
 */
export async function sayArrived(output: string, photos: string, { stderr }: Terminal): Promise<void> {
  const read = async (name: string) =>
    (jsonOf((await readFile(join(output, name), 'utf8').catch(unlessGone)) ?? '') ?? {}) as Earlier;
  const sum = (await read('finished.json')).summary?.sum;
  const path = (await read('pipeline.json')).source?.['image-folder']?.path;
  if (sum === undefined || typeof path !== 'string' || resolve(path) !== resolve(photos)) return;
  const before = sum.listed - (sum.passedOver ?? 0);
  const signal = new AbortController().signal;
  const { definition, options } = imageFolder({ path: resolve(photos) }).source;
  const { count } = await definition.open(definition.options.parse(options), { base: '', signal, progress: () => {} });
  if (count === before) return;
  stderr.write(
    `${printable(photos)} has ${counted(count, 'picture')} now, and had ${before.toLocaleString('en')} when ${printable(output)} was made: --fresh does all of them, --output another folder.\n`,
  );
}
