import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { counted } from '../counts.ts';
import { fail } from '../errors.ts';

/**
 * The safetensors format, read and written: eight bytes with the header's length, a JSON header, then the values of all tensors
 * end to end, little-endian. Nothing in such a file can run; a file that breaks a rule of the format is refused before any value is read.
 * Source: https://github.com/huggingface/safetensors, section Format.
 */

const bytesOf = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const;

export type SafetensorsDtype = keyof typeof bytesOf;

/** A tensor as it lies in the file: `bytes` is a view of the file's buffer, or read from the file each time it is asked for. */
export interface StoredTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A tensor to be written: float32 values, row by row. */
export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tensor to be written whose values are made when its turn comes, so that a file never needs all of them in memory at once. */
export interface LateTensor {
  readonly shape: readonly number[];
  read(): Float32Array | Promise<Float32Array>;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The format's own limit on the header, in bytes. */
const longestHeader = 100_000_000;

/**
 * The tensors of a file, checked: the header's length, every name, dtype, shape and offset; the values must fill the file without
 * gap, overlap or rest.
 * @throws SAFETENSORS_INVALID; `where` is the file's name for the message.
 */
export function decodeSafetensors(file: Uint8Array, where?: string): Safetensors {
  return checked(file.byteLength, (begin, end) => file.subarray(begin, end), where);
}

/** A file whose tensors are read one at a time, when they are asked for. It stays open as long as somebody holds them. */
export interface SafetensorsFile extends Safetensors {
  /** The bytes of the whole file in pieces, for a digest over exactly what the tensors are read from. */
  pieces(): AsyncIterable<Uint8Array>;
}

/** Closes a file when nobody can read its tensors any more: they are handed on, and read late, by those who know nothing of files. */
const unheld = new FinalizationRegistry<number>((file) => closeSync(file));

/** A pipe in the place of a file must not be waited for. */
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** What begins a header of the format, and hardly another file: its length, which is within bounds, and `{`. What is wrong with the rest is damage. */
export function looksLikeSafetensors(path: string): boolean {
  const file = openSync(path, flags);
  try {
    const head = Buffer.alloc(9);
    if (!fstatSync(file).isFile() || readSync(file, head, 0, head.length, 0) < head.length) return false;
    return head.readBigUInt64LE() <= longestHeader && head[8] === 0x7b;
  } finally {
    closeSync(file);
  }
}

/**
 * Opens a file and checks its header as `decodeSafetensors` does. What was opened can be read though it is deleted meanwhile.
 * @throws SAFETENSORS_INVALID; what the file system throws.
 */
export function openSafetensors(path: string): SafetensorsFile {
  const file = openSync(path, flags);
  const bytes = (begin: number, end: number) => {
    const into = new Uint8Array(end - begin);
    for (let at = 0; at < into.length; ) {
      const count = readSync(file, into, at, into.length - at, begin + at);
      if (count === 0) throw fail('SAFETENSORS_INVALID', { rule: 'stay as long as it was', found: 'a shorter file' });
      at += count;
    }
    return into;
  };
  try {
    const about = fstatSync(file);
    if (!about.isFile()) throw fail('SAFETENSORS_INVALID', { rule: 'be a file', found: 'none' }, { where: path });
    const found = checked(about.size, bytes, path);
    // Each tensor holds `bytes`, and so do the pieces.
    unheld.register(bytes, file);
    return { ...found, pieces: () => piecesOf(fstatSync(file).size, bytes) };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

const pieceBytes = 1 << 20;

async function* piecesOf(size: number, read: (begin: number, end: number) => Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += pieceBytes) {
    yield read(at, Math.min(size, at + pieceBytes));
    // Reading and hashing are synchronous: others have their turns in between.
    await new Promise(setImmediate);
  }
}

/** The tensors of a file of `size` bytes, of which `read` gives those from one place to another. */
function checked(size: number, read: (begin: number, end: number) => Uint8Array, where?: string): Safetensors {
  const refuse = (rule: string, found: string) => fail('SAFETENSORS_INVALID', { rule, found }, { where });
  if (size < 8) throw refuse('begin with eight bytes of length', counted(size, 'byte'));
  const first = read(0, 8);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(longestHeader))
    throw refuse(`have a header of at most ${counted(longestHeader, 'byte')}`, `${length}`);
  const start = 8 + Number(length);
  if (start > size) throw refuse(`hold its header of ${counted(Number(length), 'byte')}`, counted(size - 8, 'byte'));
  const header = parseHeader(read(8, start), refuse);

  const metadata: Record<string, string> = {};
  const tensors = new Map<string, StoredTensor>();
  const ranges: [begin: number, end: number, name: string][] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      Object.assign(metadata, readMetadata(entry, refuse));
      continue;
    }
    const { dtype, shape, begin, end } = readEntry(name, entry, refuse);
    if (end > size - start) {
      throw refuse(`hold the values of ${name} up to byte ${end}`, counted(size - start, 'byte'));
    }
    ranges.push([begin, end, name]);
    tensors.set(name, {
      dtype,
      shape,
      get bytes() {
        return read(start + begin, start + end);
      },
    });
  }

  let at = 0;
  for (const [begin, end, name] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (begin !== at) throw refuse(`have no gap or overlap before ${name}`, `offset ${begin} after ${at}`);
    at = end;
  }
  if (at !== size - start)
    throw refuse(`end with its last tensor at ${at}`, `${counted(size - start, 'byte')} of values`);
  return { tensors, metadata };
}

