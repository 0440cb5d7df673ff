import { counted, numberText } from '../counts.ts';
import { type Positioned, Window } from '../files/positioned.ts';

/**
 * A message in protocol buffers' wire format, written field by field. Sources: protobuf.dev/programming-guides/encoding. What is written here needs few kinds
 * of fields of two dozen messages: a library would bring a compiler of schemas for them.
 */
export class ProtoMessage {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Bytes of all fields. */
  get length(): number {
    return this.#length;
  }

  /** A field of type int32, int64, bool or enum: `value` is a safe integer. */
  int(field: number, value: number): this {
    return this.#add([varint(field * 8), value < 0 ? negative(value) : varint(value)]);
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#add([varint(field * 8 + 1), bytes]);
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#add([varint(field * 8 + 5), bytes]);
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** The bytes are not copied before the message is read. */
  bytes(field: number, value: Uint8Array): this {
    return this.#add([varint(field * 8 + 2), varint(value.length), value]);
  }

  message(field: number, value: ProtoMessage): this {
    return this.#add([varint(field * 8 + 2), varint(value.length)]).#add(value.#parts);
  }

  encoded(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  /** The same in pieces that are to be written one after the other: large fields as they lie in memory, small ones together. */
  *pieces(): Generator<Uint8Array, void> {
    let small: Uint8Array[] = [];
    for (const part of this.#parts) {
      if (part.length < large) {
        small.push(part);
        continue;
      }
      yield Buffer.concat(small);
      yield part;
      small = [];
    }
    yield Buffer.concat(small);
  }

  #add(parts: readonly Uint8Array[]): this {
    for (const part of parts) {
      this.#parts.push(part);
      this.#length += part.length;
    }
    return this;
  }
}

/** A part of so many bytes is a piece by itself. */
const large = 1 << 16;

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** The ten bytes of a negative number, in two's complement of 64 bits. */
function negative(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) + 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A field of a message: its number there, and where its bytes lie, behind what says how many they are. */
export interface ProtoField {
  readonly number: number;
  readonly at: number;
  readonly length: number;
  /** Of a field that is one integer, two's complement of 64 bits. */
  readonly integer?: bigint;
  /** Of a field of any length: text, bytes, a message, or integers together. */
  readonly isLong: boolean;
}

/** The kinds of fields by their numbers: an integer, 8 bytes, as many as are said, 4 bytes. */
const kinds = { integer: 0, eight: 1, long: 2, four: 5 } as const;
const windowBytes = 2 ** 16;
/** A text is read up to here. */
const mostText = 2 ** 20;
/** Bytes of an integer of 64 bits. */
const mostVarint = 10;
const [cutShort, tooLong] = ['its end within a number', 'a number of more than 64 bits'];

/** Reads messages of a file by their fields, in the order in which they stand; what nobody asks for is passed over. */
export class ProtoReader {
  readonly #window: Window;
  readonly #refuse: (at: number, found: string) => Error;

  /** @param refuse makes the error for what is no message, at a byte of the file. */
  constructor(file: Positioned, refuse: (at: number, found: string) => Error) {
    this.#window = new Window(file, windowBytes);
    this.#refuse = refuse;
  }

  /** The fields of the message that lies at a place. */
  async *fields({ at: from, length, isLong = true }: Place): AsyncGenerator<ProtoField> {
    if (!isLong) throw this.#refuse(from, 'a number in the place of a message');
    const to = from + length;
    for (let start = from; start < to; ) {
      const key = await this.#varint(start, to);
      const [number, kind] = [Number(key.value >> 3n), Number(key.value & 7n)];
      if (number === 0) throw this.#refuse(start, 'a field without a number');
      if (kind === kinds.integer) {
        const { value, next } = await this.#varint(key.next, to);
        yield { number, at: key.next, length: next - key.next, integer: value, isLong: false };
        start = next;
        continue;
      }
      const isLong = kind === kinds.long;
      const said = isLong ? await this.#varint(key.next, to) : { value: sizeOf(kind), next: key.next };
      if (said.value === undefined) throw this.#refuse(start, 'bytes that are no field of a message');
      if (said.value > BigInt(to - said.next)) {
        const there = to - said.next;
        const found = `${counted(Number(said.value), 'byte')}, of which ${numberText(there)} ${there === 1 ? 'is' : 'are'} there`;
        throw this.#refuse(start, `a field of ${found}`);
      }
      const field = { number, at: said.next, length: Number(said.value), isLong };
      yield field;
      start = field.at + field.length;
    }
  }

  /** Whole numbers beyond 2^53 are rounded. */
  integer({ at, integer }: ProtoField): number {
    if (integer === undefined) throw this.#refuse(at, 'something else in the place of a number');
    return Number(BigInt.asIntN(64, integer));
  }

  /** A field of integers comes once for each, or holds them all. They may be more than memory holds. */
  async *integers(field: ProtoField): AsyncGenerator<number> {
    if (!field.isLong) yield this.integer(field);
    const to = field.isLong ? field.at + field.length : field.at;
    for (let at = field.at; at < to; ) {
      const { value, next } = await this.#varint(at, to);
      yield Number(BigInt.asIntN(64, value));
      at = next;
    }
  }

  /** How many integers such a field holds. */
  async countIntegers({ at, length, isLong }: ProtoField): Promise<number> {
    if (!isLong) return 1;
    let [count, begin] = [0, at];
    for (let from = at; from < at + length; ) {
      const bytes = await this.#window.at(from, Math.min(windowBytes, at + length - from));
      for (const [i, byte] of bytes.entries()) {
        if (byte < 0x80) {
          begin = from + i + 1;
          count++;
        } else if (from + i + 1 - begin === mostVarint) throw this.#refuse(begin, tooLong);
      }
      from += bytes.length;
    }
    if (begin < at + length) throw this.#refuse(begin, cutShort);
    return count;
  }

  /** A long one ends in `…`. */
  async text({ at, length, isLong }: ProtoField): Promise<string> {
    if (!isLong) throw this.#refuse(at, 'a number in the place of a text');
    const text = new TextDecoder().decode(await this.#window.at(at, Math.min(length, mostText)));
    return length > mostText ? `${text}…` : text;
  }

  async #varint(at: number, to: number): Promise<{ readonly value: bigint; readonly next: number }> {
    const bytes = await this.#window.at(at, Math.min(mostVarint, to - at));
    let value = 0n;
    for (const [i, byte] of bytes.entries()) {
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return { value: BigInt.asUintN(64, value), next: at + i + 1 };
    }
    throw this.#refuse(at, bytes.length < mostVarint ? cutShort : tooLong);
  }
}

type Place = Pick<ProtoField, 'at' | 'length'> & Partial<Pick<ProtoField, 'isLong'>>;

function sizeOf(kind: number): bigint | undefined {
  if (kind === kinds.eight) return 8n;
  return kind === kinds.four ? 4n : undefined;
}
