import { counted } from '../../counts.ts';
import { crc32 } from './checksum.ts';
import { pack, unpack, valuesOf } from './packed.ts';

/*
 * A shard, format 1 (docs/shards.md): `PSHARD1\n`, a frame INFO, a frame RECD for each record, a frame INDX, a tail of 24 bytes. Integers are
 * little-endian. A frame is
 *
 *   0   u32  CRC-32 of all that follows in the frame
 *   4   4    kind, in ASCII
 *   8   u32  bytes of the header
 *   12  u32  bytes of the payload
 *   16       header, a map in MessagePack; then the payload
 */

export const magic = Buffer.from('PSHARD1\n', 'latin1');
export const kinds = ['INFO', 'RECD', 'INDX'] as const;
export type Kind = (typeof kinds)[number];

/** Bytes in front of a frame's header. */
export const prefixBytes = 16;
export const tailBytes = 24;
/** The most bytes that a frame's header may take. */
export const mostHeader: Readonly<Record<Kind, number>> = { INFO: 2 ** 24, RECD: 2 ** 20, INDX: 2 ** 12 };
/** The most values that a frame's header may have, keys of maps and values within values too. */
const mostValues: Readonly<Record<Kind, number>> = { INFO: 2 ** 18, RECD: 2 ** 15, INDX: 2 ** 8 };
/** A frame's lengths are u32, and a reader holds it in one piece of memory. */
export const mostPayload = 2 ** 31 - 2 ** 22;

export interface Frame {
  readonly kind: Kind;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
}

/** The lengths of a frame, from its first 16 bytes. */
export interface Prefix {
  readonly kind: Kind;
  readonly header: number;
  readonly payload: number;
  /** All of the frame. */
  readonly bytes: number;
}

/** What is wrong with bytes that should be a frame; the caller says which, and where. */
export class Damage extends Error {}

/** What is too large for a frame, and how large it may be. */
export class TooLarge extends Error {
  readonly limit: string;
  readonly part: 'header' | 'payload';

  constructor(part: TooLarge['part'], found: string, limit: string) {
    super(found);
    this.part = part;
    this.limit = limit;
  }
}

/** A frame as pieces, to be written one after the other. @throws TooLarge where header or payload are too large for a frame. */
export function encodeFrame(kind: Kind, header: object, payload: readonly Uint8Array[] = []): Uint8Array[] {
  const packed = pack(header);
  const length = payload.reduce((sum, { length }) => sum + length, 0);
  if (packed.length > mostHeader[kind]) {
    throw new TooLarge(
      'header',
      `${counted(packed.length, 'byte')} of fields`,
      `${counted(mostHeader[kind], 'byte')} of fields`,
    );
  }
  // Every value takes a byte at least.
  const values = packed.length > mostValues[kind] ? valuesOf(packed) : 0;
  if (values > mostValues[kind]) {
    throw new TooLarge(
      'header',
      `${counted(values, 'value')} in its fields`,
      `${counted(mostValues[kind], 'value')} in its fields`,
    );
  }
  if (length > mostPayload) throw new TooLarge('payload', counted(length, 'byte'), counted(mostPayload, 'byte'));
  const head = Buffer.allocUnsafe(prefixBytes + packed.length);
  head.write(kind, 4, 'latin1');
  head.writeUInt32LE(packed.length, 8);
  head.writeUInt32LE(length, 12);
  head.set(packed, prefixBytes);
  let sum = crc32(head.subarray(4));
  for (const part of payload) sum = crc32(part, sum);
  head.writeUInt32LE(sum, 0);
  return [head, ...payload];
}

/** The kinds as numbers, as the bytes of a frame are compared with them. */
const codes = kinds.map((kind) => Buffer.from(kind, 'latin1').readUInt32LE(0));

/** Reads the lengths, and holds them to their limits. @throws Damage */
export function readPrefix(bytes: Buffer): Prefix {
  if (bytes.length < prefixBytes) throw new Damage('fewer bytes than a frame begins with');
  const kind = kinds[codes.indexOf(bytes.readUInt32LE(4))];
  if (kind === undefined) throw new Damage('a frame of no known kind');
  const [header, payload] = [bytes.readUInt32LE(8), bytes.readUInt32LE(12)];
  if (header > mostHeader[kind] || payload > mostPayload) throw new Damage('a frame of impossible length');
  return { kind, header, payload, bytes: prefixBytes + header + payload };
}

/** A whole frame of the kind wanted, which is all of `bytes`. Its payload is a view of them. @throws Damage */
export function decodeFrame(bytes: Buffer, wanted: Kind): Frame {
  const from = prefixBytes + checkFrame(bytes, wanted).header;
  return { kind: wanted, header: readHeader(bytes.subarray(prefixBytes, from), wanted), payload: bytes.subarray(from) };
}

/**
 * The lengths of a frame of the kind wanted, which is all of `bytes` and whose checksum fits. `isSound`: it was found to fit already.
 *
 * @throws Damage
 */
export function checkFrame(bytes: Buffer, wanted: Kind, isSound = false): Prefix {
  const prefix = readPrefix(bytes);
  if (prefix.bytes !== bytes.length) throw new Damage('a frame of another length');
  if (!isSound && crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) throw new Damage('a checksum that does not fit');
  if (prefix.kind !== wanted) throw new Damage(`a frame ${prefix.kind} in the place of ${wanted}`);
  return prefix;
}

/** The header of a frame of that kind. @throws Damage */
export function readHeader(bytes: Uint8Array, kind: Kind): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = unpack(bytes, mostValues[kind]);
  } catch (error) {
    throw new Damage(`a header with ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Damage('a header that is no map');
  return value as Record<string, unknown>;
}

/** The end of a shard: where its frame INDX is, and how long. u64 offset, u32 bytes, u32 CRC-32 of these twelve, `PSHARD1\n`. */
export function encodeTail(offset: number, bytes: number): Uint8Array {
  const tail = Buffer.allocUnsafe(tailBytes);
  tail.writeBigUInt64LE(BigInt(offset), 0);
  tail.writeUInt32LE(bytes, 8);
  tail.writeUInt32LE(crc32(tail.subarray(0, 12)), 12);
  tail.set(magic, 16);
  return tail;
}

/** @throws Damage where there is no tail, as in a file that was cut. */
export function decodeTail(tail: Buffer): { readonly offset: number; readonly bytes: number } {
  if (!tail.subarray(16).equals(magic)) throw new Damage('no end: it was cut, or is still being written');
  if (crc32(tail.subarray(0, 12)) !== tail.readUInt32LE(12)) throw new Damage('an end whose checksum does not fit');
  return { offset: Number(tail.readBigUInt64LE(0)), bytes: tail.readUInt32LE(8) };
}
