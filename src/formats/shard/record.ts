import type { Picture } from '../../vision/picture.ts';
import { rawPicture } from '../../vision/picture.ts';
import { checkFrame, Damage, encodeFrame, prefixBytes, readHeader } from './frame.ts';
import { type Dtype, dtypes, type Layouts, layoutOf, type Place } from './layout.ts';

export type { Dtype } from './layout.ts';

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
  const found = Object.entries(dtypes).find(([, { prototype }]) => Object.getPrototypeOf(value ?? 0) === prototype);
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

/** How a frame is looked at. */
interface Judged {
  /** Its checksum was found to fit already. */
  readonly isSound?: boolean;
  /** What the records before it have looked like. */
  readonly layouts?: Layouts;
}

/** Inherits nothing, so that no name that a file brings means anything. As `Object.create(null)`, which V8 keeps as a slower kind of object. */
const FieldMap = function FieldMap() {} as unknown as new () => Record<string, Stored>;
FieldMap.prototype = Object.create(null);

/** Reads a record from its frame, which is all of `bytes`. Pictures and uint8 are views of `bytes`; other numbers are copied. @throws Damage */
export function decodeRecord(bytes: Buffer, { isSound = false, layouts }: Judged = {}): ShardRecord {
  const payload = prefixBytes + checkFrame(bytes, 'RECD', isSound).header;
  const { key, position, layout } = layouts?.find(bytes, prefixBytes, payload) ?? readWhole(bytes, payload, layouts);
  const found = bytes.length - payload;
  if (layout.bytes > found) throw new Damage('fields longer than their record');
  if (layout.bytes < found) throw new Damage('bytes that belong to no field');
  const fields = new FieldMap();
  for (const place of layout.places) fields[place.name] = readField(place, bytes, payload);
  return { key, position, fields };
}

/** The header of a record, which is new to `layouts`. */
function readWhole(bytes: Buffer, payload: number, layouts: Layouts | undefined) {
  const { key, position, fields } = readHeader(bytes.subarray(prefixBytes, payload), 'RECD');
  if (typeof key !== 'string' || typeof position !== 'number') throw new Damage('a record without key and position');
  const layout = layoutOf(fields);
  layouts?.remember(bytes, prefixBytes, payload, layout);
  return { key, position, layout };
}

function readField(place: Place, { buffer, byteOffset }: Buffer, payload: number): Stored {
  const { type } = place;
  if (type === 'value') return { type, value: place.value };
  // Not as a Buffer, which is another type than a field's.
  const data = new Uint8Array(buffer, byteOffset + payload + place.at, place.end - place.at);
  if (type === 'encoded') return { type, data };
  if (type === 'raw') return { type, shape: place.shape, data };
  const { shape } = place;
  if (type === 'uint8') return { type, shape, data };
  // A copy: in the file they need not lie where their type may.
  return { type, shape, data: new dtypes[type](new Uint8Array(data).buffer) };
}

/** Stored pixels as a picture over the same memory. */
export function openRaw({ shape: [height, width, channels], data }: StoredPicture & { type: 'raw' }): Picture {
  return rawPicture({ data, width, height, channels });
}
