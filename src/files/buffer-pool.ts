/** What is smaller gets as much, so that files of nearly one size share their memory. */
const least = 2 ** 14;

/** What is larger is given away for good: a run in which such files are rare would keep memory that it hardly uses. */
const most = 2 ** 24;

/** Memory of a recycler, which knows whose it is: to look that up in a set would cost more than all the rest. */
class Lent extends ArrayBuffer {
  readonly home: BufferPool;
  isTaken = false;

  constructor(home: BufferPool, bytes: number) {
    super(bytes);
    this.home = home;
  }
}

/**
 * Memory for the files of one run, used for one after the other: as garbage, memory of this size has the collector run every few hundred files.
 * Whoever takes memory gives it back once nothing reads it any more, or keeps it and says nothing.
 */
export class BufferPool {
  /** Free memory by its size: powers of two, and quarters between them. */
  readonly #free = new Map<number, Lent[]>();

  /** Room for at least so many bytes. What is in it is left over from others. */
  take(bytes: number): Uint8Array {
    if (bytes > most) return Buffer.allocUnsafeSlow(bytes);
    const size = sizeFor(bytes);
    const memory = this.#free.get(size)?.pop() ?? new Lent(this, size);
    memory.isTaken = true;
    return new Uint8Array(memory);
  }

  /** Takes the memory under `bytes` back; nothing where it is somebody else's, or came back before. Nobody may read it from then on. */
  giveBack({ buffer }: Uint8Array): void {
    if (!(buffer instanceof Lent) || buffer.home !== this || !buffer.isTaken) return;
    buffer.isTaken = false;
    const free = this.#free.get(buffer.byteLength);
    if (free === undefined) this.#free.set(buffer.byteLength, [buffer]);
    else free.push(buffer);
  }
}

function sizeFor(bytes: number): number {
  if (bytes <= least) return least;
  const quarter = 2 ** (29 - Math.clz32(bytes - 1));
  return Math.ceil(bytes / quarter) * quarter;
}
