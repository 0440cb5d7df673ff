import { counted } from '../../counts.ts';

/** Thrift's compact protocol, as metadata and headers of pages are written: looked at before the reader makes values of it. */

/** Kinds of values. */
const [yes, no, byte, i16, i32, i64, double, binary, list, struct] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12];

/** A number of 64 bits has so many bytes at most. */
const longestNumber = 10;
/** The format nests a quarter of it. */
const deepest = 32;

/**
 * Where a structure ends. The reader takes memory for as many values as a list says it has, before it looks for the first; a number it reads to its end, however far that is.
 *
 * @throws an Error where a value goes beyond the bytes, and where a list says that it has more values than bytes are left
 */
export function endOfStruct(bytes: Uint8Array, from: number, depth = 0): number {
  if (depth > deepest) throw new Error(`structures in each other, deeper than ${deepest}`);
  let at = from;
  for (;;) {
    const kind = byteAt(bytes, at++);
    if ((kind & 15) === 0) return at;
    // Else the field is so many behind the one before.
    if (kind >> 4 === 0) at = numberAt(bytes, at).end;
    at = endOf(bytes, at, kind & 15, depth);
  }
}

function endOf(bytes: Uint8Array, at: number, kind: number, depth: number): number {
  switch (kind) {
    case yes:
    case no:
      return at;
    case byte:
      return within(bytes, at + 1);
    case i16:
    case i32:
    case i64:
      return numberAt(bytes, at).end;
    case double:
      return within(bytes, at + 8);
    case binary: {
      const { value, end } = numberAt(bytes, at);
      return within(bytes, end + value);
    }
    case list:
      return endOfList(bytes, at, depth);
    case struct:
      return endOfStruct(bytes, at, depth + 1);
    default:
      throw new Error(`a value of the unknown kind ${kind}`);
  }
}

function endOfList(bytes: Uint8Array, from: number, depth: number): number {
  if (depth > deepest) throw new Error(`lists in each other, deeper than ${deepest}`);
  const head = byteAt(bytes, from);
  const kind = head & 15;
  const long = head >> 4 === 15 ? numberAt(bytes, from + 1) : { value: head >> 4, end: from + 1 };
  // A structure in a list has a field, so that each takes a few bytes.
  const least = kind === struct ? 3 : kind === double ? 8 : 1;
  if (long.value * least > bytes.length - long.end)
    throw new Error(`a list of ${long.value} in ${counted(bytes.length - long.end, 'byte')}`);
  let at = long.end;
  for (let i = 0; i < long.value; i++) {
    if (kind === struct && byteAt(bytes, at) === 0) throw new Error('a list of structures without fields');
    // Alone, yes and no are in the byte of their kind; in a list each has one of its own.
    at = endOf(bytes, at, kind === yes || kind === no ? byte : kind, depth + 1);
  }
  return at;
}

/** A number in groups of seven bits; what is beyond 53 bits is no length. */
function numberAt(bytes: Uint8Array, from: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let i = 0; i < longestNumber; i++) {
    const next = byteAt(bytes, from + i);
    value += (next & 127) * 2 ** (7 * i);
    if (next < 128) return { value, end: from + i + 1 };
  }
  throw new Error(`a number of more than ${counted(longestNumber, 'byte')}`);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[within(bytes, at + 1) - 1]!;
}

function within(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) throw new Error('values beyond the end');
  return end;
}
