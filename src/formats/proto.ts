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
