import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createInflate } from 'node:zlib';
import { counted } from '../counts.ts';
import { fail, messageOf, PatchstreamError, reasonOf } from '../errors.ts';
import { packedBytes } from '../files/packed-as.ts';
import { systemCode } from '../files/system.ts';

/** Numeric arrays of MAT-files of level 5, little-endian, whose elements are plain or deflated. Only what SVHN's files need of the format. */

/** An array in column-major order: the first dimension is the fastest. */
export interface MatArray {
  readonly shape: readonly number[];
  readonly data: Numbers;
}

type Numbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

export interface MatOptions {
  /** The most bytes that one array may hold; more fails before memory is taken. */
  readonly maxBytes: number;
}

/** Bytes of a file before its elements. */
export const matHeaderBytes = 128;
const types = { matrix: 14, deflated: 15 };

interface Stored {
  new (buffer: ArrayBuffer): Numbers | BigInt64Array | BigUint64Array;
  readonly BYTES_PER_ELEMENT: number;
}

/** How the values of an array are stored, by the number of their type. */
const stored: Readonly<Record<number, Stored>> = {
  1: Int8Array,
  2: Uint8Array,
  3: Int16Array,
  4: Uint16Array,
  5: Int32Array,
  6: Uint32Array,
  7: Float32Array,
  9: Float64Array,
  12: BigInt64Array,
  13: BigUint64Array,
};

/**
 * Reads the arrays `names` of a file; others are passed over. What a file announces is judged before memory is taken.
 *
 * @throws FILE_UNREADABLE, MAT_FORMAT, MAT_LIMIT.
 */
export async function readMat<Name extends string>(
  path: string,
  names: readonly Name[],
  { maxBytes }: MatOptions,
): Promise<Record<Name, MatArray>> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    await checkHeader(handle);
    const arrays = new Map<string, MatArray>();
    for (let at = matHeaderBytes; at < size; ) {
      const [type, length] = await tagAt(handle, at);
      const end = at + 8 + length;
      if (end > size)
        throw wrong('end where its elements end', `an element of ${counted(length, 'byte')} past its end`);
      // An empty element is what MATLAB writes for an empty array.
      if (length > 0 && (type === types.matrix || type === types.deflated)) {
        const file = createReadStream(path, { start: at + 8, end: end - 1 });
        // Deflate packs at most 1032 to 1: an array that announces more than that lies.
        const [body, most] = type === types.matrix ? [file, length] : [inflated(file), length * 1032];
        const limits = { maxBytes, most, names };
        const array = await readMatrix(new Bytes(body), type === types.deflated, limits).finally(() => {
          body.destroy();
          file.destroy();
        });
        if (array !== undefined) arrays.set(array.name, array);
      }
      // All but deflated elements are filled up to a multiple of 8 bytes.
      at = type === types.deflated ? end : at + 8 + Math.ceil(length / 8) * 8;
    }
    const missing = names.filter((name) => !arrays.has(name));
    if (missing.length > 0) {
      throw wrong(`hold the arrays ${names.join(' and ')}`, [...arrays.keys()].join(', ') || 'none of them');
    }
    return Object.fromEntries(names.map((name) => [name, arrays.get(name)!])) as Record<Name, MatArray>;
  } catch (cause) {
    if (cause instanceof PatchstreamError) throw new PatchstreamError(cause.code, cause.text, path, cause);
    const code = systemCode(cause);
    if (code === undefined) throw cause;
    if (!code.startsWith('Z_')) throw fail('FILE_UNREADABLE', { file: path, reason: reasonOf(cause) }, { cause });
    const slots = { rule: 'inflate to its end', found: messageOf(cause) };
    throw fail('MAT_FORMAT', slots, { where: path, cause });
  } finally {
    await handle?.close();
  }
}

const wrong = (rule: string, found: string) => fail('MAT_FORMAT', { rule, found });

async function checkHeader(handle: FileHandle): Promise<void> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(matHeaderBytes), 0, matHeaderBytes, 0);
  checkMatHeader(buffer.subarray(0, bytesRead));
}

/** Whether a file begins as one of level 5, little-endian. @throws MAT_FORMAT */
export function checkMatHeader(bytes: Buffer): void {
  if (bytes.length < matHeaderBytes)
    throw wrong(`begin with a header of ${counted(matHeaderBytes, 'byte')}`, counted(bytes.length, 'byte'));
  const packed = packedBytes(bytes.subarray(0, matHeaderBytes));
  if (packed !== undefined) throw wrong('be of level 5 and plain', `${packed.what}; ${packed.advice}`);
  const [version, mark] = [bytes.readUInt16LE(124), bytes.toString('latin1', 126, 128)];
  if (mark !== 'IM' || version !== 0x0100) {
    const text = bytes.toString('latin1', 0, 19).trimEnd();
    throw wrong('be of level 5 and little-endian', `a header that begins with ${JSON.stringify(text)}`);
  }
}

