import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { counted } from '../../counts.ts';
import { only } from '../../files/system.ts';
import { called } from '../../own-code.ts';
import { redactRow, reveal, type Secret } from '../../pipeline/file/redact.ts';
import type { ResolvedSource } from '../../pipeline/resolve/evaluate.ts';
import type { OpenSource } from '../../sources/source.ts';
import { cannotWrite, jsonOf, unlessGone, writeWhole } from '../../whole-file.ts';

const name = 'source.json';

/** Files of a source by their paths, each with its bytes and when it was last written. */
export type SourceFiles = Readonly<Record<string, string>>;

/** So many files are looked at, at equal distances in their order: all would take minutes on a far disk. */
const looked = 64;

/** What cannot be looked at is passed over: it says so itself where it is read. */
const unseen = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENAMETOOLONG'];

/** Some files of a source as they stand now. */
export async function filesOfSource(
  source: Pick<OpenSource, 'count' | 'file'>,
  { definition, options }: ResolvedSource,
  base: string,
): Promise<SourceFiles> {
  const folder = definition.folder?.(options);
  const read = definition.reads?.(options) ?? (folder === undefined ? [] : [folder]);
  const paths =
    source.file === undefined
      ? (
          await Promise.all(spread(read.length, (index) => read[index]).map((path) => filesAt(resolve(base, path))))
        ).flat()
      : spread(source.count, (index) => called('the source', 'file', () => source.file!(index)));
  return standing(spread(paths.length, (index) => paths[index]));
}

/** `source.json` in a run's folder: how some files of its source stood when it was begun. */
export class SourceRecord {
  readonly #folder: string;
  readonly #secrets: readonly Secret[];

  constructor(folder: string, secrets: readonly Secret[]) {
    this.#folder = folder;
    this.#secrets = secrets;
  }

  /**
   * Keeps how the files stand when a run begins. Of one that goes on: what is different since, in words. It goes on all the same: a copy has another time.
   *
   * @throws FILE_WRITE
   */
  async change(files: SourceFiles, { resumed }: { readonly resumed: boolean }): Promise<string | undefined> {
    const difference = resumed ? await this.#difference() : undefined;
    if (difference === undefined) {
      const path = join(this.#folder, name);
      // As a list: of a row the names are ours, and nothing is hidden in them.
      const text = `${JSON.stringify(redactRow(Object.entries(files), this.#secrets), null, 2)}\n`;
      await writeWhole(path, text).catch((cause: unknown) => {
        throw cannotWrite(path, cause, 'FILE_WRITE');
      });
      return undefined;
    }
    return difference;
  }

  /** The same of a run that is finished. */
  async changeSince(): Promise<string | undefined> {
    const difference = await this.#difference();
    return difference && `The source has changed since, ${difference}. --fresh runs it again.`;
  }

  /** Nothing where nothing is different, and where an earlier version has kept nothing. */
  async #difference(): Promise<string | undefined> {
    const text = await readFile(join(this.#folder, name), 'utf8').catch(unlessGone);
    const value = jsonOf(text ?? '');
    if (!Array.isArray(value) || !value.every(Array.isArray)) return undefined;
    const entries = value.map(([path, how]) => [reveal(String(path), this.#secrets), String(how)] as const);
    return differenceOf(Object.fromEntries(entries), await standing(entries.map(([path]) => path)));
  }
}

/** What is different, in words; nothing where nothing is. */
function differenceOf(before: SourceFiles, now: SourceFiles): string | undefined {
  const paths = Object.keys(before);
  const [first, ...more] = paths.filter((path) => now[path] !== before[path]);
  if (first === undefined) return undefined;
  const found = now[first] === undefined ? 'gone' : `${now[first]}, not ${before[first]}`;
  return `${more.length + 1} of ${counted(paths.length, 'file')} that were looked at: ${first} is ${found}`;
}

/** The files as they stand; those that are gone are left out. */
async function standing(paths: readonly string[]): Promise<SourceFiles> {
  const found = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(only(unseen, undefined))));
  return Object.fromEntries(
    paths.flatMap((path, i) => {
      const stats = found[i];
      if (stats === undefined || !stats.isFile()) return [];
      return [[path, `${counted(Number(stats.size), 'byte')} of ${stats.mtime.toISOString()}`]];
    }),
  );
}

/** A file, or those that lie in a folder. */
async function filesAt(path: string): Promise<string[]> {
  const names = await readdir(path).catch(only([...unseen], undefined));
  return names === undefined ? [path] : names.sort().map((name) => join(path, name));
}

function spread(count: number, at: (index: number) => string | undefined): string[] {
  if (!Number.isFinite(count)) return [];
  const most = Math.min(looked, count);
  const paths = Array.from({ length: most }, (_, i) => at(Math.floor((i * count) / most)));
  return paths.filter((path) => path !== undefined);
}
