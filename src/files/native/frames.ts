import { imageOutcomes, isAbsent } from '../../native.ts';
import { type NativePool, nativePool, type PoolJob } from '../../native-pool.ts';
import type { BufferPool } from '../buffer-pool.ts';
import { isShort, mostAtOnce } from './files.ts';
import { readsAtOnce, trials } from './trials.ts';

/** A frame at the addon, or on its way there. */
class Wanted implements PoolJob {
  readonly length: number;
  readonly memory: BufferPool;
  readonly room: Uint8Array;
  readonly resolve: (bytes: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;

  constructor(
    length: number,
    memory: BufferPool,
    resolve: (bytes: Buffer | undefined) => void,
    reject: (error: unknown) => void,
  ) {
    this.length = length;
    this.memory = memory;
    this.room = memory.take(length);
    this.resolve = resolve;
    this.reject = reject;
  }

  ended(outcome: number): void {
    const { length, room, memory, resolve } = this;
    if (outcome === imageOutcomes.read) {
      readsAtOnce.count++;
      resolve(Buffer.from(room.buffer, room.byteOffset, length));
      return;
    }
    trials.frames.failed();
    memory.giveBack(room);
    resolve(undefined);
  }
}

/** Reads frames that lie in the system's memory and compares their checksums, as NativeFiles reads files. */
class NativeFrames {
  readonly #pool: NativePool;
  #gathered: Wanted[] = [];
  /** Of those gathered: the file's descriptor, the offset and the length of each. */
  #places: number[] = [];

  constructor(pool: NativePool) {
    this.#pool = pool;
  }

  /**
   * The frame at `offset` of an open file, which stays open until it is read: bytes whose first four are the CRC-32 of the others, as they were found to be,
   * in memory that `memory` has lent; nothing where it must be read, or judged, another way.
   */
  read(file: number, offset: number, length: number, memory: BufferPool): Promise<Buffer | undefined> | undefined {
    if (length > mostAtOnce || !trials.frames.isDue()) return undefined;
    return new Promise((resolve, reject) => {
      if (this.#gathered.length === 0) process.nextTick(this.#start);
      this.#gathered.push(new Wanted(length, memory, resolve, reject));
      this.#places.push(file, offset, length);
    });
  }

  readonly #start = () => {
    const frames = this.#gathered;
    const places = Float64Array.from(this.#places);
    this.#gathered = [];
    this.#places = [];
    const ids = new Int32Array(frames.length);
    const rooms: Uint8Array[] = [];
    for (let i = 0; i < frames.length; i++) {
      ids[i] = this.#pool.open(frames[i]!);
      rooms.push(frames[i]!.room);
    }
    try {
      this.#pool.addon.readFrames(ids, places, rooms);
    } catch (error) {
      for (const id of ids) this.#pool.close(id);
      for (const { resolve, reject } of frames) {
        if (isShort(error)) resolve(undefined);
        else reject(error);
      }
    }
  };
}

let frames: NativeFrames | undefined;

/** Reading frames by native/image, where it is there. */
export function nativeFrames(): NativeFrames | undefined {
  if (frames === undefined) {
    const pool = nativePool();
    if (!isAbsent(pool)) frames = new NativeFrames(pool);
  }
  return frames;
}
