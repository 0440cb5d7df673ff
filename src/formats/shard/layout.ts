import { Damage } from './frame.ts';

export const dtypes = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};
export type Dtype = keyof typeof dtypes;

/** What the header of a record says of one of its fields: what it is, and which bytes of the payload are its own. */
export type Place = { readonly name: string; readonly at: number; readonly end: number } & (
  | { readonly type: 'raw'; readonly shape: readonly [number, number, 1 | 3] }
  | { readonly type: 'encoded' }
  | { readonly type: Dtype; readonly shape: readonly number[] }
  | { readonly type: 'value'; readonly value: unknown }
);

/** The fields of a record, in the order of their bytes. */
export interface Layout {
  readonly places: readonly Place[];
  /** All of the payload. */
  readonly bytes: number;
}

/** Reads what a header says of the fields. @throws Damage */
export function layoutOf(fields: unknown): Layout {
  const places: Place[] = [];
  let at = 0;
  for (const [name, field] of Object.entries(mapOf(fields))) {
    const place = placeOf(name, mapOf(field), at);
    places.push(place);
    at = place.end;
  }
  return { places, bytes: at };
}

function placeOf(name: string, { type, shape, bytes, value }: Readonly<Record<string, unknown>>, at: number): Place {
  if (type === 'value') return { name, at, end: at, type, value };
  if (!isCount(bytes)) throw new Damage('a field without a length');
  const place = { name, at, end: at + bytes };
  if (type === 'encoded') return { ...place, type };
  if (!Array.isArray(shape) || !shape.every(isCount)) throw new Damage('a field without a shape');
  const count = shape.reduce((product, side) => product * side, 1);
  if (type === 'raw') {
    const [height, width, channels] = shape as [number, number, number];
    if (shape.length !== 3 || count === 0 || count !== bytes || (channels !== 1 && channels !== 3)) {
      throw new Damage('a picture of another shape than its bytes');
    }
    return { ...place, type, shape: [height, width, channels] };
  }
  if (typeof type !== 'string' || !Object.hasOwn(dtypes, type)) throw new Damage('a field of no known type');
  const dtype = type as Dtype;
  if (count * dtypes[dtype].BYTES_PER_ELEMENT !== bytes) {
    throw new Damage('numbers of another shape than their bytes');
  }
  return { ...place, type: dtype, shape };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Damage('a header of another form');
}

/** Longer headers are read anew each time, and only so many are remembered. */
const longest = 512;
const most = 1024;

/** How headers begin that this library writes, and what comes behind the key and behind the position. */
const begins = Buffer.from('\x83\xa3key', 'latin1');
const thenPosition = Buffer.from('\xa8position', 'latin1');
const thenFields = Buffer.from('\xa6fields', 'latin1');

/** A header that was taken apart: behind key and position, bytes [rest, end) say what the fields are. */
interface Usual {
  readonly key: string;
  readonly position: number;
  readonly rest: number;
}

/**
 * Remembers what headers say: as a rule those of neighbours differ in key and position alone. A header of any other form, which MessagePack allows, is nothing
 * to it.
 */
export class Layouts {
  /** By the bytes that say what the fields are. */
  readonly #known = new Map<string, Layout>();

  /** Key, position and layout of the header in bytes [from, to), where one with the same fields was sound. */
  find(bytes: Buffer, from: number, to: number): (Usual & { readonly layout: Layout }) | undefined {
    const header = takeApart(bytes, from, to);
    if (header === undefined) return undefined;
    const layout = this.#known.get(bytes.toString('latin1', header.rest, to));
    return layout && { ...header, layout };
  }

  /** Remembers the layout of that header, which is sound. */
  remember(bytes: Buffer, from: number, to: number, layout: Layout): void {
    // What is remembered is given to many: nobody may change it.
    if (this.#known.size === most || !layout.places.every(isPlain)) return;
    const header = takeApart(bytes, from, to);
    if (header !== undefined) this.#known.set(bytes.toString('latin1', header.rest, to), layout);
  }
}

function isPlain(place: Place): boolean {
  return place.type !== 'value' || typeof place.value !== 'object' || place.value === null;
}

function takeApart(bytes: Buffer, from: number, to: number): Usual | undefined {
  const key = textAt(bytes, passed(bytes, from, begins));
  const number = passed(bytes, key.end, thenPosition);
  const position = integerAt(bytes, number);
  const rest = passed(bytes, position.end, thenFields);
  if (!(rest <= to && to - rest <= longest)) return undefined;
  return { key: bytes.toString('utf8', key.at, key.end), position: position.value, rest };
}

/** Where nothing is found, and from where nothing is: bytes there are undefined, and it is neither before nor behind any place. */
const nowhere = Number.NaN;

/** Where `text` ends, which lies at that place. */
function passed(bytes: Buffer, at: number, text: Buffer): number {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return nowhere;
  return at + text.length;
}

/** Text of less than 2¹⁶ bytes. */
function textAt(bytes: Buffer, at: number): { readonly at: number; readonly end: number } {
  const code = bytes[at] ?? 0;
  if (code >= 0xa0 && code <= 0xbf) return { at: at + 1, end: at + 1 + (code & 0x1f) };
  if (code === 0xd9) return { at: at + 2, end: at + 2 + bytes[at + 1]! };
  if (code === 0xda) return { at: at + 3, end: at + 3 + bytes[at + 1]! * 256 + bytes[at + 2]! };
  return { at: nowhere, end: nowhere };
}

/** An integer from 0 to 2³² − 1. */
function integerAt(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  const code = bytes[at] ?? 0xff;
  if (code <= 0x7f) return { value: code, end: at + 1 };
  const width = code === 0xcc ? 1 : code === 0xcd ? 2 : code === 0xce ? 4 : 0;
  if (width === 0 || at + 1 + width > bytes.length) return { value: nowhere, end: nowhere };
  return { value: bytes.readUIntBE(at + 1, width), end: at + 1 + width };
}
