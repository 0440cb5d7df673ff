import { CosineTransform, noiseOf, type Part, quarters, wholePart } from './cosine-transform.ts';
import { signsOf } from './perceptual-hash.ts';

/** Sides of parts in quarters of a thumbnail's pixels: 93, 86, 79 and 72 % of the picture's. */
const sides = [119, 110, 101, 92];

/** Where parts of a side begin: about 9 quarters from each other, as much as their sides differ, so that no crop is far from all of them. */
function startsOf(side: number): readonly number[] {
  const count = Math.round((quarters - side) / 9) + 1;
  return Array.from({ length: count }, (_, i) => Math.round((i * (quarters - side)) / (count - 1)));
}

/** The parts of a picture that others are compared with: all of it first, crops of its proportions, and strips of its full height or width. */
export const parts: readonly Part[] = [
  wholePart,
  ...sides.flatMap((side) => {
    const starts = startsOf(side);
    const across = starts.map((left) => ({ left, right: left + side }));
    const down = starts.map((top) => ({ top, bottom: top + side }));
    return [
      ...down.flatMap((vertical) => across.map((horizontal) => ({ ...horizontal, ...vertical }))),
      ...across.map((horizontal) => ({ ...wholePart, ...horizontal })),
      ...down.map((vertical) => ({ ...wholePart, ...vertical })),
    ];
  }),
];

/** A part has content where at least so many of its 63 coefficients are more than noise. */
export const leastContent = 32;

/** What a picture is found by. */
export interface PartCodes {
  /** The signs of 8 × 8 coefficients of part p: words 2p and 2p + 1. */
  readonly plain: Int32Array;
  /** The same of the picture mirrored. */
  readonly mirrored: Int32Array;
  /** Of each part: 1 where it has content. Areas of one colour look like all others. */
  readonly content: Uint8Array;
  /** The 8 × 8 coefficients of the whole, and its 16 × 16. */
  readonly coarse: Float64Array;
  readonly fine: Float64Array;
}

/** The codes of all parts of a thumbnail, uint8 [32, 32]. */
export function codesOf(thumbnail: Uint8Array): PartCodes {
  const transform = new CosineTransform(thumbnail, 8);
  const [plain, mirrored] = [new Uint8Array(8 * parts.length), new Uint8Array(8 * parts.length)];
  const content = new Uint8Array(parts.length);
  let coarse = new Float64Array();
  for (const [p, part] of parts.entries()) {
    const coefficients = transform.of(part);
    const noise = noiseOf(part);
    plain.set(signsOf(coefficients, noise, false), 8 * p);
    mirrored.set(signsOf(coefficients, noise, true), 8 * p);
    const more = coefficients.reduce((sum, value, i) => sum + (i > 0 && Math.abs(value) > noise ? 1 : 0), 0);
    content[p] = more >= leastContent ? 1 : 0;
    if (p === 0) coarse = coefficients.slice();
  }
  const fine = new CosineTransform(thumbnail, 16).of(wholePart);
  return { plain: new Int32Array(plain.buffer), mirrored: new Int32Array(mirrored.buffer), content, coarse, fine };
}
