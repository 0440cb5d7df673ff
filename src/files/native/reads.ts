import { type ImageAddon, imageAddon, isAbsent } from '../../native.ts';
import type { BufferPool } from '../buffer-pool.ts';
import { isShort } from './files.ts';
import { readsAtOnce, trials } from './trials.ts';

/** Larger files are read by Node, in pieces and into memory of their own at once. */
const mostBytes = 2 ** 26;

/** What is read: a whole file, or a piece of one that is open. */
type Place =
  | { readonly path: string; readonly most: number }
  | { readonly file: number; readonly offset: number; readonly length: number };

interface Terms {
  readonly signal?: AbortSignal | undefined;
  readonly memory?: BufferPool | undefined;
}

/** A read at the addon, or on its way there. */
interface Wanted {
  readonly place: Place;
  readonly memory: BufferPool | undefined;
  readonly among: Set<Wanted> | undefined;
  /** Where the addon knows it. */
  id: number;
  isGone: boolean;
  /** Nothing: it must be read another way. */
  resolve(bytes: Buffer | undefined): void;
  reject(error: unknown): void;
}

/**
 * Reads by threads of native/image that do nothing else and may wait for a disk or a network: as many reads are under way as were begun, whatever Node's four
 * threads do, and those that render are not held up. A read that was aborted is not waited for: what it brings comes into memory of its own and is thrown away.
 */
class NativeReads {
  readonly #addon: ImageAddon;
  readonly #open: (Wanted | undefined)[] = [];
  readonly #free: number[] = [];
  #gathered: Wanted[] = [];
  /** The reads that each signal ends. One listener serves them all: a signal looks through its listeners one by one. */
  readonly #bySignal = new WeakMap<AbortSignal, Set<Wanted>>();

  constructor(addon: ImageAddon) {
    this.#addon = addon;
    addon.openReaders(this.#ended);
  }

  /** The bytes of a file. `otherwise` reads it where it must be read another way, as to say what is wrong with it. */
  file(
    path: string,
    { maxBytes, ...terms }: Terms & { readonly maxBytes: number },
    otherwise: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    return this.#read({ path, most: Math.min(maxBytes, mostBytes) }, terms).then((bytes) => bytes ?? otherwise());
  }

  /** Bytes [offset, offset + length) of a file that is open; nothing where they must be read another way. */
  piece(file: number, offset: number, length: number, terms: Terms): Promise<Buffer | undefined> {
    return length > mostBytes ? Promise.resolve(undefined) : this.#read({ file, offset, length }, terms);
  }

  #read(place: Place, { signal, memory }: Terms): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const among = signal && this.#among(signal);
      const wanted: Wanted = { place, memory, among, id: -1, isGone: false, resolve, reject };
      among?.add(wanted);
      if (this.#gathered.length === 0) process.nextTick(this.#start);
      this.#gathered.push(wanted);
    });
  }

  #among(signal: AbortSignal): Set<Wanted> {
    const found = this.#bySignal.get(signal);
    if (found !== undefined) return found;
    const among = new Set<Wanted>();
    this.#bySignal.set(signal, among);
    const abort = () => {
      for (const wanted of among) {
        wanted.isGone = true;
        if (wanted.id >= 0) this.#addon.cancelRead(wanted.id);
        wanted.reject(signal.reason);
      }
      among.clear();
    };
    signal.addEventListener('abort', abort, { once: true });
    return among;
  }

  readonly #start = () => {
    const reads = this.#gathered.filter(({ isGone }) => !isGone);
    this.#gathered = [];
    const ids = new Int32Array(reads.length);
    const places = new Float64Array(3 * reads.length);
    const paths: (string | undefined)[] = [];
    for (const [i, wanted] of reads.entries()) {
      const { place } = wanted;
      const isWhole = 'path' in place;
      places.set(isWhole ? [-1, 0, place.most] : [place.file, place.offset, place.length], 3 * i);
      paths.push(isWhole ? place.path : undefined);
      wanted.id = ids[i] = this.#free.pop() ?? this.#open.length;
      this.#open[wanted.id] = wanted;
    }
    try {
      this.#addon.read(ids, places, paths);
    } catch (error) {
      for (const wanted of reads) {
        this.#close(wanted);
        if (isShort(error)) wanted.resolve(undefined);
        else wanted.reject(error);
      }
    }
  };

  #close(wanted: Wanted): void {
    wanted.among?.delete(wanted);
    this.#open[wanted.id] = undefined;
    this.#free.push(wanted.id);
    wanted.id = -1;
  }

  readonly #listen = () => this.#addon.listenReaders();

  readonly #ended = (outcomes: Int32Array, count: number) => {
    setImmediate(this.#listen);
    for (let at = 0; at < count; at += 3) {
      const id = outcomes[at]!;
      const size = outcomes[at + 1]!;
      const wanted = this.#open[id]!;
      this.#close(wanted);
      const { files, frames } = trials;
      const atOnce = outcomes[at + 2] === 1;
      if (atOnce) readsAtOnce.count++;
      ('path' in wanted.place ? files : frames).heard(atOnce);
      if (wanted.isGone || size < 0) {
        this.#addon.takeRead(id);
        if (!wanted.isGone) wanted.resolve(undefined);
        continue;
      }
      try {
        const { memory } = wanted;
        const room = memory ? Buffer.from(memory.take(size).buffer, 0, size) : Buffer.allocUnsafeSlow(size);
        this.#addon.takeRead(id, room);
        wanted.resolve(room);
      } catch (error) {
        // No memory for the room: that is this read's failure alone.
        this.#addon.takeRead(id);
        wanted.reject(error);
      }
    }
  };
}

let reads: NativeReads | undefined;

/** Reading by threads of native/image, where it is there. */
export function nativeReads(): NativeReads | undefined {
  if (reads === undefined) {
    const addon = imageAddon();
    if (!isAbsent(addon)) reads = new NativeReads(addon);
  }
  return reads;
}
