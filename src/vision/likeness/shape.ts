import { CosineTransform, type Part, wholePart } from './cosine-transform.ts';

/**
 * What a thumbnail shows, without its brightness and contrast: coefficients weighted by their frequency, so that fine ones count as much as coarse ones (those of
 * photographs fall with it), as a vector of length 1. The cosine of two is their likeness.
 */
export type Shape = Float64Array;

const weightsOf = new Map(
  ([8, 16] as const).map((count) => [
    count * count,
    Float64Array.from({ length: count * count }, (_, i) => Math.hypot(Math.floor(i / count), i % count)),
  ]),
);

/** The shape of a whole thumbnail by 8 × 8 or 16 × 16 coefficients, that of its mirror image if it is `mirrored`. */
export function shapeOf(thumbnail: Uint8Array, count: 8 | 16, mirrored: boolean): Shape {
  return shapeFrom(new CosineTransform(thumbnail, count).of(wholePart), mirrored);
}

/** The same of coefficients that are known. */
export function shapeFrom(coefficients: Float64Array, mirrored: boolean): Shape {
  const weights = weightsOf.get(coefficients.length)!;
  const weighted = coefficients.map((value, i) => (mirrored && (i & 1) === 1 ? -value : value) * weights[i]!);
  const length = Math.sqrt(weighted.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? weighted : weighted.map((value) => value / length);
}

/** The likeness of a part to a shape, -1 to 1. */
export function likenessOf(transform: CosineTransform, part: Part, shape: Shape): number {
  return likenessFrom(transform.of(part), shape);
}

/** The same of coefficients that are known. */
export function likenessFrom(coefficients: Float64Array, shape: Shape): number {
  const weights = weightsOf.get(coefficients.length)!;
  let [product, square] = [0, 0];
  for (let i = 1; i < coefficients.length; i++) {
    const value = coefficients[i]! * weights[i]!;
    product += value * shape[i]!;
    square += value * value;
  }
  return square === 0 ? 0 : product / Math.sqrt(square);
}
