import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { counted } from '../../counts.ts';
import { printable } from '../../errors.ts';
import { openWritten, sourceIn, writtenSource } from '../../runs/loader/written-source.ts';
import type { Source } from '../../sources/source.ts';
import { jsonOf, unlessGone } from '../../whole-file.ts';
import type { Terminal } from '../command.ts';

/** What is read of an earlier job's end. */
interface Finished {
  readonly summary?: { readonly sum?: { readonly listed: number; readonly passedOver?: number } };
}

/**
 * A job that is done is not done again: says how many pictures have come or gone since. Nothing of a job that was of another source, which the run itself refuses.
 *
 * @param output the job's folder, absolute. @param photos what the command line calls the source
 */
export async function sayArrived(
  output: string,
  source: Source,
  photos: string,
  { stderr }: Pick<Terminal, 'stderr'>,
): Promise<void> {
  const read = (name: string) => readFile(join(output, name), 'utf8').catch(unlessGone);
  const { sum } = ((jsonOf((await read('finished.json')) ?? '') ?? {}) as Finished).summary ?? {};
  const written = writtenSource(source);
  if (sum === undefined || !isDeepStrictEqual(sourceIn(await read('pipeline.json')), written)) return;
  const opened = (await openWritten(written))!;
  await opened.close?.();
  const before = sum.listed - (sum.passedOver ?? 0);
  if (opened.count === before) return;
  stderr.write(
    `${printable(photos)} has ${counted(opened.count, 'picture')} now, and had ${before.toLocaleString('en')} when ${printable(output)} was made: --fresh does all of them, --output another folder.\n`,
  );
}
