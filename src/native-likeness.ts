/** An index of codes that lies in the addon; it goes with its last reference. */
declare const index: unique symbol;
export interface NativeCodes {
  readonly [index]: never;
}

/** The functions of `native/image/likeness/`, as they are. A mistake of the caller is thrown. */
export interface LikenessAddon {
  /**
   * The parts of thumbnails, once: of each interval along a side its two edges in quarters of pixels, and what lies of 8 waves in each of 32 pixels, [32, 8]; of each part its
   * intervals across and down; how many coefficients of a part with content are more than noise; and what lies of 16 waves in each pixel of the whole side, [32, 16].
   */
  openParts(
    edges: Int32Array,
    waves: Float64Array,
    intervals: Int32Array,
    leastContent: number,
    fineWaves: Float64Array,
  ): void;
  /**
   * The codes of all parts of a thumbnail, uint8 [32, 32]: two words of each plain one, then of each mirrored one; whether parts have content, 1 or 0; the 8 × 8
   * coefficients of the first part, and the 16 × 16 of the whole. The same as those of `codesOf`, to the last bit.
   */
  partCodes(
    thumbnail: Uint8Array,
    codes: Int32Array,
    content: Uint8Array,
    first: Float64Array,
    fine: Float64Array,
  ): void;
  /** An index in which codes lie in one list of each of so many pieces, 3 to 8: 4 for millions of codes, 6 for less. */
  newCodes(pieces: number): NativeCodes;
  /** Two words of each code, whose lowest bit is 0, and its value. */
  addCodes(index: NativeCodes, codes: Int32Array, values: Int32Array): void;
  /**
   * Looks for all codes that differ from one of `codes` in at most `radius` bits. Returns how many there are, the same ones up to once for each piece, and where there is room for
   * all, writes three numbers of each: which of `codes` it was, the value, and the bits that differ.
   */
  nearCodes(index: NativeCodes, codes: Int32Array, radius: number, found: Int32Array): number;
}
