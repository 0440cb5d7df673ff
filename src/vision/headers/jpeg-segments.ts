/** Kinds of segments, the second byte of their markers. */
export const jpegMarkers = {
  app0: 0xe0,
  app1: 0xe1,
  app2: 0xe2,
  app14: 0xee,
  tables: 0xc4,
  restarts: 0xdd,
  lossless: 0xf7,
  scan: 0xda,
  end: 0xd9,
};

/** A segment of a JPEG: its marker stands at `at`, what it holds in [from, to). */
export interface Segment {
  readonly kind: number;
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The segments of a JPEG up to its first scan, that one included. Bytes that stand between them are passed over, as decoders do. Ends early where a segment
 * is not whole or has no length, which is for a decoder to judge.
 */
export function* segmentsOf(bytes: Uint8Array): Generator<Segment> {
  const end = bytes.length;
  if (end < 4 || bytes[0] !== 0xff || bytes[1] !== 0xd8) return;
  for (let at = 2; at + 4 <= end; ) {
    const kind = bytes[at + 1]!;
    // Fill bytes may stand before a marker, and others by mistake.
    if (bytes[at] !== 0xff || kind === 0xff || kind === 0) {
      at++;
      continue;
    }
    const length = two(bytes, at + 2);
    if (kind === jpegMarkers.end || kind < 0xc0 || (kind >= 0xd0 && kind <= 0xd8) || length < 2) return;
    const to = at + 2 + length;
    if (to > end) return;
    yield { kind, at, from: at + 4, to };
    if (kind === jpegMarkers.scan) return;
    at = to;
  }
}

/** Two bytes, the high one first. */
export function two(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Start-of-frame markers of every coding: baseline, extended, progressive, lossless, hierarchical, and their arithmetic forms. */
export const isFrame = (kind: number) =>
  kind >= 0xc0 && kind <= 0xcf && kind !== 0xc4 && kind !== 0xc8 && kind !== 0xcc;

/** Whether `text`, of ASCII characters, stands at `from`. */
export function startsWith(bytes: Uint8Array, from: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text.charCodeAt(i)) return false;
  return true;
}
