import { imageOutcomes, isAbsent } from '../native.ts';
import { type NativePool, nativePool } from '../vision/native-pool.ts';
import { mostAtOnce, Trials } from './native-files.ts';
import type { Recycler } from './recycler.ts';

interface Wanted {
  readonly length: number;
  readonly memory: Recycler;
  readonly room: Uint8Array;
  resolve(bytes: Buffer | undefined): void;
}

/** Reads frames that lie in the system's memory and compares their checksums, as NativeFiles reads files. */
class NativeFrames {
  readonly #pool: NativePool;
  readonly #trials = new Trials();
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
  read(file: number, offset: number, length: number, memory: Recycler): Promise<Buffer | undefined> | undefined {
    if (length > mostAtOnce || !this.#trials.isDue()) return undefined;
    return new Promise((resolve) => {
      if (this.#gathered.length === 0) process.nextTick(this.#start);
      this.#gathered.push({ length, memory, room: memory.take(length), resolve });
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
    for (const [i, wanted] of frames.entries()) {
      ids[i] = this.#pool.open((outcome) => this.#ended(wanted, outcome));
      rooms.push(wanted.room);
    }
    try {
      this.#pool.addon.readFrames(ids, places, rooms);
    } catch {
      // No thread or no memory could be had: the other way tells so, if it does not go better there.
      for (const id of ids) this.#pool.close(id);
      for (const { resolve } of frames) resolve(undefined);
    }
  };

  #ended({ length, room, memory, resolve }: Wanted, outcome: number): void {
    if (outcome === imageOutcomes.read) {
      this.#trials.succeeded();
      resolve(Buffer.from(room.buffer, room.byteOffset, length));
      return;
    }
    this.#trials.failed();
    memory.giveBack(room);
    resolve(undefined);
  }
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
