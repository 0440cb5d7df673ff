import { ones } from './perceptual-hash.ts';

/** A code of 64 bits is four pieces of 16. Where two codes differ in at most 11 bits, one of their pieces differs in at most 2; where in at most 19, in at most 4. */
const pieces = 4;
const values = 65536;

/** Bits in which codes that are found may differ, and the words of 16 bits with as many ones as one of their pieces then has at most. */
export type Radius = 11 | 19;
const nearBy: Readonly<Record<Radius, Uint16Array>> = { 11: wordsWith(2), 19: wordsWith(4) };

function wordsWith(most: number): Uint16Array {
  const all = Array.from({ length: values }, (_, word) => word);
  return Uint16Array.from(all.filter((word) => ones(word) <= most));
}

/** 4,096 blocks a page. */
const pageBits = 12;
const placeInPage = (1 << pageBits) - 1;

/**
 * Codes of 64 bits, each with a value, of which all that differ from another in a few bits are found without a look at most others: they are in 137 or 2,517 of the 65,536
 * lists of one of four pieces. Takes about 50 bytes for each code.
 * Source: M. Norouzi, A. Punjani, D. Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012.
 */
export class CodeIndex {
  /** Codes in a block: each list is a chain of blocks, so that most of a long one is read one after the other. */
  readonly #blockCodes: number;
  /** The number of the next block, and of each code its two words and its value. */
  readonly #blockWords: number;
  /** Signed: numbers of 32 bits without a sign are slow where they are many. */
  readonly #pages: Int32Array[] = [];
  /** Blocks that are in use; their numbers start at 1. */
  #blocks = 0;
  /** The first block of each list, which is the one that is filled; 0 where there is none. */
  readonly #first = new Int32Array(pieces * values);
  /** Codes in the first block of each list. */
  readonly #filled = new Uint8Array(pieces * values);

  /** @param blockCodes 1 where lists are short. */
  constructor(blockCodes: 1 | 7) {
    this.#blockCodes = blockCodes;
    this.#blockWords = 1 + 3 * blockCodes;
  }

  /** @param value an integer from 0 to 2³¹ − 1. */
  add(low: number, high: number, value: number): void {
    for (let piece = 0; piece < pieces; piece++) {
      const list = piece * values + pieceOf(low, high, piece);
      if (this.#first[list] === 0 || this.#filled[list] === this.#blockCodes) this.#prepend(list);
      const block = this.#first[list]! - 1;
      const page = this.#pages[block >> pageBits]!;
      const at = (block & placeInPage) * this.#blockWords + 1 + 3 * this.#filled[list]!++;
      page[at] = low;
      page[at + 1] = high;
      page[at + 2] = value;
    }
  }

  /** Calls `found` for each code within the radius with its value and the bits in which it differs; for a code up to four times. */
  near(low: number, high: number, radius: Radius, found: (value: number, bits: number) => void): void {
    const [pages, first, filled, near] = [this.#pages, this.#first, this.#filled, nearBy[radius]];
    const [blockCodes, blockWords] = [this.#blockCodes, this.#blockWords];
    for (let piece = 0; piece < pieces; piece++) {
      const own = pieceOf(low, high, piece);
      for (let i = 0; i < near.length; i++) {
        const list = piece * values + (own ^ near[i]!);
        let count = filled[list]!;
        if (count === 0) continue;
        for (let block = first[list]!; block > 0; count = blockCodes) {
          const page = pages[(block - 1) >> pageBits]!;
          const start = ((block - 1) & placeInPage) * blockWords;
          const end = start + 1 + 3 * count;
          for (let at = start + 1; at < end; at += 3) {
            const bits = ones(page[at]! ^ low) + ones(page[at + 1]! ^ high);
            if (bits <= radius) found(page[at + 2]!, bits);
          }
          block = page[start]!;
        }
      }
    }
  }

  #prepend(list: number): void {
    const block = this.#blocks++;
    if ((block & placeInPage) === 0) this.#pages.push(new Int32Array((placeInPage + 1) * this.#blockWords));
    this.#pages.at(-1)![(block & placeInPage) * this.#blockWords] = this.#first[list]!;
    this.#first[list] = block + 1;
    this.#filled[list] = 0;
  }
}

/** 8 bits of each word: two rows of frequencies, a low and a high one. */
function pieceOf(low: number, high: number, piece: number): number {
  return (((low >>> (8 * piece)) & 255) << 8) | ((high >>> (8 * piece)) & 255);
}
