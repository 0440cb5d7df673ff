import { isAbsent } from '../../native.ts';
import { isColoured, type LazyPicture, type Operation } from '../geometry.ts';
import { rgbToGrey } from '../pixels.ts';
import { nativeRenderer, queuedPerThread } from '../render/native.ts';
import { renderPixels } from '../render/render.ts';
import type { EncodedFormat, Encoding, Page } from './encoding.ts';
import { encodeWithSharp } from './sharp.ts';

/** What makes files of pictures. The same one makes the same bytes of the same picture. */
export interface Encoder {
  /** The library that decides the bytes; a job that goes on keeps to it. */
  readonly name: string;
  /** Pictures that it is best given at a time for each thread. */
  readonly perThread: number;
  /**
   * Renders the picture and makes a file of it; of one without colours a grey file.
   * @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
   */
  encode(picture: LazyPicture, encoding: Encoding): Promise<Uint8Array>;
  /**
   * The same, and writes it to `path`, where nothing is yet: then what comes back is how many microseconds that took. The bytes where it could not, of which
   * nothing is left there. Absent where it never can.
   */
  encodeTo?(picture: LazyPicture, encoding: Encoding, path: string): Promise<Uint8Array | number>;
}

/** Makes every format, on every machine. */
export const sharpEncoder: Encoder = {
  name: 'sharp',
  perThread: 1,
  encode: async (picture, encoding) => encodeWithSharp(await pageOf(picture), encoding),
};

/** The encoder of jobs that were begun by versions that did not record theirs: sharp, and RGB also of pictures without colours. */
export const earlierEncoder: Encoder = {
  name: 'sharp in RGB',
  perThread: 1,
  encode: async (picture, encoding) => encodeWithSharp({ ...(await renderPixels(picture)), channels: 3 }, encoding),
};

/** The fastest encoder of that format on this machine. */
export function encoderOf(format: EncodedFormat): Encoder {
  const native = nativeRenderer();
  const name = isAbsent(native) ? undefined : native.encodes(format);
  if (isAbsent(native) || name === undefined) return sharpEncoder;
  const encode = (picture: LazyPicture, encoding: Encoding, path?: string): Promise<Uint8Array | number> => {
    if (Math.max(picture.width, picture.height) > longestSides[format]) return sharpEncoder.encode(picture, encoding);
    const packed = packedOf(encoding);
    const grey = isGrey(picture);
    return native.encode({ picture, grey, encoding: packed, path }, async () => {
      const { data, width, height } = await renderPixels(picture);
      const origin = { kind: 'raw', data, width, height, channels: 3 } as const;
      const rendered: LazyPicture = { width, height, origin, from: undefined };
      return native.encode({ picture: rendered, grey, encoding: packed, path }, () =>
        sharpEncoder.encode(rendered, encoding),
      );
    });
  };
  return {
    name,
    // A small picture is made in less time than it takes to wake a thread: twice as many as are only rendered keep both threads and this one at work.
    perThread: 2 * queuedPerThread(native),
    encode: (picture, encoding) => encode(picture, encoding) as Promise<Uint8Array>,
    encodeTo: encode,
  };
}

/** The encoder of that name, which has begun a job; nothing where this machine does not have it. */
export function encoderNamed(name: string | undefined, format: EncodedFormat): Encoder | undefined {
  if (name === undefined) return earlierEncoder;
  return [encoderOf(format), sharpEncoder, earlierEncoder].find((encoder) => encoder.name === name);
}

/** The longest sides that native/image encodes; what is longer sharp refuses, or makes, in its own way. */
const longestSides: Readonly<Record<EncodedFormat, number>> = { jpeg: 65500, png: 65535, webp: 0 };

/** As `ImageAddon.submit` has it. */
function packedOf({ format, quality, chroma = '4:2:0', optimize = true }: Encoding): number {
  if (format === 'png') return 2;
  return 1 | (quality << 8) | (chroma === '4:4:4' ? 1 << 16 : 0) | (optimize ? 0 : 1 << 17);
}

async function pageOf(picture: LazyPicture): Promise<Page> {
  const pixels = await renderPixels(picture);
  if (!isGrey(picture)) return { ...pixels, channels: 3 };
  return { ...pixels, data: rgbToGrey(pixels.data), channels: 1 };
}

/** Whether a picture is known to have no colours: its origin has none, and nothing that was done to it has brought in one. */
export function isGrey({ origin, from }: LazyPicture): boolean {
  if (origin.kind === 'raw' ? origin.channels === 3 : origin.grey !== true) return false;
  for (let at = from; at !== undefined; at = at.picture.from) if (bringsColour(at.operation)) return false;
  return true;
}

const bringsColour = (operation: Operation) => 'background' in operation && isColoured(operation.background);
