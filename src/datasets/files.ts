import { closeSync, fstatSync, open, read } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fail, messageOf, nearest } from '../errors.ts';
import { systemCode } from '../whole-file.ts';
import { mostAtOnce, nativeFiles } from './native-files.ts';
import type { Recycler } from './recycler.ts';

export { systemCode };

/** Room for what a file holds that says it is empty, as those of /proc and of some file systems over a network do. */
const unknownBytes = 4096;

export interface ReadOptions {
  /** The most bytes that the file may have. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly memory?: Recycler | undefined;
}

/**
 * Reads a whole file, into memory of its own or what `memory` lends. The size is what the file says, not what is believed: one that has become
 * shorter or longer is read to its end.
 *
 * @throws FILE_UNREADABLE, FILE_LARGE (before anything is read, or where the file turns out to be larger than it said); the signal's reason when
 * it is aborted.
 */
export function readWhole(path: string, name: string, options: ReadOptions): Promise<Uint8Array> {
  const alone = () => readAlone(path, name, options);
  const { memory } = options;
  const native = memory && nativeFiles()?.read(path, options, memory, alone);
  return native ?? alone();
}

/**
 * Reads a file by Node. Only what may wait for a disk or a network goes to its threads, as plain callbacks: a small file is two trips there and a
 * third of what a file handle's promises cost (opening, asking the size, reading, closing).
 */
function readAlone(path: string, name: string, { maxBytes, signal, memory }: ReadOptions): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown) => {
      const own = signal?.aborted || systemCode(error) === undefined;
      reject(own ? error : fail('FILE_UNREADABLE', { file: name, reason: messageOf(error) }, { cause: error }));
    };
    const opened = (error: Error | null, file: number) => {
      if (error !== null) return refuse(error);
      const end = (error: unknown, bytes?: Uint8Array) => {
        close(file);
        if (bytes === undefined) refuse(error);
        else resolve(bytes);
      };
      try {
        const { size } = fstatSync(file);
        if (size > maxBytes) throw fail('FILE_LARGE', { limit: maxBytes, size });
        fill(file, { size, maxBytes, signal, memory }, end);
      } catch (error) {
        end(error);
      }
    };
    if (signal?.aborted) reject(signal.reason);
    else open(path, 'r', opened);
  });
}

/**
 * Closes a file that was read. Nothing was written, so that closing has nothing to wait for, and an error of it (some file systems over a network
 * have them) takes nothing from what was read.
 */
function close(file: number): void {
  try {
    closeSync(file);
  } catch {
    // As the docstring says; thrown from a callback of Node's it would end the process.
  }
}

/**
 * Reads a file until it ends. There is room for a byte more than it says it has: a read that could have filled it and did not has seen the end,
 * and a file of the size it says takes no read more.
 */
function fill(
  file: number,
  { size, maxBytes, signal, memory }: ReadOptions & { readonly size: number },
  end: (error: unknown, bytes?: Uint8Array) => void,
): void {
  const needed = size === 0 ? unknownBytes : size + 1;
  let bytes = memory?.take(needed) ?? Buffer.allocUnsafeSlow(needed);
  let at = 0;
  const next = () => {
    const room = bytes.length - at;
    read(file, bytes, at, room > mostAtOnce + 1 ? mostAtOnce : room, at, piece);
  };
  const piece = (error: Error | null, count: number) => {
    if (error !== null) return end(error);
    if (signal?.aborted) return end(signal.reason);
    at += count;
    if (at > maxBytes) return end(fail('FILE_LARGE', { limit: maxBytes, size: at }));
    if (count === 0 || at === size) return end(undefined, bytes.subarray(0, at));
    if (at === bytes.length) {
      try {
        const larger = Buffer.allocUnsafeSlow(2 * at);
        larger.set(bytes);
        bytes = larger;
      } catch (error) {
        return end(error);
      }
    }
    next();
  };
  next();
}

export interface Listing {
  /** Paths relative to the folder, with forward slashes, in the order of their UTF-16 code units. */
  readonly files: readonly string[];
  /** How many other files were passed over. */
  readonly others: number;
}

/**
 * Lists the files of a folder and of all folders in it whose name, and path in the folder, `wanted` accepts. Hidden names (`.x`) are passed over; links are
 * followed, each real folder is entered once, so that a link to a folder above does not go round for ever; a link to nothing is
 * passed over.
 * @throws FOLDER_MISSING, FOLDER_FILE, FOLDER_UNREADABLE
 */
export async function listFiles(
  root: string,
  wanted: (name: string, path: string) => boolean,
  { signal, progress }: { signal?: AbortSignal; progress?: (text: string) => void } = {},
): Promise<Listing> {
  const top = await stat(root).catch((error: unknown) => missing(root, error));
  if (!top.isDirectory()) throw fail('FOLDER_FILE', { path: root });
  const files: string[] = [];
  const entered = new Set([`${top.dev}:${top.ino}`]);
  const folders = [''];
  let others = 0;
  let told = Date.now() + 2000;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal?.throwIfAborted();
    if (Date.now() > told) {
      progress?.(`listing ${root}: ${files.length} files so far`);
      told = Date.now() + 5000;
    }
    const inside: string[] = [];
    for (const entry of await entriesOf(join(root, folder))) {
      if (entry.name.startsWith('.')) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      // Links and folders are looked at once more, for what they lead to and for who they are.
      const real = entry.isFile() ? entry : await stat(join(root, path)).catch(() => undefined);
      if (real?.isFile()) {
        if (wanted(entry.name, path)) files.push(path);
        else others++;
      } else if (real?.isDirectory() && 'ino' in real && !entered.has(`${real.dev}:${real.ino}`)) {
        entered.add(`${real.dev}:${real.ino}`);
        inside.push(path);
      }
    }
    folders.push(...inside.reverse());
  }
  return { files: files.sort(byCodeUnit), others };
}

async function entriesOf(path: string) {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    // In order, so that of two links to one folder it is always the same that counts.
    return entries.sort((a, b) => byCodeUnit(a.name, b.name));
  } catch (error) {
    throw fail('FOLDER_UNREADABLE', { path, reason: messageOf(error) }, { cause: error });
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function missing(path: string, cause: unknown): Promise<never> {
  if (systemCode(cause) !== 'ENOENT' && systemCode(cause) !== 'ENOTDIR') {
    throw fail('FOLDER_UNREADABLE', { path, reason: messageOf(cause) }, { cause });
  }
  const beside = await readdir(dirname(path)).catch(() => []);
  const meant = nearest(basename(path), beside);
  const advice =
    meant === undefined
      ? 'Look at `path`: relative paths start at the pipeline file.'
      : `Did you mean ${join(dirname(path), meant)}?`;
  throw fail('FOLDER_MISSING', { path, advice }, { cause });
}
