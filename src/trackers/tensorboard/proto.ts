/**
 * A message in protocol buffers' wire format, written field by field. Sources: protobuf.dev/programming-guides/encoding. What is written here needs six kinds
 * of fields of a dozen messages: a library would bring a compiler of schemas for them.
 */
export class ProtoMessage {
  readonly #parts: Uint8Array[] = [];

  /** A field of type int32, int64, bool or enum that is not negative: `value` is a safe integer. */
  int(field: number, value: number): this {
    return this.#add(varint(field * 8), varint(value));
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#add(varint(field * 8 + 1), bytes);
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#add(varint(field * 8 + 5), bytes);
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#add(varint(field * 8 + 2), varint(value.length), value);
  }

  message(field: number, value: ProtoMessage): this {
    return this.bytes(field, value.encoded());
  }

  encoded(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  #add(...parts: Uint8Array[]): this {
    this.#parts.push(...parts);
    return this;
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
