import { createReadStream, type ReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { counted } from '../counts.ts';
import { fail, messageOf, PatchstreamError, reasonOf } from '../errors.ts';
import { packedBytes } from '../files/packed-as.ts';
import { pathOption } from '../files/path-option.ts';
import { systemCode } from '../files/system.ts';
import { type Picture, rawPicture } from '../vision/picture.ts';
import { defineSource } from './source.ts';

/** What a sample of an idx file has: a raw grey picture, and its label where there is a file of labels. */
export type IdxFields = { readonly picture: Picture; readonly label?: number };

/**
 * The format of MNIST: a file of images (magic 0x00000803: count, height, width as big-endian integers, then uint8 grey pixels; 0x00000804 with 1 or 3
 * channels of each pixel), and one of labels (0x00000801 of uint8; also int8, int16 and int32), plain or gzip, which may be filled up with zeros. Keys are the name of the file of images, a slash and the image's number: `train-images-idx3-ubyte/7`.
 * The samples have pictures, so the chain needs no `decode`.
 * Opening throws FILE_UNREADABLE, IDX_HEADER, IDX_LENGTH, IDX_LIMIT, IDX_LABEL, IDX_COUNTS.
 */
export const idx = defineSource({
  name: 'idx',
  summary: "Images and labels in the format of MNIST's files, plain or gzip.",
  policies: ['maxBytes'],
  options: z.strictObject({
    images: pathOption().describe('The file of images; a relative path starts at the pipeline file.'),
    labels: pathOption().optional().describe('The file of labels, one for each image.'),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 30)
      .describe('The most bytes that a file may hold when it is unpacked; more fails before memory is taken.'),
  }),
  shorthand: 'images',
  reads: ({ images, labels }) => [images, ...(labels === undefined ? [] : [labels])],
  spec: ({ labels }) => ({
    fields:
      labels === undefined ? { picture: 'picture' } : { picture: 'picture', label: { dtype: 'int32', shape: [] } },
  }),
  async open({ images, labels, maxBytes }, { base }) {
    const file = await readIdx(resolve(base, images), 'images', maxBytes);
    const [count, height, width] = file.shape as [number, number, number];
    const channels = (file.shape[3] ?? 1) as 1 | 3;
    const marks = labels === undefined ? undefined : marksOf(await readIdx(resolve(base, labels), 'labels', maxBytes));
    if (marks !== undefined && marks.length !== count)
      throw fail('IDX_COUNTS', { images: count, labels: marks.length });
    const name = basename(images).replace(/\.gz$/, '');
    const size = height * width * channels;
    return {
      count,
      ...(marks === undefined
        ? {}
        : {
            label: (index: number) => marks[index]!,
            classNames: Array.from({ length: marks.reduce((most, mark) => Math.max(most, mark), 0) + 1 }, (_, i) =>
              String(i),
            ),
          }),
      key: (index) => `${name}/${index}`,
      records: { data: file.data, width, height, channels },
      read(index): IdxFields {
        const data = file.data.subarray(index * size, (index + 1) * size);
        const picture = rawPicture({ data, width, height, channels });
        return marks === undefined ? { picture } : { picture, label: marks[index]! };
      },
    };
  },
});

/** The first two bytes of a magic number are 0, the third says what the values are, the last how many dimensions there are. */
const kinds = {
  images: [0x0803, 0x0804],
  labels: [0x0801, 0x0901, 0x0b01, 0x0c01],
} as const;

/** Bytes of a value, by the third byte. */
const widths: Readonly<Record<number, 1 | 2 | 4>> = { 8: 1, 9: 1, 11: 2, 12: 4 };

/** More classes than any data set has: their names are in memory. */
const mostClasses = 2 ** 16;

/** Labels of any width. @throws IDX_LABEL */
function marksOf({ data, magic, shape }: Collected): Int32Array {
  const view = new DataView(data.buffer);
  const read = { 8: 'getUint8', 9: 'getInt8', 11: 'getInt16', 12: 'getInt32' }[magic >> 8] as 'getInt32';
  const width = widths[magic >> 8]!;
  const marks = Int32Array.from({ length: shape[0]! }, (_, i) => view[read](i * width));
  const strange = marks.find((mark) => mark < 0 || mark >= mostClasses);
  if (strange !== undefined) throw fail('IDX_LABEL', { found: strange });
  return marks;
}

/** Reads an idx file of bytes. The header is judged, also against the size of the file, before memory for the data is taken. */
async function readIdx(path: string, what: keyof typeof kinds, maxBytes: number): Promise<Collected> {
  let handle: FileHandle | undefined;
  let collector: IdxCollector | undefined;
  try {
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(8), 0, 8, 0);
    const packed = bytesRead >= 2 && buffer.readUInt16BE(0) === 0x1f8b;
    const other = packed ? undefined : packedBytes(buffer.subarray(0, bytesRead));
    if (other !== undefined) {
      const slots = { what, expected: hex(kinds[what][0]), found: `${other.what}; ${other.advice}` };
      throw fail('IDX_HEADER', slots, { where: path });
    }
    // Deflate packs at most 1032 to 1: a header that asks for more than that lies.
    collector = new IdxCollector(what, { maxBytes, most: packed ? size * 1032 : size, path });
    const collect = async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) collector!.add(chunk);
    };
    const stream = createReadStream(path);
    if (packed) await unpacked(stream, collect, handle, size);
    else await pipeline(stream, collect);
    return collector.end();
  } catch (error) {
    // A pipeline that is ended from within reports that it was aborted; what ended it is with the collector.
    if (collector?.failure !== undefined) throw collector.failure;
    const code = systemCode(error);
    if (code?.startsWith('Z_')) throw collector!.wrongLength(`${messageOf(error)} while unpacking`, error);
    if (code === undefined) throw error;
    throw fail('FILE_UNREADABLE', { file: path, reason: reasonOf(error) }, { cause: error });
  } finally {
    await handle?.close();
  }
}

