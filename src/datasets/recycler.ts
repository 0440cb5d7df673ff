/** What is smaller gets as much, so that files of nearly one size share their memory. */
const least = 2 ** 16;

/** What is larger is given away for good: a run in which such files are rare would keep memory that it hardly uses. */
const most = 2 ** 24;

/**
 * Memory for the files of one run, used for one after the other: as garbage, memory of this size has the collector run every few hundred files.
 * Whoever takes memory gives it back once nothing reads it any more, or keeps it and says nothing.
 */
export class Recycler {
  /** Free memory by its size, a power of two. */
  readonly #free = new Map<number, ArrayBuffer[]>();
  /** Memory that is taken and may come back. */
  readonly #taken = new WeakSet<ArrayBufferLike>();

  /** Room for at least so many bytes. What is in it is left over from others. */
  take(bytes: number): Uint8Array {
    if (bytes > most) return Buffer.allocUnsafeSlow(bytes);
    const size = Math.max(least, 2 ** Math.ceil(Math.log2(bytes)));
    const memory = this.#free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size).buffer;
    this.#taken.add(memory);
    return new Uint8Array(memory);
  }

  /** Takes the memory under `bytes` back; nothing where it is somebody else's, or came back before. Nobody may read it from then on. */
  giveBack({ buffer }: Uint8Array): void {
    if (!this.#taken.delete(buffer)) return;
    const free = this.#free.get(buffer.byteLength);
    if (free === undefined) this.#free.set(buffer.byteLength, [buffer as ArrayBuffer]);
    else free.push(buffer as ArrayBuffer);
  }
}
