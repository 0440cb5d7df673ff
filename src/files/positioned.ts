import { close, open, read } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fail, reasonOf } from '../errors.ts';
import type { BufferPool } from './buffer-pool.ts';
import { nativeFrames } from './native/frames.ts';
import { nativeReads } from './native/reads.ts';

/** Bytes that can be read at any place: of a file, or behind http. */
export interface Positioned {
  /** How they are called in messages. */
  readonly name: string;
  readonly size: number;
  /** Bytes [offset, offset + length), in memory of the caller's or what `memory` lends. @throws FILE_UNREADABLE, WEB_READ; the signal's reason */
  read(offset: number, length: number, signal?: AbortSignal, memory?: BufferPool): Promise<Buffer>;
}

/** A file of the disk, whose frames may be judged while they are read. */
export interface PooledFile extends Positioned {
  /** The frame at [offset, offset + length): bytes whose first four are the CRC-32 of the others, or should be. */
  frame(offset: number, length: number, signal?: AbortSignal, memory?: BufferPool): Promise<Frame>;
}

export interface Frame {
  readonly bytes: Buffer;
  /** Its checksum fits, as was found while it was read; else that is still to be looked at. */
  readonly isSound: boolean;
}

interface Place {
  readonly offset: number;
  readonly length: number;
  readonly memory: BufferPool | undefined;
}

/** A file that is open, or is being opened. */
interface Entry {
  /** By which the pool knows it. */
  readonly id: string;
  readonly opening: Promise<number>;
  /** Its descriptor, once it is open. */
  file?: number;
  users: number;
  /** When it was last wanted, by the pool's count. */
  used: number;
  /** Nobody is to want it any more: the last of its users closes it. */
  isLeft: boolean;
}

/** Files that are read at many places: each is opened when it is first wanted, and only so many are open at a time. */
export class FilePool {
  #most: number;
  readonly #entries = new Map<string, Entry>();
  #wanted = 0;

  constructor(most = 128) {
    this.#most = most;
  }

  /** A file of the pool. @throws FILE_UNREADABLE */
  async file(path: string | Buffer, name: string): Promise<PooledFile> {
    const { size, isFile } = await stat(path, { bigint: true }).then(
      (found) => ({ size: Number(found.size), isFile: found.isFile() }),
      (cause: unknown) => refuse(name, reasonOf(cause), cause),
    );
    if (!isFile) refuse(name, 'something that is no file');
    let latest: Entry | undefined;
    const take = () => {
      if (latest === undefined || latest.isLeft) latest = this.#take(path);
      latest.used = ++this.#wanted;
      latest.users++;
      return latest;
    };
    const read = async (place: Place, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      const entry = take();
      try {
        return await readAt(await entry.opening, place, signal);
      } catch (cause) {
        if (signal?.aborted) throw signal.reason;
        return refuse(name, reasonOf(cause), cause);
      } finally {
        this.#let(entry);
      }
    };
    const readFrame = async (place: Place, signal?: AbortSignal): Promise<Frame> => ({
      bytes: await read(place, signal),
      isSound: false,
    });
    return {
      name,
      size,
      read: (offset, length, signal, memory) => read({ offset, length, memory }, signal),
      frame: (offset, length, signal, memory) => {
        const otherwise = () => readFrame({ offset, length, memory }, signal);
        if (memory === undefined || latest?.file === undefined || latest.isLeft || signal?.aborted) return otherwise();
        const sound = nativeFrames()?.read(latest.file, offset, length, memory);
        if (sound === undefined) return otherwise();
        const entry = take();
        return sound.then(
          (bytes) => {
            this.#let(entry);
            return bytes === undefined ? otherwise() : { bytes, isSound: true };
          },
          (error: unknown) => {
            this.#let(entry);
            throw error;
          },
        );
      },
    };
  }

