import { orientationIn } from './exif.ts';
import { startsWith } from './jpeg-segments.ts';
import { isForeignProfile } from './profile.ts';

/** What the header of a WebP says, as far as opening it needs. */
export interface WebpHeader {
  /** As stored, before orientation. */
  readonly width: number;
  readonly height: number;
  /** EXIF's, 1–8. */
  readonly orientation: number;
  /** Whether pixels may be transparent. */
  readonly alpha: boolean;
  /** Whether it carries a colour profile of another colour space than sRGB. */
  readonly foreignProfile: boolean;
}

/** Flags of the chunk VP8X. */
const flags = { animation: 0x02, exif: 0x08, alpha: 0x10, profile: 0x20 } as const;

/**
 * Reads the chunks of a WebP; nothing when they are not as they should be, or it is an animation, so that a full decoder has to judge.
 */
export function webpHeader(bytes: Uint8Array): WebpHeader | undefined {
  const first = chunkAt(bytes, 12);
  if (first === undefined) return undefined;
  if (first.name !== 'VP8X') return picture(first);
  const { content } = first;
  if (content.length < 10 || (content[0]! & flags.animation) !== 0) return undefined;
  const size = { width: 1 + three(content, 4), height: 1 + three(content, 7) };
  let [alpha, orientation, foreignProfile] = [(content[0]! & flags.alpha) !== 0, 1, false];
  let found: WebpHeader | undefined;
  for (let chunk = chunkAt(bytes, first.end); chunk !== undefined; chunk = chunkAt(bytes, chunk.end)) {
    if (chunk.name === 'ALPH') alpha = true;
    else if (chunk.name === 'ICCP')
      foreignProfile ||= (content[0]! & flags.profile) !== 0 && isForeignProfile(chunk.content);
    else if (chunk.name === 'EXIF' && (content[0]! & flags.exif) !== 0) orientation = orientationIn(chunk.content);
    else found ??= picture(chunk);
  }
  if (found?.width !== size.width || found.height !== size.height) return undefined;
  return { ...size, orientation, alpha: alpha || found.alpha, foreignProfile };
}

interface Chunk {
  readonly name: string;
  /** Less than it announces where the file ends. */
  readonly content: Uint8Array;
  /** Where the next begins. */
  readonly end: number;
}

function chunkAt(bytes: Uint8Array, at: number): Chunk | undefined {
  if (at + 8 > bytes.length) return undefined;
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at + 4, true);
  const name = String.fromCharCode(...bytes.subarray(at, at + 4));
  return { name, content: bytes.subarray(at + 8, at + 8 + size), end: at + 8 + size + (size & 1) };
}

/** The size in a chunk of pixels: VP8 is lossy, VP8L lossless. */
function picture({ name, content }: Chunk): WebpHeader | undefined {
  const plain = { orientation: 1, foreignProfile: false };
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  if (name === 'VP8 ' && content.length >= 10 && startsWith(content, 3, '\x9d\x01\x2a') && (content[0]! & 1) === 0) {
    const [width, height] = [view.getUint16(6, true) & 0x3fff, view.getUint16(8, true) & 0x3fff];
    return width === 0 || height === 0 ? undefined : { width, height, alpha: false, ...plain };
  }
  if (name !== 'VP8L' || content.length < 5 || content[0] !== 0x2f) return undefined;
  const bits = view.getUint32(1, true);
  if (bits >>> 29 !== 0) return undefined;
  return {
    width: 1 + (bits & 0x3fff),
    height: 1 + ((bits >>> 14) & 0x3fff),
    alpha: ((bits >>> 28) & 1) === 1,
    ...plain,
  };
}

/** Three bytes, the low one first. */
const three = (bytes: Uint8Array, at: number) => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
