import { inflateSync } from 'node:zlib';
import crc32 from 'crc-32';
import { orientationIn } from './exif.ts';
import { startsWith } from './jpeg-segments.ts';
import { isForeignProfile } from './profile.ts';

/** What the header of a PNG says, as far as opening it needs. */
export interface PngHeader {
  /** As stored, before orientation. */
  readonly width: number;
  readonly height: number;
  /** EXIF's, 1–8; EXIF behind the pixels does not count. */
  readonly orientation: number;
  /** Whether pixels may be transparent: by an alpha channel, or by tRNS. */
  readonly alpha: boolean;
  /** Whether it has no colours but those that it is laid on. */
  readonly grey: boolean;
  /** Whether it carries a colour profile of another colour space than sRGB. */
  readonly foreignProfile: boolean;
}

/** By colour type: the depths that it may have. */
const depths: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

const firstChunk = 8;

/**
 * Reads the chunks of a PNG up to its first pixels; nothing when they are not as they should be, or unusual, so that a full decoder has to judge.
 */
export function pngHeader(bytes: Uint8Array): PngHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // The header's chunk, and the length and name of another.
  if (bytes.length < 41 || view.getUint32(firstChunk) !== 13 || !startsWith(bytes, 12, 'IHDR')) return undefined;
  if (view.getInt32(29) !== crc32.buf(bytes.subarray(12, 29))) return undefined;
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, type, compression, filter, interlace] = bytes.subarray(24, 29);
  const isKnown = depths[type!]?.includes(depth!) && compression === 0 && filter === 0 && interlace! <= 1;
  if (!isKnown || width === 0 || height === 0 || width >= 2 ** 31 || height >= 2 ** 31) return undefined;
  let [alpha, hasPalette, orientation, foreignProfile] = [type! >= 4, false, 1, false];
  for (let at = 33; at + 8 <= bytes.length; ) {
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === 'IDAT') {
      if (type === 3 && !hasPalette) return undefined;
      const grey = type === 0 || type === 4;
      return { width, height, orientation, alpha, grey, foreignProfile };
    }
    const to = at + 8 + view.getUint32(at);
    if (to + 4 > bytes.length || isUnusual(name, bytes.subarray(at + 8, to))) return undefined;
    const content = bytes.subarray(at + 8, to);
    if (name === 'PLTE') hasPalette = true;
    else if (name === 'tRNS') alpha = true;
    else if (name === 'eXIf') orientation = orientationIn(content);
    else if (name === 'iCCP') foreignProfile = depth === 16 || isForeignChunk(content);
    at = to + 4;
  }
  return undefined;
}

/** A critical chunk (its name begins with a capital) that no decoder knows, and EXIF where ImageMagick puts it. */
function isUnusual(name: string, content: Uint8Array): boolean {
  if (name.charCodeAt(0) < 0x61) return name !== 'PLTE';
  return name.endsWith('Xt') && startsWith(content, 0, 'Raw profile type');
}

/** The longest profile that is looked at. */
const longestProfile = 2 ** 20;

/** A chunk iCCP: a name, a zero, the method of compression (0), the profile. */
function isForeignChunk(content: Uint8Array): boolean {
  const end = content.indexOf(0);
  if (end < 0 || content[end + 1] !== 0) return true;
  try {
    return isForeignProfile(inflateSync(content.subarray(end + 2), { maxOutputLength: longestProfile }));
  } catch {
    // Damaged, or longer: every error of zlib says that the full decoder must judge it.
    return true;
  }
}
