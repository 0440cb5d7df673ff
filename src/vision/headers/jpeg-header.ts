import { counted } from '../../counts.ts';
import { exifStart, orientationIn } from './exif.ts';
import { isFrame, jpegMarkers, segmentsOf, startsWith, two } from './jpeg-segments.ts';
import { isForeignProfile } from './profile.ts';

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

/**
 * Reads the markers of a JPEG up to its first scan; nothing when they are not as they should be, or unusual, so that a full decoder has to judge.
 * Costs a few microseconds, where opening the file with a decoder costs over a hundred.
 */
export function jpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  let [width, height, components, orientation] = [0, 0, 0, 0];
  let foreignProfile = false;
  for (const { kind, from, to } of segmentsOf(bytes)) {
    if (kind === jpegMarkers.scan) {
      if (width === 0) return undefined;
      return { width, height, orientation: orientation || 1, components, foreignProfile };
    }
    if (isFrame(kind)) {
      if (width !== 0 || to - from < 6 || bytes[from] !== 8 || !isSampled(kind)) return undefined;
      [height, width, components] = [two(bytes, from + 1), two(bytes, from + 3), bytes[from + 5]!];
      if (width === 0 || height === 0 || !isCount(components)) return undefined;
    } else if (kind === jpegMarkers.app1) {
      // Of several the first counts; a long one goes on in further segments.
      if (orientation === 0 && startsWith(bytes, from, exifStart))
        orientation = orientationIn(bytes.subarray(from, to));
    } else if (kind === jpegMarkers.app2) {
      foreignProfile ||= startsWith(bytes, from, 'ICC_PROFILE\0') && isForeignSegment(bytes.subarray(from, to));
    }
  }
  return undefined;
}

/** Baseline, extended and progressive frames, and their arithmetic forms. */
const isSampled = (kind: number) => kind <= 0xc2 || kind === 0xc9 || kind === 0xca;

/**
 * What a JPEG is that neither native/image nor sharp decodes; undefined for one that they do, or whose header is damaged. They decode 8 bits: baseline,
 * extended, progressive, with Huffman or arithmetic codes, and sharp lossless ones.
 */
export function strangeJpeg(bytes: Uint8Array): string | undefined {
  for (const { kind, from, to } of segmentsOf(bytes)) {
    if (kind === jpegMarkers.lossless) return 'a JPEG-LS';
    if (!isFrame(kind) || to - from < 6) continue;
    const [bits, components] = [bytes[from]!, bytes[from + 5]!];
    if ((kind & 3) === 3 && bits !== 8 && bits <= 16) return `a lossless JPEG of ${bits} bits`;
    if (bits === 12) return 'a JPEG of 12 bits';
    if (kind === 0xcb) return 'a lossless JPEG with arithmetic codes';
    if ((kind & 7) >= 5) return 'a hierarchical JPEG';
    if (two(bytes, from + 1) === 0) return 'a JPEG that says its height after its first scan (DNL)';
    return isCount(components) ? undefined : `a JPEG of ${counted(components, 'component')}`;
  }
  return undefined;
}

/** Numbers of colour components. */
const isCount = (components: number) => components === 1 || components === 3 || components === 4;

/** Whether the profile in a segment is not sRGB's by its name. One in several segments is taken for foreign. */
const isForeignSegment = (segment: Uint8Array) =>
  segment[12] !== 1 || segment[13] !== 1 || isForeignProfile(segment.subarray(14));
