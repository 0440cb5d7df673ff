import { Packr } from 'msgpackr';
import { counted } from '../../counts.ts';

// Without records, which are msgpackr's own and of no other reader.
const packr = new Packr({ useRecords: false, variableMapSize: true });

/** A value as MessagePack. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** How many values MessagePack has, those within others and the keys of maps with them. @throws Error as `unpack`. */
export function valuesOf(bytes: Uint8Array): number {
  return passOver(bytes, Number.POSITIVE_INFINITY);
}

function passOver(bytes: Uint8Array, most: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = { seen: 0, most };
  const end = skim(view, 0, deepest, values);
  if (end !== bytes.length) throw new Error(`${counted(bytes.length - end, 'byte')} more than its values`);
  return values.seen;
}

/**
 * What MessagePack says: maps with text keys, arrays, text, bytes, numbers, true, false and nil, no more. What counts or lengths announce is held
 * to the bytes that are there before anything is made of them, and extensions are refused: a file is data, and makes nothing but data.
 *
 * @param most how many values it may have: an empty list takes one byte there, and many times that in memory.
 * @throws Error that says what is wrong, for the caller to tell where.
 */
export function unpack(bytes: Uint8Array, most: number): unknown {
  passOver(bytes, most);
  return packr.unpack(bytes);
}

/** How deep maps and arrays may lie in one another. */
const deepest = 16;

/** Passes over one value and gives where it ends. */
function skim(view: DataView, at: number, depth: number, values: { seen: number; readonly most: number }): number {
  if (++values.seen > values.most) throw new Error(`more than ${counted(values.most, 'value')}`);
  if (depth === 0) throw new Error(`values deeper than ${deepest}`);
  const left = (needed: number) => {
    if (at + needed > view.byteLength) throw new Error('values longer than its bytes');
  };
  left(1);
  const code = view.getUint8(at++);
  const size = (width: number): number => {
    left(width);
    const value = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at);
    at += width;
    return value;
  };
  const bytes = (count: number) => {
    left(count);
    return at + count;
  };
  const items = (count: number) => {
    left(count);
    for (let i = 0; i < count; i++) at = skim(view, at, depth - 1, values);
    return at;
  };
  const pairs = (count: number) => {
    left(2 * count);
    for (let i = 0; i < count; i++) {
      if (!isText(view.getUint8(at))) throw new Error('a map with keys that are no text');
      at = skim(view, skim(view, at, depth - 1, values), depth - 1, values);
    }
    return at;
  };
  if (code <= 0x7f || code >= 0xe0) return at;
  if (code <= 0x8f) return pairs(code & 0x0f);
  if (code <= 0x9f) return items(code & 0x0f);
  if (code <= 0xbf) return bytes(code & 0x1f);
  if (code === 0xc0 || code === 0xc2 || code === 0xc3) return at;
  if (code >= 0xc4 && code <= 0xc6) return bytes(size(1 << (code - 0xc4)));
  if (code >= 0xca && code <= 0xd3) return bytes([4, 8, 1, 2, 4, 8, 1, 2, 4, 8][code - 0xca]!);
  if (code >= 0xd9 && code <= 0xdb) return bytes(size(1 << (code - 0xd9)));
  if (code === 0xdc || code === 0xdd) return items(size(code === 0xdc ? 2 : 4));
  if (code === 0xde || code === 0xdf) return pairs(size(code === 0xde ? 2 : 4));
  throw new Error(`a value of the kind 0x${code.toString(16)}`);
}

function isText(code: number): boolean {
  return (code >= 0xa0 && code <= 0xbf) || (code >= 0xd9 && code <= 0xdb);
}