  #take(path: string | Buffer): Entry {
    const id = typeof path === 'string' ? path : path.toString('hex');
    const found = this.#entries.get(id);
    if (found !== undefined) return found;
    const entry: Entry = { id, opening: openFile(path), users: 0, used: 0, isLeft: false };
    this.#entries.set(id, entry);
    entry.opening.then(
      (file) => {
        entry.file = file;
      },
      // Whoever waits for it hears of it; the next one who wants it tries again.
      () => this.#leave(entry),
    );
    return entry;
  }

  /** One user less. */
  #let(entry: Entry): void {
    entry.users--;
    if (entry.isLeft && entry.users === 0) release(entry.opening);
    while (this.#entries.size > this.#most) {
      const unused = [...this.#entries.values()].filter(({ users }) => users === 0);
      if (unused.length === 0) return;
      this.#leave(unused.reduce((oldest, entry) => (entry.used < oldest.used ? entry : oldest)));
    }
  }

  #leave(entry: Entry): void {
    if (entry.isLeft) return;
    entry.isLeft = true;
    this.#entries.delete(entry.id);
    if (entry.users === 0) release(entry.opening);
  }

  /** Closes what is open, and what is being read when that has ended. Nothing stays open from then on. */
  close(): void {
    this.#most = 0;
    for (const entry of [...this.#entries.values()]) this.#leave(entry);
  }
}

function openFile(path: string | Buffer): Promise<number> {
  return new Promise((resolve, reject) => open(path, 'r', (error, file) => (error ? reject(error) : resolve(file))));
}

/** Nothing was written, so that an error of closing takes nothing from what was read. */
function release(file: Promise<number>): void {
  file.then(
    (opened) => close(opened, () => {}),
    // What was not opened is not closed; why, whoever wanted to read it has heard.
    () => {},
  );
}

/**
 * By threads that read, and by Node where these are not there, or where something is wrong. A read that is aborted may still be under way when its file is
 * closed: then it brings what nobody looks at.
 */
function readAt(file: number, place: Place, signal: AbortSignal | undefined): Promise<Buffer> {
  const { offset, length, memory } = place;
  const alone = () => readAlone(file, place);
  return (
    nativeReads()
      ?.piece(file, offset, length, { signal, memory })
      .then((bytes) => bytes ?? alone()) ?? alone()
  );
}

/** Plain callbacks: a file handle's promises cost three times as much. */
function readAlone(file: number, { offset, length, memory }: Place): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const bytes = memory ? Buffer.from(memory.take(length).buffer, 0, length) : Buffer.allocUnsafeSlow(length);
    let got = 0;
    const next = () =>
      read(file, bytes, got, length - got, offset + got, (error, count) => {
        if (error !== null) return reject(error);
        got += count;
        if (got === length) return resolve(bytes);
        if (count === 0) return reject(new Error(`it ends at byte ${offset + got}, where more was announced`));
        next();
      });
    if (length === 0) resolve(bytes);
    else next();
  });
}

function refuse(file: string, reason: string, cause?: unknown): never {
  throw fail('FILE_UNREADABLE', { file, reason }, { cause });
}

/** Passes over bytes from front to end in windows, so that many small reads near each other are one. */
export class Window {
  readonly #of: Positioned;
  readonly #bytes: number;
  #from = 0;
  #held: Buffer = Buffer.alloc(0);

  constructor(of: Positioned, bytes: number) {
    this.#of = of;
    this.#bytes = bytes;
  }

  /** Bytes [offset, offset + length), as a view that holds until the next call; fewer where they end. */
  async at(offset: number, length: number, signal?: AbortSignal): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.#of.size - offset));
    if (offset < this.#from || offset + wanted > this.#from + this.#held.length) {
      const more = Math.min(Math.max(wanted, this.#bytes), this.#of.size - offset);
      this.#held = wanted === 0 ? Buffer.alloc(0) : await this.#of.read(offset, more, signal);
      this.#from = offset;
    }
    return this.#held.subarray(offset - this.#from, offset - this.#from + wanted);
  }
}