async function tagAt(handle: FileHandle, at: number): Promise<[type: number, length: number]> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, at);
  if (bytesRead < 8) throw wrong('end where its elements end', `${counted(bytesRead, 'byte')} after the last`);
  return [buffer.readUInt32LE(0), buffer.readUInt32LE(4)];
}

function inflated(file: Readable): Readable {
  const inflate = createInflate();
  file.on('error', (error) => inflate.destroy(error));
  return file.pipe(inflate);
}

interface Limits extends MatOptions {
  /** Bytes that the element can hold at most. */
  readonly most: number;
  readonly names: readonly string[];
}

/** The matrix of one element: flags, dimensions, name, values. Undefined where its name is not asked for. */
async function readMatrix(
  bytes: Bytes,
  tagged: boolean,
  { maxBytes, most, names }: Limits,
): Promise<(MatArray & { readonly name: string }) | undefined> {
  if (tagged && (await bytes.tag()).type !== types.matrix) return undefined;
  await bytes.small();
  const dimensions = await bytes.small();
  const shape = Array.from({ length: Math.floor(dimensions.length / 4) }, (_, i) => dimensions.readInt32LE(4 * i));
  const name = (await bytes.small()).toString('latin1');
  if (!names.includes(name)) return undefined;
  const { type, length, packed } = await bytes.tag();
  const Values = stored[type];
  if (Values === undefined) throw wrong('hold arrays of numbers', `${name} of type ${type}`);
  const needed = shape.reduce((product, side) => product * side, Values.BYTES_PER_ELEMENT);
  if (!(shape.length >= 2 && shape.every((side) => side > 0)) || needed > maxBytes) {
    throw fail('MAT_LIMIT', { limit: maxBytes, name, shape: shape.join(' × ') });
  }
  if (length !== needed) throw wrong(`hold ${counted(needed, 'byte')} of ${name}`, `${length}`);
  if (needed > most) throw wrong(`hold ${counted(needed, 'byte')} of ${name}`, `room for no more than ${most}`);
  const data = new Uint8Array(needed);
  if (packed === undefined) await bytes.fill(data);
  else data.set(packed);
  await bytes.end();
  return { name, shape, data: numbersOf(new Values(data.buffer), name) };
}

/** Integers of 64 bits as the numbers that they are, as long as those are exact. */
function numbersOf(values: Numbers | BigInt64Array | BigUint64Array, name: string): Numbers {
  if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) return values;
  const numbers = Float64Array.from(values as BigInt64Array, Number);
  const strange = numbers.findIndex((value) => !Number.isSafeInteger(value));
  if (strange >= 0) throw wrong(`hold integers up to 2^53 in ${name}`, String(values[strange]));
  return numbers;
}

interface Tag {
  readonly type: number;
  readonly length: number;
  /** Up to four bytes of data inside the tag itself. */
  readonly packed?: Buffer;
}

/** More than flags, dimensions or a name ever take. */
const longestSmall = 1024;

/** Bytes of a stream, taken piece by piece. */
class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Fills `to`. @throws MAT_FORMAT when the stream ends before. */
  async fill(to: Uint8Array): Promise<void> {
    for (let filled = 0; filled < to.length; ) {
      if (this.#rest.length === 0 && !(await this.#more())) {
        throw wrong(`hold ${counted(to.length, 'byte')} more of an element`, `${filled}`);
      }
      const part = this.#rest.subarray(0, to.length - filled);
      to.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
  }

  async tag(): Promise<Tag> {
    const tag = Buffer.alloc(8);
    await this.fill(tag);
    const [word, length] = [tag.readUInt32LE(0), tag.readUInt32LE(4)];
    // A length of at most 4 in the upper half of the type: the data stands in the tag.
    const within = word >>> 16;
    if (within === 0) return { type: word, length };
    if (within > 4)
      throw wrong('have tags of two words, or data of up to 4 bytes in one', `${counted(within, 'byte')} in one`);
    return { type: word & 0xffff, length: within, packed: tag.subarray(4, 4 + within) };
  }

  /** An element of few bytes, with what fills it up to a multiple of 8. */
  async small(): Promise<Buffer> {
    const { length, packed } = await this.tag();
    if (packed !== undefined) return packed;
    if (length > longestSmall) throw wrong('describe its arrays in a few bytes', counted(length, 'byte'));
    const data = Buffer.alloc(Math.ceil(length / 8) * 8);
    await this.fill(data);
    return data.subarray(0, length);
  }

  /** Reads to the end, so that checksums are compared; no more than padding may come. */
  async end(): Promise<void> {
    for (let extra = this.#rest.length; ; extra += this.#rest.length) {
      if (extra > 8) throw wrong('end its elements with their values', 'more bytes');
      if (!(await this.#more())) return;
    }
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    this.#rest = done === true ? Buffer.alloc(0) : value;
    return done !== true;
  }
}
