import { CosineTransform, wholePart } from './cosine-transform.ts';

/** Bytes of a hash: 256 bits, the first of which is always 0. */
export const hashBytes = 32;

/**
 * The perceptual hash of a thumbnail, uint8 [32, 32]: which of its lowest frequencies are above zero. Bit v · 16 + u, the lowest of a byte first, is 1 where the
 * coefficient of the cosine transform with u half waves across and v half waves down is; bit 0, the mean, is always 0. So the hash hardly changes with
 * size, compression, brightness and contrast. That of the mirrored picture follows from it: coefficients with odd u change their sign.
 *
 * Sources: C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 (the DCT of a thumbnail of 32 × 32);
 * Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019 (16 × 16 frequencies, mirrored ones by their signs).
 */
export function perceptualHash(thumbnail: Uint8Array): Uint8Array {
  return signsOf(new CosineTransform(thumbnail, 16).of(wholePart), zero, false);
}

/** Rounding makes of what is zero less than this. */
export const zero = 1e-6;

/** The signs of coefficients, 8 to a byte; of those of the mirrored picture, if it is `mirrored`. What is no larger than `noise` is not above zero. */
export function signsOf(coefficients: Float64Array, noise: number, mirrored: boolean): Uint8Array {
  const signs = new Uint8Array(coefficients.length / 8);
  for (let i = 1; i < coefficients.length; i++) {
    // A row has an even number of them: u and i are odd together.
    const value = mirrored && (i & 1) === 1 ? -coefficients[i]! : coefficients[i]!;
    if (value > noise) signs[i >> 3]! |= 1 << (i & 7);
  }
  return signs;
}

/** How many bits of two hashes differ. */
export function differingBits(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ones(a[i]! ^ b[i]!);
  return sum;
}

/** The ones of a word of 32 bits. */
export function ones(word: number): number {
  let sums = word - ((word >>> 1) & 0x55555555);
  sums = (sums & 0x33333333) + ((sums >>> 2) & 0x33333333);
  return Math.imul((sums + (sums >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
