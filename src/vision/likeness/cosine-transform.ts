/** Pixels along each side of a thumbnail: uint8 [32, 32], luma, whatever the picture's proportions. */
export const thumbnailSide = 32;

/** Edges of parts of a thumbnail are in quarters of its pixels: 0 to 128. */
export const quarters = 4 * thumbnailSide;

/** An upright part of a thumbnail, by its edges in quarters of its pixels. */
export interface Part {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export const wholePart: Part = { left: 0, right: quarters, top: 0, bottom: quarters };

const basisOf = new Map<number, Float64Array>();

/** cos(π u t), t from 0 to 1 between two edges, as much of it as lies in each pixel: [16, thumbnailSide]. */
export function basis(from: number, to: number): Float64Array {
  const id = idOf(from, to);
  const known = basisOf.get(id);
  if (known !== undefined) return known;
  const [start, end] = [from / 4, to / 4];
  const made = new Float64Array(16 * thumbnailSide);
  for (let u = 0; u < 16; u++) {
    const turn = (Math.PI * u) / (end - start);
    for (let x = Math.floor(start); x < Math.ceil(end); x++) {
      const [a, b] = [Math.max(x, start) - start, Math.min(x + 1, end) - start];
      made[u * thumbnailSide + x] = u === 0 ? b - a : (Math.sin(turn * b) - Math.sin(turn * a)) / turn;
    }
  }
  basisOf.set(id, made);
  return made;
}

const idOf = (from: number, to: number) => from * (quarters + 1) + to;

/**
 * The cosine transform (DCT-II) of any part of a thumbnail, as if the part had been cut out. The sums across are kept for parts that have the same left and right
 * edges.
 */
export class CosineTransform {
  readonly #thumbnail: Uint8Array;
  readonly #count: number;
  readonly #across = new Map<number, Float64Array>();
  readonly #sums: Float64Array;

  /** @param thumbnail uint8 [32, 32]. @param count of frequencies in each direction, 8 or 16. */
  constructor(thumbnail: Uint8Array, count: 8 | 16) {
    this.#thumbnail = thumbnail;
    this.#count = count;
    this.#sums = new Float64Array(count * count);
  }

  /** The coefficients of a part, [count, count]: v half waves down, u across at v · count + u. They lie in one array, which the next call overwrites. */
  of({ left, right, top, bottom }: Part): Float64Array {
    const across = this.#acrossOf(left, right);
    const [count, sums, waves] = [this.#count, this.#sums, basis(top, bottom)];
    const [first, last] = [top >> 2, (bottom + 3) >> 2];
    for (let v = 0; v < count; v++) {
      const wave = v * thumbnailSide;
      // Four at a time: one sum alone would wait for itself.
      for (let u = 0; u < count; u += 4) {
        const at0 = u * thumbnailSide;
        const at1 = at0 + thumbnailSide;
        const at2 = at1 + thumbnailSide;
        const at3 = at2 + thumbnailSide;
        let sum0 = 0;
        let sum1 = 0;
        let sum2 = 0;
        let sum3 = 0;
        for (let y = first; y < last; y++) {
          const weight = waves[wave + y]!;
          sum0 += weight * across[at0 + y]!;
          sum1 += weight * across[at1 + y]!;
          sum2 += weight * across[at2 + y]!;
          sum3 += weight * across[at3 + y]!;
        }
        const at = v * count + u;
        sums[at] = sum0;
        sums[at + 1] = sum1;
        sums[at + 2] = sum2;
        sums[at + 3] = sum3;
      }
    }
    return sums;
  }

  /** Of each frequency across its coefficient in each row: [count, 32]. */
  #acrossOf(left: number, right: number): Float64Array {
    const id = idOf(left, right);
    const known = this.#across.get(id);
    if (known !== undefined) return known;
    const [thumbnail, count, waves] = [this.#thumbnail, this.#count, basis(left, right)];
    const across = new Float64Array(thumbnailSide * count);
    const last = (right + 3) >> 2;
    for (let y = 0; y < thumbnailSide; y++) {
      for (let u = 0; u < count; u++) {
        let sum = 0;
        for (let x = left >> 2; x < last; x++) sum += thumbnail[y * thumbnailSide + x]! * waves[u * thumbnailSide + x]!;
        across[u * thumbnailSide + y] = sum;
      }
    }
    this.#across.set(id, across);
    return across;
  }
}

/** Coefficients that are no larger than those of waves of a quarter of a grey level are noise. */
export function noiseOf({ left, right, top, bottom }: Part): number {
  return ((right - left) * (bottom - top)) / 256;
}
