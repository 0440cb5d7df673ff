import sharp from 'sharp';
import { fail, messageOf } from '../errors.ts';
import { type Format, sniff } from './formats.ts';
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
 * @throws PICTURE_EMPTY, PICTURE_FORMAT, PICTURE_LIMIT, PICTURE_BROKEN
 */
export async function openPicture(
  bytes: Uint8Array,
  { formats = commonFormats, maxPixels = defaultMaxPixels }: OpenOptions = {},
): Promise<Picture> {
  if (bytes.length === 0) throw fail('PICTURE_EMPTY', {});
  const found = sniff(bytes);
  const format = formats.find((name) => name === found.format);
  if (format === undefined) {
    const advice =
      found.format === undefined
        ? 'Remove the file, or convert it.'
        : `Name \`${found.format}\` among \`formats\`, or convert the file.`;
    throw fail('PICTURE_FORMAT', { formats: formats.join(', '), found: found.what, advice });
  }
  const header = await readHeader(bytes);
  const { autoOrient: size, orientation = 1, hasAlpha } = header;
  if (size.width * size.height > maxPixels) {
    throw fail('PICTURE_LIMIT', { limit: maxPixels, width: size.width, height: size.height });
  }
  return new Picture({ kind: 'encoded', bytes, orientation, alpha: hasAlpha, maxPixels }, size.width, size.height);
}

async function readHeader(bytes: Uint8Array) {
  try {
    return await sharp(bytes, { failOn: 'error', limitInputPixels: false }).metadata();
  } catch (error) {
    throw fail('PICTURE_BROKEN', { reason: messageOf(error) }, { cause: error });
  }
}
