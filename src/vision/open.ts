import sharp, { type Metadata } from 'sharp';
import { fail } from '../errors.ts';
import { isColoured } from './geometry.ts';
import { orientationIn } from './headers/exif.ts';
import { type Format, sniff } from './headers/formats.ts';
import { jpegHeader, strangeJpeg } from './headers/jpeg-header.ts';
import { pngHeader } from './headers/png-header.ts';
import { strangeTiff } from './headers/tiff.ts';
import { webpHeader } from './headers/webp-header.ts';
import { type Colour, Picture } from './picture.ts';
import { longestSide } from './render/native.ts';
import { decoderError } from './render/sharp.ts';

/** Formats that are let through unless more are named. */
export const commonFormats: readonly Format[] = ['jpeg', 'png', 'webp'];

/** The default limit on the pixels of one picture: 2²⁷ = 134,217,728, about 11,500 × 11,500. */
export const defaultMaxPixels = 2 ** 27;

export interface OpenOptions {
  /** The formats that may be decoded. Default JPEG, PNG and WebP. */
  readonly formats?: readonly Format[];
  /** The most pixels the header may announce. Default 2²⁷. */
  readonly maxPixels?: number;
  /** What a picture with an alpha channel is laid on. Default white. */
  readonly background?: Colour;
}

/** The default background of transparent pictures. */
export const white: Colour = [255, 255, 255];

/**
 * Opens an encoded picture: looks at its first bytes (a file is what it is, not what it is called), reads its header and checks the
 * limit; decodes nothing. EXIF's orientation is taken into `width` and `height`. Of an animation, the first frame.
 * `bytes` are read again while the picture is rendered: their memory must stay as it is, neither written nor detached nor shrunk, until all of its
 * renderings have ended.
 * @throws PICTURE_EMPTY, PICTURE_FORMAT, PICTURE_UNSUPPORTED, PICTURE_LIMIT, PICTURE_BROKEN
 */
export async function openPicture(bytes: Uint8Array, options: OpenOptions = {}): Promise<Picture> {
  return openSoon(bytes, options);
}

/** As `openPicture`, but at once where the header needs no decoder, as those of nearly all JPEGs, PNGs and WebPs: a promise costs more than reading it. */
export function openSoon(
  bytes: Uint8Array,
  { formats = commonFormats, maxPixels = defaultMaxPixels, background = white }: OpenOptions = {},
): Picture | Promise<Picture> {
  // A source of a user's own may give a text, which is no file either.
  if (!ArrayBuffer.isView(bytes)) {
    const slots = { formats: formats.join(', '), found: `${typeof bytes}, and no bytes`, advice: 'Give a Uint8Array.' };
    throw fail('PICTURE_FORMAT', slots);
  }
  if (bytes.length === 0) throw fail('PICTURE_EMPTY', {});
  const { format, what, advice } = sniff(bytes);
  if (format === undefined || !formats.includes(format)) {
    const todo =
      format === undefined
        ? (advice ?? 'Remove the file, or convert it.')
        : `Name \`${format}\` among \`formats\`, or convert the file.`;
    throw fail('PICTURE_FORMAT', { formats: formats.join(', '), found: what, advice: todo });
  }
  const limits = { format, maxPixels, background };
  const header = quickHeader(bytes, format);
  if (header !== undefined) return pictureOf(bytes, header, limits);
  return readHeader(bytes, format).then((header) => pictureOf(bytes, header, limits));
}

interface Limits {
  readonly format: Format;
  readonly maxPixels: number;
  readonly background: Colour;
}

/** @throws PICTURE_LIMIT */
function pictureOf(bytes: Uint8Array, header: Header, { format, maxPixels, background }: Limits): Picture {
  const { orientation, alpha, plain } = header;
  const grey = header.grey === true && plain && !(alpha && isColoured(background));
  const [width, height] = orientation > 4 ? [header.height, header.width] : [header.width, header.height];
  if (width * height > maxPixels) throw fail('PICTURE_LIMIT', { limit: maxPixels, width, height });
  const origin = {
    kind: 'encoded',
    bytes,
    format,
    orientation,
    alpha,
    background,
    plain,
    grey,
    maxPixels,
  } as const;
  return new Picture(origin, width, height);
}

/** `width` and `height` are as stored, before orientation. */
interface Header {
  readonly width: number;
  readonly height: number;
  readonly orientation: number;
  readonly alpha: boolean;
  readonly plain: boolean;
  /** Without colours but those that it is laid on. */
  readonly grey?: boolean;
}

/** The header of a JPEG, PNG or WebP, when it is as they are. */
function quickHeader(bytes: Uint8Array, format: Format): Header | undefined {
  if (format === 'png' || format === 'webp') {
    const found = format === 'png' ? pngHeader(bytes) : webpHeader(bytes);
    return found && { ...found, plain: !found.foreignProfile && Math.max(found.width, found.height) <= longestSide };
  }
  const found = format === 'jpeg' ? jpegHeader(bytes) : undefined;
  if (found === undefined) return undefined;
  const { width, height, orientation, components, foreignProfile } = found;
  const plain = components !== 4 && !foreignProfile;
  return { width, height, orientation, alpha: false, plain, grey: components === 1 };
}

async function readHeader(bytes: Uint8Array, format: Format): Promise<Header> {
  const strange = format === 'jpeg' ? strangeJpeg(bytes) : format === 'tiff' ? strangeTiff(bytes) : undefined;
  if (strange !== undefined) throw unsupported(strange);
  const { width, height, hasAlpha, depth, orientation = 1, exif } = await metadataOf(bytes);
  // Of TIFFs that only sharp has read (BigTIFF).
  if (depth !== 'uchar' && depth !== 'ushort') throw unsupported(`pixels of type ${depth}`);
  // Of an AVIF the decoder itself turns what is to be turned.
  const own = exif !== undefined && format !== 'avif' && format !== 'tiff';
  return { width, height, orientation: own ? orientationIn(exif) : orientation, alpha: hasAlpha, plain: false };
}

function unsupported(found: string): Error {
  return fail('PICTURE_UNSUPPORTED', { found });
}

async function metadataOf(bytes: Uint8Array): Promise<Metadata> {
  try {
    return await sharp(bytes, { failOn: 'error', limitInputPixels: false }).metadata();
  } catch (error) {
    throw decoderError(error);
  }
}