type Refuse = (rule: string, found: string) => Error;

function parseHeader(bytes: Uint8Array, refuse: Refuse): Record<string, unknown> {
  if (bytes[0] !== 0x7b)
    throw refuse('have a header that begins with {', bytes.length === 0 ? 'nothing' : 'another byte');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refuse(
      'have a header of JSON in UTF-8',
      cause instanceof Error ? cause.message.slice(0, 80) : 'something else',
    );
  }
  return header as Record<string, unknown>;
}

function readMetadata(entry: unknown, refuse: Refuse): Record<string, string> {
  if (!isRecord(entry) || !Object.values(entry).every((value) => typeof value === 'string')) {
    throw refuse('have texts alone in __metadata__', typeof entry);
  }
  return entry as Record<string, string>;
}

function readEntry(name: string, entry: unknown, refuse: Refuse) {
  if (!isRecord(entry)) throw refuse(`describe ${name} by an object`, typeof entry);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesOf, dtype)) {
    throw refuse(`have a known dtype for ${name}`, String(dtype).slice(0, 40));
  }
  if (!isCounts(shape)) throw refuse(`have a shape of non-negative integers for ${name}`, describe(shape));
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw refuse(`have two offsets for ${name}`, describe(offsets));
  }
  const [begin, end] = offsets as [number, number];
  const size = bytesOf[dtype as SafetensorsDtype] * sizeOf(shape);
  // A product beyond 2^53 is no longer exact; it is also far beyond any file, so the comparison still refuses it.
  if (end - begin !== size) throw refuse(`give ${name} its ${counted(size, 'byte')}`, `offsets ${begin} to ${end}`);
  return { dtype: dtype as SafetensorsDtype, shape, begin, end };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function describe(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}

/**
 * The values of a stored tensor as float32 numbers of its own memory. F32, F16, BF16 and F64 are converted; others are refused.
 * @throws SAFETENSORS_INVALID
 */
export function floatsOf(tensor: StoredTensor, where?: string): Float32Array {
  requireFloats(tensor, where);
  // The view may lie at any byte of the file, so the values are copied to where typed arrays may begin.
  const { buffer } = new Uint8Array(tensor.bytes);
  switch (tensor.dtype) {
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'BF16': {
      const words = Uint32Array.from(new Uint16Array(buffer), (half) => half << 16);
      return new Float32Array(words.buffer);
    }
    case 'F16':
      return Float32Array.from(new Uint16Array(buffer), fromHalf);
    default:
      return new Float32Array(buffer);
  }
}

/** Dtypes whose values can be taken for float32 numbers. */
const floats: ReadonlySet<SafetensorsDtype> = new Set(['F32', 'F16', 'BF16', 'F64']);

/** @throws SAFETENSORS_INVALID where `floatsOf` would, without reading a value. */
export function requireFloats({ dtype }: StoredTensor, where?: string): void {
  if (!floats.has(dtype))
    throw fail('SAFETENSORS_INVALID', { rule: 'hold floating-point values', found: dtype }, { where });
}

function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bytes of a file that holds `tensors` as F32 in the order given, in parts that are to be written one after the other. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, FloatTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  return [headerOf(tensors, metadata), ...Array.from(tensors.values(), ({ data }) => bytesIn(data))];
}

/** The same, part by part: the values of a tensor are asked for when all before it have been taken. */
export async function* safetensorsParts(
  tensors: ReadonlyMap<string, FloatTensor | LateTensor>,
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array, void> {
  yield headerOf(tensors, metadata);
  for (const [name, tensor] of tensors) {
    const data = 'data' in tensor ? tensor.data : await tensor.read();
    if (data.length !== sizeOf(tensor.shape))
      throw new Error(`${name} has ${counted(data.length, 'value')}, not ${sizeOf(tensor.shape)}`);
    yield bytesIn(data);
  }
}

/** The length of the header, and the header. */
function headerOf(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let at = 0;
  for (const [name, { shape }] of tensors) {
    const end = at + bytesOf.F32 * sizeOf(shape);
    header[name] = { dtype: 'F32', shape, data_offsets: [at, end] };
    at = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces bring the values to a multiple of eight bytes, so that other readers can map them.
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8));
  json.copy(bytes, 8);
  return bytes;
}

function bytesIn({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
