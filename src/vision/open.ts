import sharp from 'sharp';
import { fail, messageOf } from '../errors.ts';
import { type Format, sniff } from './formats.ts';
import { jpegHeader } from './jpeg-header.ts';
import { Picture } from './picture.ts';

/** Formats that are let through unless more are named. */
export const commonFormats: readonly Format[] = ['jpeg', 'png', 'webp'];

/** The default limit on the pixels of one picture: 2²⁷ = 134,217,728, about 11,500 × 11,500. */
export const defaultMaxPixels = 2 ** 27;

export interface OpenOptions {
  /** The formats that may be decoded. Default JPEG, PNG and WebP. */
  readonly formats?: readonly Format[];
  /** The most pixels the header may announce. Default 2²⁷. */
  readonly maxPixels?: number;
}

/**
 * Opens an encoded picture: looks at its first bytes (a file is what it is, not what it is called), reads its header and checks the
 * limit; decodes nothing. EXIF's orientation is taken into `width` and `height`. Of an animation, the first frame.
 * `bytes` are read again while the picture is rendered: their memory must stay as it is, neither written nor detached nor shrunk, until all of its
 * renderings have ended.
 * @throws PICTURE_EMPTY, PICTURE_FORMAT, PICTURE_LIMIT, PICTURE_BROKEN
 */
export async function openPicture(bytes: Uint8Array, options: OpenOptions = {}): Promise<Picture> {
  return openSoon(bytes, options);
}

/** As `openPicture`, but at once where the header needs no decoder, as those of nearly all JPEGs: a promise costs more than reading it. */
export function openSoon(
  bytes: Uint8Array,
  { formats = commonFormats, maxPixels = defaultMaxPixels }: OpenOptions = {},
): Picture | Promise<Picture> {
  if (bytes.length === 0) throw fail('PICTURE_EMPTY', {});
  const found = sniff(bytes);
  const { format } = found;
  if (format === undefined || !formats.includes(format)) {
    const advice =
      format === undefined
        ? 'Remove the file, or convert it.'
        : `Name \`${format}\` among \`formats\`, or convert the file.`;
    throw fail('PICTURE_FORMAT', { formats: formats.join(', '), found: found.what, advice });
  }
  const header = format === 'jpeg' ? quickHeader(bytes) : undefined;
  if (header !== undefined) return pictureOf(bytes, header, maxPixels);
  return readHeader(bytes).then((header) => pictureOf(bytes, header, maxPixels));
}

/** @throws PICTURE_LIMIT */
function pictureOf(bytes: Uint8Array, header: Header, maxPixels: number): Picture {
  const { width, height, orientation, alpha, plainJpeg } = header;
  if (width * height > maxPixels) throw fail('PICTURE_LIMIT', { limit: maxPixels, width, height });
  return new Picture({ kind: 'encoded', bytes, orientation, alpha, plainJpeg, maxPixels }, width, height);
}

/** `width` and `height` are upright. */
interface Header {
  readonly width: number;
  readonly height: number;
  readonly orientation: number;
  readonly alpha: boolean;
  readonly plainJpeg: boolean;
}

/** The header of a JPEG, when it is as JPEGs are. */
function quickHeader(bytes: Uint8Array): Header | undefined {
  const found = jpegHeader(bytes);
  if (found === undefined) return undefined;
  const { orientation, components, foreignProfile } = found;
  const turned = orientation > 4;
  return {
    width: turned ? found.height : found.width,
    height: turned ? found.width : found.height,
    orientation,
    alpha: false,
    plainJpeg: components !== 4 && !foreignProfile,
  };
}

async function readHeader(bytes: Uint8Array): Promise<Header> {
  try {
    const {
      autoOrient,
      orientation = 1,
      hasAlpha,
    } = await sharp(bytes, {
      failOn: 'error',
      limitInputPixels: false,
    }).metadata();
    return { ...autoOrient, orientation, alpha: hasAlpha, plainJpeg: false };
  } catch (error) {
    throw fail('PICTURE_BROKEN', { reason: messageOf(error) }, { cause: error });
  }
}
