import { doubled } from './doubled.ts';
import { ones } from './perceptual-hash.ts';

/** Bits in which codes that are found may differ, at most. */
export const codeRadius = 11;

/** A code of 64 bits is four pieces of 16. If two codes differ in at most 11 bits, one of their pieces differs in at most 2. */
const pieces = 4;

/** All words of 16 bits with at most two ones. */
const near: readonly number[] = [
  0,
  ...singles(),
  ...singles().flatMap((a) =>
    singles()
      .filter((b) => b > a)
      .map((b) => a | b),
  ),
];

function singles(): number[] {
  return Array.from({ length: 16 }, (_, i) => 1 << i);
}

/**
 * Codes of 64 bits, of which all within `codeRadius` bits of another are found without a look at most others: those that agree in one of four pieces but for
 * two bits are in one of 137 lists. Takes 24 bytes for each code.
 * Source: M. Norouzi, A. Punjani, D. Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012.
 */
export class CodeIndex {
  #count = 0;
  #codes = new Uint32Array(2048);
  /** The entry that was added before to the same list of each piece, plus 1; 0 at its end. */
  #before = new Int32Array(4096);
  readonly #latest = new Int32Array(pieces * 65536);

  get count(): number {
    return this.#count;
  }

  /** Adds a code; it is entry number `count`. */
  add(low: number, high: number): void {
    if (2 * this.#count === this.#codes.length) {
      this.#codes = doubled(this.#codes);
      this.#before = doubled(this.#before);
    }
    const entry = this.#count++;
    this.#codes[2 * entry] = low;
    this.#codes[2 * entry + 1] = high;
    for (let piece = 0; piece < pieces; piece++) {
      const list = piece * 65536 + pieceOf(low, high, piece);
      this.#before[pieces * entry + piece] = this.#latest[list]!;
      this.#latest[list] = entry + 1;
    }
  }

  /** Calls `found` for each entry within the radius with the bits in which it differs; for an entry up to four times. */
  near(low: number, high: number, found: (entry: number, bits: number) => void): void {
    const [codes, before, latest] = [this.#codes, this.#before, this.#latest];
    for (let piece = 0; piece < pieces; piece++) {
      const own = pieceOf(low, high, piece);
      for (let i = 0; i < near.length; i++) {
        for (let at = latest[piece * 65536 + (own ^ near[i]!)]!; at > 0; at = before[pieces * (at - 1) + piece]!) {
          const entry = at - 1;
          const bits = ones(codes[2 * entry]! ^ low) + ones(codes[2 * entry + 1]! ^ high);
          if (bits <= codeRadius) found(entry, bits);
        }
      }
    }
  }
}

/** 8 bits of each word: two rows of frequencies, a low and a high one. */
function pieceOf(low: number, high: number, piece: number): number {
  return (((low >>> (8 * piece)) & 255) << 8) | ((high >>> (8 * piece)) & 255);
}
