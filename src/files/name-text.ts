import { isUtf8 } from 'node:buffer';

/** What takes the place of bytes that are no text; a name may also hold it. */
export const replacement = '\uFFFD';

/** The text of a name: its bytes as UTF-8, and each byte that is none as `\xE9`, so that no two names become one. */
export function nameText(bytes: Uint8Array): string {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = whole.toString('utf8');
  if (!text.includes(replacement)) return text;
  let written = '';
  for (let at = 0; at < whole.length; ) {
    const character = whole.subarray(at, at + lengthOf(whole[at]!));
    const isText = isUtf8(character);
    written += isText ? character.toString('utf8') : `\\x${hex(whole[at]!)}`;
    at += isText ? character.length : 1;
  }
  return written;
}

/** A name with those of its characters that may look like others written out: `cafe\u{301}`. */
export function codePoints(name: string): string {
  return name.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** Bytes of the character that begins so. */
function lengthOf(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}
