import { Damage, decodeFrame, encodeFrame, magic, prefixBytes } from './frame.ts';

/** Bytes of one row of the index: u64 offset of the record's frame, u32 bytes of it, u32 end of its key in the text behind the rows. */
const rowBytes = 16;

/** The most bytes of an index that is written: some eight million records. It is in memory, and more while it grows; what reads takes any. */
const mostWritten = 2 ** 28;

/** Where the records of a shard are, and what they are called. */
export interface ShardIndex {
  readonly count: number;
  /** One past the last position that the shard has, in the run that wrote it. */
  readonly to: number;
  place(record: number): { readonly offset: number; readonly bytes: number };
  key(record: number): string;
}

/** Memory that grows by half of itself. */
class Growing {
  #memory = Buffer.allocUnsafe(2 ** 12);
  length = 0;

  /** Room for so many more bytes, which count from now on. */
  more(bytes: number): Buffer {
    const from = this.length;
    this.length += bytes;
    if (this.length > this.#memory.length) {
      const memory = Buffer.allocUnsafe(Math.max(this.length, Math.ceil(this.#memory.length * 1.5)));
      this.#memory.copy(memory, 0, 0, from);
      this.#memory = memory;
    }
    return this.#memory.subarray(from, this.length);
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.length);
  }
}

/** Collects the index while a shard is written. */
export class IndexWriter {
  readonly #rows = new Growing();
  readonly #keys = new Growing();
  readonly #most: number;

  /** @param most bytes that rows and keys may have together. */
  constructor(most: number = mostWritten) {
    this.#most = most;
  }

  /** Whether there is room for a record of that key. */
  hasRoomFor(key: string): boolean {
    return this.#rows.length + this.#keys.length + rowBytes + Buffer.byteLength(key) <= this.#most;
  }

  add(key: string, offset: number, bytes: number): void {
    this.#keys.more(Buffer.byteLength(key)).write(key);
    const row = this.#rows.more(rowBytes);
    row.writeBigUInt64LE(BigInt(offset), 0);
    row.writeUInt32LE(bytes, 8);
    row.writeUInt32LE(this.#keys.length, 12);
  }

  /** The frame INDX. */
  encode(to: number): Uint8Array[] {
    return encodeFrame('INDX', { records: this.#rows.length / rowBytes, to }, [this.#rows.bytes, this.#keys.bytes]);
  }
}

/**
 * Reads the frame INDX, which is all of `bytes` and lies at `at`. Every record must lie behind the one before, and the last end where the index
 * begins, so that none can name bytes which are not there or not its own.
 *
 * @throws Damage
 */
export function decodeIndex(bytes: Buffer, at: number): ShardIndex {
  const { header, payload } = decodeFrame(bytes, 'INDX');
  const { records: count, to } = header as { records: number; to: number };
  if (!Number.isSafeInteger(count) || count < 0 || !Number.isSafeInteger(to)) throw new Damage('an index of no count');
  const rows = count * rowBytes;
  if (rows > payload.length) throw new Damage('an index shorter than its count');
  const table = Buffer.from(payload.buffer, payload.byteOffset, rows);
  const text = Buffer.from(payload.buffer, payload.byteOffset + rows, payload.length - rows);
  const place = (record: number) => ({
    offset: table.readUInt32LE(record * rowBytes) + table.readUInt32LE(record * rowBytes + 4) * 2 ** 32,
    bytes: table.readUInt32LE(record * rowBytes + 8),
  });
  const keyEnd = (record: number) => (record < 0 ? 0 : table.readUInt32LE(record * rowBytes + 12));
  let end: number | undefined;
  for (let i = 0; i < count; i++) {
    const { offset, bytes } = place(i);
    const follows = end === undefined ? offset > magic.length : offset === end;
    if (!follows || bytes < prefixBytes || keyEnd(i) < keyEnd(i - 1)) throw new Damage('an index out of order');
    end = offset + bytes;
  }
  if ((end !== undefined && end !== at) || keyEnd(count - 1) !== text.length) {
    throw new Damage('an index of other records');
  }
  return { count, to, place, key: (record) => text.toString('utf8', keyEnd(record - 1), keyEnd(record)) };
}
