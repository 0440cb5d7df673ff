import { imageOutcomes, isAbsent } from '../native.ts';
import { type NativePool, nativePool } from '../vision/native-pool.ts';
import { mostAtOnce, Trials } from './native-files.ts';
import type { Recycler } from './recycler.ts';

/** A frame in an open file: bytes whose first four are the CRC-32 of the others. */
export interface FramePlace {
  /** The file's descriptor, which stays open until the frame is read. */
  readonly file: number;
  readonly offset: number;
  readonly length: number;
}

interface Wanted extends FramePlace {
  readonly memory: Recycler;
  readonly room: Uint8Array;
  resolve(bytes: Buffer | undefined): void;
}

/** Reads frames that lie in the system's memory and compares their checksums, as NativeFiles reads files. */
class NativeFrames {
  readonly #pool: NativePool;
  readonly #trials = new Trials();
  #gathered: Wanted[] = [];

  constructor(pool: NativePool) {
    this.#pool = pool;
  }

  /** A frame whose checksum fits, in memory that `memory` has lent; nothing where it must be read, or judged, another way. */
  read(place: FramePlace, memory: Recycler): Promise<Buffer | undefined> | undefined {
    if (place.length > mostAtOnce || !this.#trials.isDue()) return undefined;
    return new Promise((resolve) => {
      if (this.#gathered.length === 0) process.nextTick(() => this.#start());
      this.#gathered.push({ ...place, memory, room: memory.take(place.length).subarray(0, place.length), resolve });
    });
  }

  #start(): void {
    const frames = this.#gathered;
    this.#gathered = [];
    const ids = frames.map((wanted) => this.#pool.open((outcome) => this.#ended(wanted, outcome)));
    try {
      this.#pool.addon.readFrames(
        new Int32Array(ids),
        new Float64Array(frames.flatMap(({ file, offset }) => [file, offset])),
        frames.map(({ room }) => room),
      );
    } catch {
      // No thread or no memory could be had: the other way tells so, if it does not go better there.
      for (const id of ids) this.#pool.close(id);
      for (const { resolve } of frames) resolve(undefined);
    }
  }

  #ended({ room, memory, resolve }: Wanted, outcome: number): void {
    if (outcome === imageOutcomes.read) {
      this.#trials.succeeded();
      resolve(Buffer.from(room.buffer, room.byteOffset, room.length));
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
