import { existsSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fail } from '../../errors.ts';
import { cannotWrite, makeFolder, unlessGone, writeOnce } from '../../whole-file.ts';
import type { Command, CommandOption, Given } from '../command.ts';

/** The files that a figure may be written as, by their endings, and how each is made. */
export type Forms = Readonly<Record<string, () => string | Uint8Array | Promise<string | Uint8Array>>>;

/** The option `--output` of verbs that draw. */
export function outputOption(endings: readonly string[]): CommandOption {
  return {
    type: 'string',
    multiple: true,
    value: 'file',
    about: `The figure to write, by its ending ${endings.join(', ')}; may be repeated. Default: a new ${endings[0]} in the folder \`figures\`.`,
  };
}

/**
 * The files that a verb is to write: those of `--output`, or one with a name that nothing has. Called before the work.
 *
 * @param endings that can be written, the default first. @param of what the figure is of, for the default name.
 * @throws FIGURE_FILE for another ending, FILE_EXISTS
 */
export async function figureFiles(
  { name }: Command,
  given: Given,
  { endings, of }: { readonly endings: readonly string[]; readonly of: string },
): Promise<readonly string[]> {
  const named = given.list('output');
  if (named.length === 0) return [freeName(`${name}-${basename(resolve(of)).replace(/\.\w+$/, '')}`, endings[0]!)];
  for (const path of named) {
    if (!endings.includes(extname(path)))
      throw fail('FIGURE_FILE', { endings: `${endings.slice(0, -1).join(', ')} or ${endings.at(-1)}`, found: path });
    if ((await lstat(path).catch(unlessGone)) !== undefined) throw fail('FILE_EXISTS', { path });
  }
  return named;
}

function freeName(stem: string, ending: string): string {
  for (let n = 1; ; n++) {
    const path = join('figures', `${stem}${n === 1 ? '' : `-${n}`}${ending}`);
    if (!existsSync(path)) return path;
  }
}

/** Writes each file in the form of its ending. No figure is written over another. @throws FILE_EXISTS, FILE_WRITE */
export async function writeFigures(paths: readonly string[], forms: Forms): Promise<void> {
  for (const path of paths) await writeFigure(path, await forms[extname(path)]!());
}

/** Writes one figure, with the folders that it lies in. @throws FILE_EXISTS, FILE_WRITE */
export async function writeFigure(path: string, content: string | Uint8Array): Promise<void> {
  await makeFolder(dirname(path)).catch((cause: unknown) => {
    throw cannotWrite(path, cause, 'FILE_WRITE');
  });
  await writeOnce(path, content);
}
