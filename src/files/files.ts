import { closeSync, constants, fstatSync, open, read } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { fail, PatchstreamError, reasonOf } from '../errors.ts';
import type { BufferPool } from './buffer-pool.ts';
import { nameText } from './name-text.ts';
import { mostAtOnce, nativeFiles } from './native/files.ts';
import { nativeReads } from './native/reads.ts';
import { kindOf, only, systemCode } from './system.ts';

/** Room for what a file holds that says it is empty, as those of /proc and of some file systems over a network do. */
const unknownBytes = 4096;

export interface ReadOptions {
  /** The most bytes that the file may have. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly memory?: BufferPool | undefined;
}

/**
 * Reads a whole file, into memory of its own or what `memory` lends. The size is what the file says, not what is believed: one that has become
 * shorter or longer is read to its end.
 *
 * @throws FILE_UNREADABLE, FILE_LARGE (before anything is read, or where the file turns out to be larger than it said); the signal's reason when
 * it is aborted.
 */
export function readWhole(path: string | Buffer, name: string, options: ReadOptions): Promise<Uint8Array> {
  if (typeof path !== 'string') return readAlone(path, name, options);
  const { memory } = options;
  const waiting = () => readWaiting(path, name, options);
  return (memory && nativeFiles()?.read(path, options, memory, waiting)) ?? waiting();
}

/** By threads that may wait for a disk. */
function readWaiting(path: string, name: string, options: ReadOptions): Promise<Uint8Array> {
  const alone = () => readAlone(path, name, options);
  return nativeReads()?.file(path, options, alone) ?? alone();
}

/** A pipe in the place of a file must not be waited for. */
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * Reads a file by Node: without native/image, and where something is wrong with it, which is told here in full. Only what may wait for a disk or a network goes to
 * its threads, as plain callbacks: a small file is two trips there and a third of what a file handle's promises cost (opening, asking the size, reading, closing).
 */
function readAlone(
  path: string | Buffer,
  name: string,
  { maxBytes, signal, memory }: ReadOptions,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown) => {
      if (signal?.aborted || systemCode(error) === undefined) reject(error);
      else openingReason(path, error).then((reason) => reject(unreadable(name, reason, error)), reject);
    };
    const opened = (error: Error | null, file: number) => {
      if (error !== null) return refuse(error);
      const end = (error: unknown, bytes?: Uint8Array) => {
        const failure = close(file);
        if (bytes === undefined || failure !== undefined) refuse(error ?? failure);
        else resolve(bytes);
      };
      try {
        const about = fstatSync(file);
        const { size } = about;
        if (!about.isFile()) throw unreadable(name, kindOf(about));
        if (size > maxBytes) throw fail('FILE_LARGE', { limit: maxBytes, size });
        fill(file, { size, maxBytes, signal, memory }, end);
      } catch (error) {
        end(error);
      }
    };
    if (signal?.aborted) reject(signal.reason);
    else open(path, flags, opened);
  });
}

export function unreadable(file: string, reason: string, cause?: unknown) {
  return fail('FILE_UNREADABLE', { file, reason }, { cause });
}

/** Answers that a file cannot be read with `value`; every other error is thrown on. */
export function unlessUnreadable<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof PatchstreamError && error.code === 'FILE_UNREADABLE') return value;
    throw error;
  };
}

/** Why a file cannot be opened: where there is nothing, a link may have led there. */
async function openingReason(path: string | Buffer, error: unknown): Promise<string> {
  if (systemCode(error) !== 'ENOENT') return reasonOf(error);
  const to = await readlink(path, { encoding: 'buffer' }).catch(only(['ENOENT', 'ENOTDIR', 'EINVAL'], undefined));
  return to === undefined ? reasonOf(error) : `a link that leads nowhere, to ${nameText(to)}`;
}

/** What file systems over a network say of a file when it is closed. */
const closing = ['EIO', 'EINTR', 'ENOSPC', 'EDQUOT', 'ESTALE', 'ETIMEDOUT', 'EREMOTEIO', 'ENOTCONN', 'EHOSTDOWN'];

/**
 * Closes a file that was read. Nothing was written, so that closing has nothing to wait for, and an error of the file system takes nothing from what was
 * read. Gives any other error: thrown from a callback of Node's it would end the process.
 */
function close(file: number): unknown {
  try {
    closeSync(file);
    return undefined;
  } catch (error) {
    return closing.includes(systemCode(error) ?? '') ? undefined : error;
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
