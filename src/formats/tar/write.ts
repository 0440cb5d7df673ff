import { Header } from 'tar';
import { blockBytes, padded } from './entries.ts';

/** A file of a tar: its name in it, and its bytes. */
export type TarMember = readonly [name: string, bytes: Uint8Array];

/** What a tar ends with. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockBytes);

/** Where a header has what differs from file to file: the name, and numbers in octal with a blank and a zero behind them. */
const [nameBytes, sizeAt, sizeDigits, sumAt, sumDigits] = [100, 124, 10, 148, 6];

/** Members up to so many bytes are copied next to their headers. */
const copied = 2 ** 14;

/** A header as the package makes it. Of no time and no owner, so that the same files make the same tar. */
function packedHeader(name: string, size: number, block: Buffer): void {
  new Header({ path: name, size, mode: 0o644, mtime: new Date(0), type: 'File' }).encode(block);
}

const template = Buffer.alloc(blockBytes);
packedHeader('', 0, template);
/** The sum of all bytes of the template, which the sum itself counts in as blanks. */
const templateSum = template.reduce((sum, byte) => sum + byte, 0) - sumOf(template, sumAt, 8) + 8 * 0x20;

function sumOf(bytes: Uint8Array, at: number, length: number): number {
  let sum = 0;
  for (let i = at; i < at + length; i++) sum += bytes[i]!;
  return sum;
}

function writeOctal(block: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    block[i] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** Writes the header of a file to a block: the bytes of the package's, which takes ten times as long, where name and size are plain. */
export function writeHeader(name: string, size: number, block: Buffer): void {
  // Each other letter takes more than a byte.
  const isPlain = name.length < nameBytes && size < 8 ** sizeDigits && /^[\x20-\x7e]+$/.test(name);
  if (!isPlain) {
    block.fill(0);
    packedHeader(name, size, block);
    return;
  }
  template.copy(block);
  block.write(name, 'latin1');
  writeOctal(block, sizeAt, sizeDigits, size);
  const sum = templateSum + sumOf(block, 0, name.length) + sumOf(block, sizeAt, sizeDigits) - sizeDigits * 0x30;
  writeOctal(block, sumAt, sumDigits, sum);
}

/** Lays files of a tar one behind the other, each with its header, and zeros up to the next block. */
export class TarPieces {
  #room = Buffer.alloc(2 ** 13);

  /** The pieces, whose memory is used again in the next call, and that of `members`. */
  of(members: readonly TarMember[]): readonly Uint8Array[] {
    const pieces: Uint8Array[] = [];
    this.#need(
      members.reduce(
        (sum, [, bytes]) => sum + blockBytes + (bytes.length > copied ? blockBytes : padded(bytes.length)),
        0,
      ),
    );
    const room = this.#room;
    let [from, at] = [0, 0];
    for (const [name, bytes] of members) {
      writeHeader(name, bytes.length, room.subarray(at, at + blockBytes));
      at += blockBytes;
      if (bytes.length > copied) {
        pieces.push(room.subarray(from, at), bytes);
        from = at;
      } else {
        room.set(bytes, at);
        at += bytes.length;
      }
      const rest = padded(bytes.length) - bytes.length;
      room.fill(0, at, at + rest);
      at += rest;
    }
    pieces.push(room.subarray(from, at));
    return pieces;
  }

  #need(bytes: number): void {
    if (bytes > this.#room.length) this.#room = Buffer.alloc(2 * bytes);
  }
}
