import { close, open, read } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fail, messageOf } from '../errors.ts';
import { nativeFrames } from './native-frames.ts';
import type { Recycler } from './recycler.ts';

/** Bytes that can be read at any place: of a file, or behind http. */
export interface Positioned {
  /** How they are called in messages. */
  readonly name: string;
  readonly size: number;
  /** Bytes [offset, offset + length), in memory of the caller's or what `memory` lends. @throws FILE_UNREADABLE, WEB_READ; the signal's reason */
  read(offset: number, length: number, signal?: AbortSignal, memory?: Recycler): Promise<Buffer>;
}

/** A file of the disk, whose frames may be judged while they are read. */
export interface PooledFile extends Positioned {
  /**
   * The frame at [offset, offset + length): bytes whose first four are the CRC-32 of the others. `isSound`: they are, as was found while it was read; else
   * that is still to be looked at.
   */
  frame(
    offset: number,
    length: number,
    signal?: AbortSignal,
    memory?: Recycler,
  ): Promise<{ readonly bytes: Buffer; readonly isSound: boolean }>;
}

interface Place {
  readonly offset: number;
  readonly length: number;
  readonly memory: Recycler | undefined;
}

interface Entry {
  readonly file: Promise<number>;
  users: number;
}

/** Files that are read at many places: each is opened when it is first wanted, and only so many are open at a time. */
export class FilePool {
  readonly #most: number;
  /** In the order in which they were last wanted. */
  readonly #entries = new Map<string, Entry>();

  constructor(most = 128) {
    this.#most = most;
  }

  /** A file of the pool. @throws FILE_UNREADABLE */
  async file(path: string, name: string): Promise<PooledFile> {
    const { size, isFile } = await stat(path).then(
      (found) => ({ size: found.size, isFile: found.isFile() }),
      (cause: unknown) => refuse(name, messageOf(cause), cause),
    );
    if (!isFile) refuse(name, 'something that is no file');
    return {
      name,
      size,
      read: (offset, length, signal, memory) => this.#use(path, name, signal, readAt, { offset, length, memory }),
      frame: (offset, length, signal, memory) => this.#use(path, name, signal, frameAt, { offset, length, memory }),
    };
  }

  /** Does `read` with the file while it stays open. */
  async #use<R>(
    path: string,
    name: string,
    signal: AbortSignal | undefined,
    read: (file: number, place: Place) => Promise<R>,
    place: Place,
  ): Promise<R> {
    signal?.throwIfAborted();
    const entry = this.#take(path);
    try {
      return await read(await entry.file, place);
    } catch (cause) {
      return refuse(name, messageOf(cause), cause);
    } finally {
      entry.users--;
      this.#trim();
    }
  }

  #take(path: string): Entry {
    let entry = this.#entries.get(path);
    if (entry === undefined) {
      entry = { file: openFile(path), users: 0 };
      // Whoever waits for it hears of it; the next one who wants it tries again.
      entry.file.catch(() => this.#entries.delete(path));
    } else {
      this.#entries.delete(path);
    }
    this.#entries.set(path, entry);
    entry.users++;
    return entry;
  }

  #trim(): void {
    if (this.#entries.size <= this.#most) return;
    for (const [path, { file, users }] of this.#entries) {
      if (users > 0) continue;
      this.#entries.delete(path);
      release(file);
      if (this.#entries.size <= this.#most) return;
    }
  }

  /** Closes what is open; reads under way must have ended. */
  close(): void {
    for (const { file } of this.#entries.values()) release(file);
    this.#entries.clear();
  }
}

function openFile(path: string): Promise<number> {
  return new Promise((resolve, reject) => open(path, 'r', (error, file) => (error ? reject(error) : resolve(file))));
}

/** Nothing was written, so that an error of closing takes nothing from what was read. */
function release(file: Promise<number>): void {
  file.then(
    (opened) => close(opened, () => {}),
    () => {},
  );
}

async function frameAt(file: number, place: Place) {
  const { memory } = place;
  const sound = memory && (await nativeFrames()?.read({ file, ...place }, memory));
  return sound ? { bytes: sound, isSound: true } : { bytes: await readAt(file, place), isSound: false };
}

/** Plain callbacks: a file handle's promises cost three times as much. */
function readAt(file: number, { offset, length, memory }: Place): Promise<Buffer> {
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
