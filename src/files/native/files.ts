import { imageOutcomes, isAbsent } from '../../native.ts';
import { type NativePool, nativePool, type PoolJob } from '../../native-pool.ts';
import type { BufferPool } from '../buffer-pool.ts';
import { systemCode } from '../system.ts';
import { readsAtOnce, trials } from './trials.ts';

/** Larger files are read in pieces, so that an abort is heard between them. */
export const mostAtOnce = 2 ** 22;

/** Rooms grow to what files have needed, up to this; for a larger file its size is asked first. */
const mostUsual = 2 ** 20;

/** No memory or no thread could be had for the addon's work: the other way says so, if it does not go better there. What else the addon throws is a mistake of ours. */
export function isShort(error: unknown): boolean {
  return ['OUT_OF_MEMORY', 'NO_THREAD'].includes(systemCode(error) ?? '');
}

interface Limits {
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** A file at the addon, or on its way there. */
class Wanted implements PoolJob {
  readonly path: string;
  readonly limits: Limits;
  readonly memory: BufferPool;
  /** Reads the file where it must be read another way. */
  readonly otherwise: () => Promise<Uint8Array>;
  readonly resolve: (bytes: Uint8Array | Promise<Uint8Array>) => void;
  readonly #home: NativeFiles;
  room: Uint8Array;

  constructor(
    home: NativeFiles,
    path: string,
    limits: Limits,
    memory: BufferPool,
    room: Uint8Array,
    otherwise: () => Promise<Uint8Array>,
    resolve: (bytes: Uint8Array | Promise<Uint8Array>) => void,
  ) {
    this.#home = home;
    this.path = path;
    this.limits = limits;
    this.memory = memory;
    this.room = room;
    this.otherwise = otherwise;
    this.resolve = resolve;
  }

  ended(outcome: number, size: number): void {
    this.#home.ended(this, outcome, size);
  }
}

/**
 * Reads files that lie in the system's memory, as those of every epoch but the first do where there is enough of it: by the threads that render, which are
 * awake, many with one call and one message. What would wait for a disk is left to threads that read (`reads.ts`).
 */
class NativeFiles {
  readonly #pool: NativePool;
  #gathered: Wanted[] = [];
  /** Room for a file whose size is not known yet. */
  #usual = 2 ** 16;

  constructor(pool: NativePool) {
    this.#pool = pool;
  }

  /**
   * The bytes of a file, in memory that `memory` has lent; nothing where it is not tried just now. `otherwise` reads the file where it must be read another
   * way.
   */
  read(
    path: string,
    limits: Limits,
    memory: BufferPool,
    otherwise: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> | undefined {
    if (!trials.files.isDue()) return undefined;
    return new Promise((resolve) => {
      this.#gather(new Wanted(this, path, limits, memory, memory.take(this.#usual), otherwise, resolve));
    });
  }

  #gather(wanted: Wanted): void {
    if (this.#gathered.length === 0) process.nextTick(this.#start);
    this.#gathered.push(wanted);
  }

  readonly #start = () => {
    const files = this.#gathered;
    this.#gathered = [];
    const ids = new Int32Array(files.length);
    const paths: string[] = [];
    const rooms: Uint8Array[] = [];
    for (let i = 0; i < files.length; i++) {
      const wanted = files[i]!;
      ids[i] = this.#pool.open(wanted);
      paths.push(wanted.path);
      rooms.push(wanted.room);
    }
    try {
      this.#pool.addon.readFiles(ids, paths, rooms);
    } catch (error) {
      for (const id of ids) this.#pool.close(id);
      for (const { otherwise, resolve } of files) resolve(isShort(error) ? otherwise() : Promise.reject(error));
    }
  };

  /** For its files only. */
  ended(wanted: Wanted, outcome: number, size: number): void {
    const { room, memory, otherwise, resolve } = wanted;
    const { maxBytes, signal } = wanted.limits;
    const isRead = outcome === imageOutcomes.read;
    if (isRead) readsAtOnce.count++;
    if (isRead && size <= maxBytes && !signal?.aborted) {
      resolve(new Uint8Array(room.buffer, 0, size));
      return;
    }
    memory.giveBack(room);
    const isTooLarge = size >= Math.min(maxBytes, mostAtOnce);
    if (!isRead && size > 0 && !isTooLarge) {
      if (size < mostUsual) this.#usual = Math.max(this.#usual, size + 1);
      wanted.room = memory.take(size + 1);
      this.#gather(wanted);
      return;
    }
    if (!isRead && !isTooLarge) trials.files.failed();
    resolve(otherwise());
  }
}

let files: NativeFiles | undefined;

/** Reading by native/image, where it is there. */
export function nativeFiles(): NativeFiles | undefined {
  if (files === undefined) {
    const pool = nativePool();
    if (!isAbsent(pool)) files = new NativeFiles(pool);
  }
  return files;
}