/** A gzip file may be filled up with zeros, as to whole blocks of a tape: unpacking ends before them, and the file is read no further. */
async function unpacked(
  stream: ReadStream,
  collect: (chunks: AsyncIterable<Buffer>) => Promise<void>,
  handle: FileHandle,
  size: number,
): Promise<void> {
  const gunzip = createGunzip();
  stream.on('error', (error) => gunzip.destroy(error));
  stream.pipe(gunzip);
  try {
    await collect(gunzip);
  } finally {
    stream.destroy();
    gunzip.destroy();
  }
  const rest = Buffer.alloc(Math.min(2 ** 16, size));
  for (let at = gunzip.bytesWritten; at < size; ) {
    const { bytesRead } = await handle.read(rest, 0, rest.length, at);
    if (bytesRead === 0) return;
    const strange = rest.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
    if (strange >= 0)
      throw Object.assign(new Error(`other bytes after its end, at ${at + strange}`), { code: 'Z_DATA_ERROR' });
    at += bytesRead;
  }
}

interface Collected {
  readonly magic: number;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Takes an idx file in pieces of any size: first the header, then as many bytes as it announces, no more. */
class IdxCollector {
  readonly #what: keyof typeof kinds;
  readonly #limits: { readonly maxBytes: number; readonly most: number; readonly path: string };
  #head = Buffer.alloc(0);
  #body: Collected | undefined;
  #filled = 0;

  constructor(what: keyof typeof kinds, limits: { maxBytes: number; most: number; path: string }) {
    this.#what = what;
    this.#limits = limits;
  }

  /** What was wrong with the bytes, once something was. */
  failure: PatchstreamError | undefined;

  add(chunk: Buffer): void {
    try {
      this.#take(chunk);
    } catch (error) {
      if (error instanceof PatchstreamError) this.failure = error;
      throw error;
    }
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    if (this.#body === undefined) {
      this.#head = Buffer.concat([this.#head, chunk]);
      if (this.#head.length < 4) return;
      const magic = this.#magicOf(this.#head);
      const length = 4 + 4 * (magic & 0xff);
      if (this.#head.length < length) return;
      this.#body = this.#allocate(magic, this.#shapeOf(this.#head, magic));
      rest = this.#head.subarray(length);
    }
    const { data } = this.#body;
    if (this.#filled + rest.length > data.length) throw this.wrongLength('more');
    data.set(rest, this.#filled);
    this.#filled += rest.length;
  }

  end(): Collected {
    if (this.#body === undefined) {
      throw this.#wrongHeader(`a file of ${counted(this.#head.length, 'byte')}`);
    }
    if (this.#filled < this.#body.data.length) throw this.wrongLength(this.#filled);
    return this.#body;
  }

  wrongLength(found: string | number, cause?: unknown): PatchstreamError {
    const expected = this.#body?.data.length ?? 'after its header';
    return fail('IDX_LENGTH', { expected, found }, { where: this.#limits.path, cause });
  }

  #shapeOf(head: Buffer, magic: number): number[] {
    const shape = Array.from({ length: magic & 0xff }, (_, i) => head.readUInt32BE(4 + 4 * i));
    const channels = shape[3];
    if (channels === undefined || channels === 1 || channels === 3) return shape;
    throw this.#wrongHeader(`${shape.join(' × ')}, of ${counted(channels, 'channel')}`);
  }

  #magicOf(head: Buffer): number {
    const found = head.readUInt32BE(0);
    if (!(kinds[this.#what] as readonly number[]).includes(found)) throw this.#wrongHeader(hex(found));
    return found;
  }

  #allocate(magic: number, shape: readonly number[]): Collected {
    const { maxBytes, most, path } = this.#limits;
    const size = shape.reduce((product, side) => product * side, widths[magic >> 8]!);
    if (size < 1 || size > maxBytes)
      throw fail('IDX_LIMIT', { limit: maxBytes, shape: shape.join(' × ') }, { where: path });
    if (size > most) throw fail('IDX_LENGTH', { expected: size, found: `no more than ${most}` }, { where: path });
    return { magic, shape, data: new Uint8Array(size) };
  }

  #wrongHeader(found: string): PatchstreamError {
    return fail(
      'IDX_HEADER',
      { what: this.#what, expected: hex(kinds[this.#what][0]), found },
      { where: this.#limits.path },
    );
  }
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, '0')}`;
}
