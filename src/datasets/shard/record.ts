import type { Picture } from '../../vision/picture.ts';
import { rawPicture } from '../../vision/picture.ts';
import { Damage, decodeFrame, encodeFrame } from './frame.ts';

/** A picture as it is stored: pixels uint8 [height, width, channels], or a file of any format. */
export type StoredPicture =
  | { readonly type: 'raw'; readonly shape: readonly [number, number, 1 | 3]; readonly data: Uint8Array }
  | { readonly type: 'encoded'; readonly data: Uint8Array };

/** Numbers with their dtype and shape. */
export interface StoredNumbers {
  readonly type: Dtype;
  readonly shape: readonly number[];
  readonly data: NumberArray;
}

/** Text, a number, true, false, null, and lists and maps of these. */
export interface StoredValue {
  readonly type: 'value';
  readonly value: unknown;
}

export type Stored = StoredPicture | StoredNumbers | StoredValue;

/** One sample in a shard. */
export interface ShardRecord {
  readonly key: string;
  /** Of the sample in the run that wrote the shard. */
  readonly position: number;
  readonly fields: Readonly<Record<string, Stored>>;
}

const arrays = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};
export type Dtype = keyof typeof arrays;
export type NumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** The dtype of an array of numbers; nothing for any other value. */
export function dtypeOf(value: unknown): Dtype | undefined {
  // A Buffer is one of bytes.
  if (value instanceof Uint8Array) return 'uint8';
  const found = Object.entries(arrays).find(([, { prototype }]) => Object.getPrototypeOf(value ?? 0) === prototype);
  return found?.[0] as Dtype | undefined;
}

/** A record as the pieces of its frame. Headers of numbers say dtype and shape, the bytes follow each other in the order of the fields. */
export function encodeRecord({ key, position, fields }: ShardRecord): Uint8Array[] {
  const header: Record<string, unknown> = {};
  const payload: Uint8Array[] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (field.type === 'value') {
      header[name] = field;
      continue;
    }
    const bytes = bytesOf(field.data);
    payload.push(bytes);
    header[name] = {
      type: field.type,
      ...(field.type !== 'encoded' && { shape: field.shape }),
      bytes: bytes.length,
    };
  }
  return encodeFrame('RECD', { key, position, fields: header }, payload);
}

function bytesOf({ buffer, byteOffset, byteLength }: NumberArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Reads a record from its frame, which is all of `bytes`. Pictures and uint8 are views of `bytes`; other numbers are copied. @throws Damage */
export function decodeRecord(bytes: Buffer, judged: { readonly isSound?: boolean } = {}): ShardRecord {
  const { header, payload } = decodeFrame(bytes, 'RECD', judged);
  const { key, position, fields } = header;
  if (typeof key !== 'string' || typeof position !== 'number') throw new Damage('a record without key and position');
  let at = 0;
  const take = (length: unknown) => {
    if (!isCount(length) || length > payload.length - at) throw new Damage('fields longer than their record');
    // Not as a Buffer, which is another type than a field's.
    const data = new Uint8Array(payload.buffer, payload.byteOffset + at, length);
    at += length;
    return data;
  };
  // Without a prototype: no name that a file brings means anything.
  const read: Record<string, Stored> = Object.create(null);
  for (const [name, field] of Object.entries(mapOf(fields))) read[name] = readField(mapOf(field), take);
  if (at !== payload.length) throw new Damage('bytes that belong to no field');
  return { key, position, fields: read };
}

function readField(
  { type, shape, bytes, value }: Readonly<Record<string, unknown>>,
  take: (length: unknown) => Uint8Array,
): Stored {
  if (type === 'value') return { type, value };
  if (type === 'encoded') return { type, data: take(bytes) };
  if (!Array.isArray(shape) || !shape.every(isCount)) throw new Damage('a field without a shape');
  const count = shape.reduce((product, side) => product * side, 1);
  if (type === 'raw') {
    const [height, width, channels] = shape as [number, number, number];
    if (shape.length !== 3 || count === 0 || count !== bytes || (channels !== 1 && channels !== 3)) {
      throw new Damage('a picture of another shape than its bytes');
    }
    return { type, shape: [height, width, channels], data: take(bytes) };
  }
  if (typeof type !== 'string' || !Object.hasOwn(arrays, type)) throw new Damage('a field of no known type');
  const dtype = type as Dtype;
  const Numbers = arrays[dtype];
  if (count * Numbers.BYTES_PER_ELEMENT !== bytes) throw new Damage('numbers of another shape than their bytes');
  const data = take(bytes);
  if (dtype === 'uint8') return { type: dtype, shape, data };
  // A copy: in the file they need not lie where their type may.
  return { type: dtype, shape, data: new Numbers(new Uint8Array(data).buffer) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Damage('a header of another form');
}

/** Stored pixels as a picture over the same memory. */
export function openRaw({ shape: [height, width, channels], data }: StoredPicture & { type: 'raw' }): Picture {
  return rawPicture({ data, width, height, channels });
}
