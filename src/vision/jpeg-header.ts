/** What the header of a JPEG says, as far as opening it needs. */
export interface JpegHeader {
  /** As stored, before orientation. */
  readonly width: number;
  readonly height: number;
  /** EXIF's, 1–8. */
  readonly orientation: number;
  /** 1 grey, 3 colour, 4 CMYK or YCCK. */
  readonly components: number;
  /** Whether it carries a colour profile of another colour space than sRGB. */
  readonly foreignProfile: boolean;
}

const marker = { app1: 0xe1, app2: 0xe2, app14: 0xee, scan: 0xda, end: 0xd9 };

/**
 * Reads the markers of a JPEG up to its first scan; nothing when they are not as they should be, or unusual, so that a full decoder has to judge.
 * Costs a few microseconds, where opening the file with a decoder costs over a hundred.
 */
export function jpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  const end = bytes.length;
  if (end < 4 || bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  let width = 0;
  let height = 0;
  let components = 0;
  let orientation = 0;
  let foreignProfile = false;
  for (let at = 2; at + 4 <= end; ) {
    if (bytes[at] !== 0xff) return undefined;
    const kind = bytes[at + 1]!;
    // Fill bytes may stand before a marker.
    if (kind === 0xff) {
      at++;
      continue;
    }
    const length = two(bytes, at + 2);
    if (kind === marker.end || kind < 0xc0 || (kind >= 0xd0 && kind <= 0xd8) || length < 2) return undefined;
    const from = at + 4;
    at += 2 + length;
    if (at > end) return undefined;
    if (kind === marker.scan) {
      if (width === 0) return undefined;
      return { width, height, orientation: orientation || 1, components, foreignProfile };
    }
    if (isFrame(kind)) {
      if (width !== 0 || length < 8 || bytes[from] !== 8) return undefined;
      height = two(bytes, from + 1);
      width = two(bytes, from + 3);
      components = bytes[from + 5]!;
      if (width === 0 || height === 0 || !isCount(components)) return undefined;
    } else if (kind === marker.app1 && orientation === 0) {
      orientation = orientationIn(bytes, from, at);
    } else if (kind === marker.app2) {
      foreignProfile ||= startsWith(bytes, from, 'ICC_PROFILE\0') && isForeignProfile(bytes.subarray(from, at));
    }
  }
  return undefined;
}

/** Two bytes, the high one first. */
function two(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Start-of-frame markers: baseline, extended, progressive, and their arithmetic forms. Lossless and hierarchical ones nobody decodes. */
const isFrame = (kind: number) => kind >= 0xc0 && kind <= 0xcf && kind !== 0xc4 && kind !== 0xc8 && kind !== 0xcc;

/** Numbers of colour components. */
const isCount = (components: number) => components === 1 || components === 3 || components === 4;

function startsWith(bytes: Uint8Array, from: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The orientation in a segment of EXIF; 0 when it is another segment, 1 when it says none that counts. */
function orientationIn(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < 20 || !startsWith(bytes, from, 'Exif\0\0')) return 0;
  const tiff = from + 6;
  const little = two(bytes, tiff) === 0x4949;
  if (!little && two(bytes, tiff) !== 0x4d4d) return 1;
  const short = (at: number) => (little ? bytes[at]! | (bytes[at + 1]! << 8) : two(bytes, at));
  // Read as two halves: a sum of bytes that are shifted by 24 could be negative.
  const directory =
    tiff + (little ? short(tiff + 4) + 65536 * short(tiff + 6) : 65536 * short(tiff + 4) + short(tiff + 6));
  if (directory + 2 > to) return 1;
  const entries = short(directory);
  for (let i = 0, at = directory + 2; i < entries && at + 12 <= to; i++, at += 12) {
    if (short(at) !== 0x0112) continue;
    const value = short(at + 8);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** Whether the profile in a segment is not sRGB's by its name. One in several segments is taken for foreign. */
function isForeignProfile(segment: Uint8Array): boolean {
  const profile = segment.subarray(14);
  if (segment[12] !== 1 || segment[13] !== 1 || profile.length < 132) return true;
  const view = new DataView(profile.buffer, profile.byteOffset, profile.length);
  if (!startsWith(profile, 16, 'RGB ')) return true;
  const tags = view.getUint32(128);
  for (let i = 0, at = 132; i < tags && at + 12 <= profile.length; i++, at += 12) {
    if (!startsWith(profile, at, 'desc')) continue;
    const from = view.getUint32(at + 4);
    const text = profile.subarray(from, from + view.getUint32(at + 8));
    // Profiles of version 4 write it in UTF-16.
    const name = String.fromCharCode(...text.subarray(0, 512).filter((byte) => byte !== 0));
    return !name.includes('sRGB');
  }
  return true;
}
