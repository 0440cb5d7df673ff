export type Message = Readonly<Record<string, unknown>>;

/** The fields of messages by their names, as .proto files write them: `1 name string; 2 value *Value`, a star where a field may come several times. */
export type Schemas = Readonly<Record<string, string>>;

/** Reads a message in protocol buffers' wire format. Throws where a field is none of it or of another kind, and where something is cut. Shares nothing with what writes them. */
export function readMessage(schemas: Schemas, name: string, bytes: Uint8Array): Message {
  const fields = new Map(
    schemas[name]!.split('; ').map((line) => {
      const [number, field, type] = line.split(' ') as [string, string, string];
      return [Number(number), { field, type: type.replace('*', ''), repeated: type.startsWith('*') }];
    }),
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const message: Record<string, unknown> = {};
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error(`${name} is cut`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const known = fields.get(key >> 3);
    if (known === undefined) throw new Error(`${name} has no field ${key >> 3}`);
    const { field, type, repeated } = known;
    let value: unknown;
    if (['int64', 'enum', 'bool'].includes(type)) {
      if ((key & 7) !== 0) throw new Error(`${name}.${field} is no varint`);
      value = type === 'bool' ? varint() !== 0 : varint();
    } else if (type === 'double' || type === 'float') {
      const size = type === 'double' ? 8 : 4;
      if ((key & 7) !== (size === 8 ? 1 : 5)) throw new Error(`${name}.${field} is no ${type}`);
      value = size === 8 ? view.getFloat64(at, true) : view.getFloat32(at, true);
      at += size;
    } else {
      if ((key & 7) !== 2) throw new Error(`${name}.${field} has no length`);
      const length = varint();
      const part = bytes.subarray(at, at + length);
      if (part.length !== length) throw new Error(`${name}.${field} is cut`);
      at += length;
      value =
        type === 'bytes'
          ? part
          : type === 'string'
            ? new TextDecoder('utf-8', { fatal: true }).decode(part)
            : readMessage(schemas, type, part);
    }
    if (repeated) message[field] = [...((message[field] as unknown[]) ?? []), value];
    else message[field] = value;
  }
  return message;
}
