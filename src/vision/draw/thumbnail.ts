import { PatchstreamError } from '../../errors.ts';
import { systemCode } from '../../whole-file.ts';
import { encoderOf } from '../encode/encoder.ts';
import type { Picture } from '../picture.ts';

/** A small JPEG of a picture, at most `side` pixels high and wide, if it can still be opened. */
export async function thumbnailOf(
  open: () => Promise<Picture | undefined>,
  side: number,
): Promise<Uint8Array | undefined> {
  try {
    const picture = await open();
    if (picture === undefined) return undefined;
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const [width, height] = [picture.width, picture.height].map((length) => Math.max(1, Math.round(length * scale)));
    const small = picture.resize({ width: width!, height: height!, fit: 'fill' });
    return await encoderOf('jpeg').encode(small, { format: 'jpeg', quality: 80 });
  } catch (error) {
    // A file that is gone or another by now; all else is an error of ours.
    if (error instanceof PatchstreamError || systemCode(error) !== undefined) return undefined;
    throw error;
  }
}
