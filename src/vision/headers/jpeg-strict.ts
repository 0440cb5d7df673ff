import { fail, firstLine, messageOf } from '../../errors.ts';
import { isData, judgeScan } from './jpeg-scan.ts';
import { isFrame, jpegMarkers, segmentsOf, startsWith } from './jpeg-segments.ts';

/** What sharp lets a decoder fail on. */
export type FailOn = 'error' | 'warning';

/**
 * Decodes a JPEG with sharp so that damage fails as it does in native/image. Of one scan the codes are judged here, as far as `rows` rows from the top need
 * them. Of several sharp fails on every warning of its decoder, of which it reports the first alone: one that is harmless is taken out of the file, and the
 * rest is tried again.
 * @throws PICTURE_BROKEN, and what `decode` throws
 */
export async function decodeStrictly<T>(
  bytes: Uint8Array,
  rows: number,
  decode: (bytes: Uint8Array, failOn: FailOn) => Promise<T>,
): Promise<T> {
  const judged = judgeScan(bytes, rows);
  if (judged?.damage !== undefined) throw fail('PICTURE_BROKEN', { reason: judged.damage });
  if (judged !== undefined) return decode(withEnd(bytes), 'error');
  const first = await attempt(() => decode(bytes, 'warning'));
  if ('done' in first) return first.done;
  const clean = tidied(bytes);
  const second = clean === bytes ? first : await attempt(() => decode(clean, 'warning'));
  if ('done' in second) return second.done;
  if (isPadded(clean, second.error)) return decode(clean, 'error');
  throw second.error;
}

async function attempt<T>(run: () => Promise<T>): Promise<{ readonly done: T } | { readonly error: unknown }> {
  try {
    return { done: await run() };
  } catch (error) {
    return { error };
  }
}

/** Whether the warning is of nothing but padding before the end of the picture. */
function isPadded(bytes: Uint8Array, error: unknown): boolean {
  const count = Number(/(\d+) extraneous bytes before marker 0xd9/.exec(firstLine(messageOf(error)))?.[1] ?? 0);
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf(Buffer.of(0xff, 0xd9));
  return count > 0 && end >= count && !isData(bytes, end - count, end);
}

/** The file with the end that libvips insists on, where there is none. */
function withEnd(bytes: Uint8Array): Uint8Array {
  return bytes.at(-1) === 0xd9 && bytes.at(-2) === 0xff ? bytes : Buffer.concat([bytes, Buffer.of(0xff, 0xd9)]);
}

/**
 * The file without what decoders warn of before the first scan and pass over: bytes between segments, an odd version of JFIF, an unknown transform of Adobe's,
 * bounds of a scan that are not those of a sequential picture. The file itself where there is none of it.
 */
function tidied(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [bytes.subarray(0, 2)];
  let [components, sequential, kept] = [3, false, 2];
  for (const { kind, at, from, to } of segmentsOf(bytes)) {
    const segment = Uint8Array.from(bytes.subarray(at, to));
    const held = from - at;
    if (isFrame(kind)) {
      components = bytes[from + 5]!;
      sequential = kind < 0xc2 || kind === 0xc9;
    } else if (kind === jpegMarkers.app0 && startsWith(bytes, from, 'JFIF\0')) segment[held + 5] = 1;
    else if (kind === jpegMarkers.app14 && startsWith(bytes, from, 'Adobe') && segment[held + 11]! > 2) {
      // As decoders take it.
      segment[held + 11] = components === 4 ? 2 : 1;
    } else if (kind === jpegMarkers.scan && sequential) segment.set([0, 63, 0], segment.length - 3);
    parts.push(segment);
    kept = to;
  }
  const whole = Buffer.concat([...parts, bytes.subarray(kept)]);
  return whole.equals(bytes) ? bytes : whole;
}
