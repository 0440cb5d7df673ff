import { inflateSync } from 'node:zlib';
import { counted } from '../counts.ts';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import { readWhole } from '../files/files.ts';
import { systemCode } from '../files/system.ts';
import { checkMatHeader, matHeaderBytes } from './mat.ts';

/** Arrays of structs of MAT-files of level 5, little-endian, plain or deflated: their fields that are text or single numbers. Only what ImageNet's `meta.mat` needs of the format. */

/** The value of a field: text, or a number; nothing for arrays, cells and whatever else a field may hold. */
export type MatValue = string | number | undefined;

export interface MatStructOptions {
  /** The most bytes that the file, and what an element inflates to, may have. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Numbers of elements' types, and of arrays' classes. */
const types = { text: 1, words: 4, dimensions: 5, matrix: 14, deflated: 15, utf8: 16 };
const classes = { struct: 2, text: 4, firstNumeric: 6, last: 15 };

/** More than any array of structs has. */
const [mostFields, mostStructs] = [1000, 1_000_000];

/**
 * The values of `fields` of the structs in the array `name` of a file. Other fields are passed over, whatever they hold.
 *
 * @throws FILE_UNREADABLE, FILE_LARGE, MAT_FORMAT.
 */
export async function readMatStructs<Field extends string>(
  path: string,
  name: string,
  fields: readonly Field[],
  { maxBytes, signal }: MatStructOptions,
): Promise<Record<Field, MatValue>[]> {
  const bytes = Buffer.from(await readWhole(path, path, { maxBytes, signal }));
  try {
    checkMatHeader(bytes);
    for (const element of elementsOf(bytes.subarray(matHeaderBytes))) {
      const array = element.type === types.deflated ? inflated(element.data, maxBytes) : element;
      if (array?.type !== types.matrix || array.data.length === 0) continue;
      const found = structsOf(array.data, name, fields);
      if (found !== undefined) return found;
    }
    throw wrong(`hold the array of structs ${name}`, 'none of that name');
  } catch (cause) {
    if (cause instanceof PatchstreamError) throw new PatchstreamError(cause.code, cause.text, path, cause);
    throw cause;
  }
}

const wrong = (rule: string, found: string) => fail('MAT_FORMAT', { rule, found });

interface Element {
  readonly type: number;
  readonly data: Buffer;
}

/** The elements that lie one behind the other. @throws MAT_FORMAT where one ends behind the last byte */
function* elementsOf(bytes: Buffer): Generator<Element> {
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length)
      throw wrong('end where its elements end', `${counted(bytes.length - at, 'byte')} after the last`);
    const [word, size] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    // A length of at most 4 in the upper half of the type: the data stands in the tag.
    const within = word >>> 16;
    if (within > 4)
      throw wrong('have tags of two words, or data of up to 4 bytes in one', `${counted(within, 'byte')} in one`);
    const [type, start, length] = within > 0 ? [word & 0xffff, at + 4, within] : [word, at + 8, size];
    if (start + length > bytes.length)
      throw wrong('end where its elements end', `an element of ${counted(length, 'byte')} past its end`);
    yield { type, data: bytes.subarray(start, start + length) };
    // All but deflated elements are filled up to a multiple of 8 bytes.
    at = within > 0 ? at + 8 : type === types.deflated ? start + length : start + Math.ceil(length / 8) * 8;
  }
}

/** The element in a deflated one; nothing where it is empty. @throws MAT_FORMAT */
function inflated(data: Buffer, maxBytes: number): Element | undefined {
  if (data.length === 0) return undefined;
  let bytes: Buffer;
  try {
    bytes = inflateSync(data, { maxOutputLength: maxBytes });
  } catch (cause) {
    const code = systemCode(cause) ?? '';
    if (!code.startsWith('Z_') && code !== 'ERR_BUFFER_TOO_LARGE') throw cause;
    throw wrong(`inflate to its end, to at most ${counted(maxBytes, 'byte')}`, messageOf(cause));
  }
  return elementsOf(bytes).next().value ?? undefined;
}

interface Head {
  /** What kind of array it is, by the number of the format. */
  readonly kind: number;
  readonly shape: readonly number[];
  readonly name: string;
  /** What follows: values, or names of fields and arrays. */
  readonly rest: Iterator<Element, unknown>;
}

/** Flags, dimensions and name of an array. @throws MAT_FORMAT */
function headOf(data: Buffer): Head {
  const rest = elementsOf(data);
  const [flags, dimensions, name] = [taken(rest), taken(rest), taken(rest)];
  if (flags.data.length < 4) throw wrong('have flags of 8 bytes for each array', counted(flags.data.length, 'byte'));
  const kind = flags.data[0]!;
  if (kind < 1 || kind > 18) throw wrong('hold arrays of a class from 1 to 18', `class ${kind}`);
  const shape = Array.from({ length: dimensions.data.length >> 2 }, (_, i) => dimensions.data.readInt32LE(4 * i));
  if (dimensions.type !== types.dimensions || shape.length < 2 || shape.some((side) => side < 0))
    throw wrong('have at least two dimensions for each array', `[${shape.join(', ')}]`);
  return { kind, shape, name: name.data.toString('latin1'), rest };
}

