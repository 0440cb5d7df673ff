import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fail, PatchstreamError, reasonOf } from './errors.ts';

export const temporaryEnding = '.tmp';

/** The code of an error of the operating system (`ENOENT`), if it is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && !(error instanceof PatchstreamError)
    ? (error as NodeJS.ErrnoException).code
    : undefined;
}

/** For `catch` of a promise: nothing where the error has one of `codes`; else it is thrown again. */
export function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(systemCode(error) ?? '')) throw error;
    return undefined;
  };
}

/** The value of a text of JSON; nothing where the text is none, as where a kill or a full disk has cut it. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** For `catch` of a promise: nothing where nothing is at the path. */
export const unlessGone = unless('ENOENT', 'ENOTDIR');

/** What a file is written with; a test gives one whose disk is full. */
export type FileLayer = Pick<typeof files, 'open' | 'rename' | 'link' | 'rm'>;

/** What is written: in one piece, or piece by piece. */
export type Content = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes a file that has its name only when it is whole and on the disk, in the place of an earlier one. After a failure nothing of it is left.
 *
 * @throws FILE_WRITE
 */
export async function writeWhole(
  path: string,
  content: Content,
  { layer = files }: { readonly layer?: FileLayer } = {},
): Promise<void> {
  const temporary = `${path}${temporaryEnding}`;
  try {
    await layer.rm(temporary, { force: true });
    await writeNew(temporary, content, layer);
    await layer.rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await discard(temporary, layer);
    throw cannotWrite(path, error, 'FILE_WRITE');
  }
}

/**
 * As `writeWhole`, to a name that nothing has: a file that is there is never replaced, also where it comes to be meanwhile.
 *
 * @param taken the error where there is one. @throws FILE_EXISTS, or `taken`; FILE_WRITE
 */
export async function writeOnce(
  path: string,
  content: Content,
  {
    layer = files,
    taken = fail('FILE_EXISTS', { path }),
  }: { readonly layer?: FileLayer; readonly taken?: PatchstreamError } = {},
): Promise<void> {
  const temporary = `${path}.${randomUUID()}${temporaryEnding}`;
  try {
    // Before the work of writing it.
    if ((await files.lstat(path).catch(unlessGone)) !== undefined) throw taken;
    await writeNew(temporary, content, layer);
    await named(temporary, path, { layer, taken });
    await syncFolder(dirname(path));
  } catch (error) {
    throw cannotWrite(path, error, 'FILE_WRITE');
  } finally {
    await discard(temporary, layer);
  }
}

async function named(
  temporary: string,
  path: string,
  { layer, taken }: { readonly layer: FileLayer; readonly taken: PatchstreamError },
): Promise<void> {
  try {
    await layer.link(temporary, path);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw taken;
    if (!noLinks.includes(systemCode(error) ?? '')) throw error;
    await layer.rename(temporary, path);
  }
}

/** What file systems answer that have no second names for a file. */
export const noLinks: readonly string[] = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EXDEV'];

/** Never what a link at that name leads to. */
async function writeNew(path: string, content: Content, layer: FileLayer): Promise<void> {
  const file = await layer.open(path, 'wx');
  try {
    const pieces = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
    for await (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes what is half written. Where that fails too, the error that came first is the one to be heard. */
export async function discard(path: string, layer: Pick<FileLayer, 'rm'> = files): Promise<void> {
  await Promise.allSettled([layer.rm(path, { force: true })]);
}

/** What ends the last line of a file of lines, where a kill or a full disk has cut it: else the next line would be part of it. */
export function endLine(path: string): '' | '\n' {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    return size === 0 || (readSync(file, last, 0, 1, size - 1) === 1 && last[0] === 0x0a) ? '' : '\n';
  } catch (error) {
    return unlessGone(error) ?? '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Brings a folder's entries to the disk. Windows cannot open folders, and has no need to. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await files.open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The error of a file that cannot be written. Errors of the catalogue stay as they are. */
export function cannotWrite(
  file: string,
  cause: unknown,
  code: 'SINK_WRITE' | 'FILE_WRITE' = 'SINK_WRITE',
): PatchstreamError {
  if (cause instanceof PatchstreamError) return cause;
  const found = systemCode(cause) ?? '';
  const full = ['ENOSPC', 'EDQUOT'].includes(found);
  const otherwise = found === 'ENOENT' ? 'Make the folder that it lies in' : 'Look whose folder it is';
  const doing = full ? 'Make room on the disk' : otherwise;
  const advice = `${doing}, or choose another \`output\`.`;
  return fail(code, { file, reason: full ? 'a full disk' : reasonOf(cause), advice }, { cause });
}

/** So often a folder is made that others take away. */
const mostTries = 16;

/**
 * Makes a folder and those that it lies in, also where a start that never began takes them away meanwhile (`removeEmpty`). Node's own way to make them all never ends where a file system has no
 * place for a folder and says that there is nothing of its name, as /proc does.
 *
 * @returns the first that was not there
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  let first: string | undefined;
  for (let tries = 1; ; tries++) {
    try {
      await files.mkdir(path);
      return first ?? path;
    } catch (error) {
      if (await isFolder(path)) return first;
      // Of a link that leads nowhere, and of one that is taken away again and again, that stays so.
      if (!['ENOENT', 'EEXIST'].includes(systemCode(error) ?? '') || tries === mostTries) throw error;
      if (systemCode(error) === 'ENOENT' && dirname(path) !== path) first ??= await makeFolder(dirname(path));
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await files.stat(path).catch(unlessGone))?.isDirectory() ?? false;
}

/** Removes a folder and those that it lies in, up to `last`, as far as nothing is in them. Who has found one there and is about to write makes it anew (`makeFolder`). */
export async function removeEmpty(folder: string, last: string): Promise<void> {
  const end = resolve(last).length;
  try {
    for (let at = resolve(folder); at.length >= end; at = dirname(at)) await files.rmdir(at);
  } catch (error) {
    unless('ENOTEMPTY', 'EEXIST', 'ENOENT')(error);
  }
}

/** The lock of a run's folder. */
export const lockName = 'run.lock';

/**
 * Whether a run's folder is still the one in which the run began. A folder that was moved takes open files along, and one that is made anew at
 * its path takes new ones: both halves would look like results.
 */
export class FolderGuard {
  readonly #folder: string;
  #identity: string | undefined;
  /** What the lock says; it is the run's own wherever file systems give a folder another number from time to time. */
  readonly #lock: string | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#identity = identityOf(folder);
    this.#lock = textOf(join(folder, lockName));
  }

  /** @throws OUTPUT_GONE */
  check(): void {
    const now = identityOf(this.#folder);
    if (now !== undefined && now === this.#identity) return;
    const known = now !== undefined && this.#lock !== undefined && textOf(join(this.#folder, lockName)) === this.#lock;
    if (!known) throw outputGone(this.#folder);
    this.#identity = now;
  }
}

export function outputGone(folder: string): PatchstreamError {
  return fail('OUTPUT_GONE', {}, { where: folder });
}

/** What a path leads to, whatever it is called: two paths with one identity are one folder or file. */
export function identityOf(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}`;
  } catch (error) {
    return unless('ENOTDIR', 'ESTALE', 'ELOOP', 'EACCES', 'ENAMETOOLONG')(error);
  }
}

/** The text of a small file; nothing where there is none, or it may not be read. */
export function textOf(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isFile() && found.size < 2 ** 16 ? readFileSync(path, 'utf8') : undefined;
  } catch (error) {
    return unless('ENOENT', 'ENOTDIR', 'ESTALE', 'ELOOP', 'EACCES')(error);
  }
}