function taken(elements: Iterator<Element, unknown>): Element {
  const { value, done } = elements.next();
  if (done === true) throw wrong('end its arrays behind their values', 'an array that ends before');
  return value as Element;
}

/** The structs of an array; nothing where it has another name. @throws MAT_FORMAT */
function structsOf<Field extends string>(
  data: Buffer,
  name: string,
  wanted: readonly Field[],
): Record<Field, MatValue>[] | undefined {
  const head = headOf(data);
  if (head.name !== name) return undefined;
  if (head.kind !== classes.struct) throw wrong(`have structs in ${name}`, `an array of class ${head.kind}`);
  const width = taken(head.rest);
  const longest = width.data.length === 4 ? width.data.readInt32LE(0) : 0;
  const names = taken(head.rest).data;
  const fields = longest < 1 ? 0 : names.length / longest;
  if (!Number.isInteger(fields) || fields < 1 || fields > mostFields)
    throw wrong('have from 1 to 1,000 names of fields of one length', counted(names.length, 'byte'));
  const keys = Array.from({ length: fields }, (_, i) =>
    names.toString('latin1', i * longest, (i + 1) * longest).replace(/\0.*$/s, ''),
  );
  const missing = wanted.find((field) => !keys.includes(field));
  if (missing !== undefined) throw wrong(`have the field ${missing} in ${name}`, keys.join(', '));
  const count = head.shape.reduce((product, side) => product * side, 1);
  if (count > mostStructs) throw wrong('have at most 1,000,000 structs', head.shape.join(' × '));
  const structs: Record<Field, MatValue>[] = [];
  for (let i = 0; i < count; i++) {
    const values = new Map<string, MatValue>();
    for (const key of keys) {
      const element = taken(head.rest);
      if ((wanted as readonly string[]).includes(key)) values.set(key, fieldValue(element));
    }
    structs.push(Object.fromEntries(wanted.map((field) => [field, values.get(field)])) as Record<Field, MatValue>);
  }
  if (head.rest.next().done !== true) throw wrong('end its arrays behind their values', 'more of an array');
  return structs;
}

/** The text or single number that a field's array holds. @throws MAT_FORMAT */
function fieldValue({ type, data }: Element): MatValue {
  if (type !== types.matrix) throw wrong('have an array in each field', `an element of type ${type}`);
  if (data.length === 0) return undefined;
  const { kind, shape, rest } = headOf(data);
  const count = shape.reduce((product, side) => product * side, 1);
  if (kind === classes.text) return count === 0 ? '' : textOf(taken(rest), count);
  if (kind < classes.firstNumeric || kind > classes.last || count !== 1) return undefined;
  const value = taken(rest);
  const read = numbers[value.type];
  if (read?.bytes !== value.data.length)
    throw wrong('have a value for each number', `${counted(value.data.length, 'byte')} of type ${value.type}`);
  return read.of(value.data);
}

/** @throws MAT_FORMAT for characters that are fewer or more than the array has */
function textOf({ type, data }: Element, count: number): string {
  const encodings: Readonly<Record<number, BufferEncoding>> = {
    [types.text]: 'latin1',
    2: 'latin1',
    [types.words]: 'utf16le',
    [types.utf8]: 'utf8',
    17: 'utf16le',
  };
  const encoding = encodings[type];
  if (encoding === undefined) throw wrong('have characters of text', `an element of type ${type}`);
  const text = data.toString(encoding);
  if (text.length !== count && data.length !== count)
    throw wrong(`hold ${counted(count, 'character')} of a text`, `${text.length}`);
  return text;
}

/** How a number is stored, by the number of its type. */
const numbers: Readonly<Record<number, { readonly bytes: number; of(data: Buffer): number }>> = {
  1: { bytes: 1, of: (data) => data.readInt8(0) },
  2: { bytes: 1, of: (data) => data.readUInt8(0) },
  3: { bytes: 2, of: (data) => data.readInt16LE(0) },
  4: { bytes: 2, of: (data) => data.readUInt16LE(0) },
  5: { bytes: 4, of: (data) => data.readInt32LE(0) },
  6: { bytes: 4, of: (data) => data.readUInt32LE(0) },
  7: { bytes: 4, of: (data) => data.readFloatLE(0) },
  9: { bytes: 8, of: (data) => data.readDoubleLE(0) },
};
