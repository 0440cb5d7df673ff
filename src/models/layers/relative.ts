/**
 * The contextual relative positions of LoMaR: "product" buckets of iRPE (Wu et al. 2021) with ratio 1.9, pure arithmetic.
 */
const alpha = 1.9;
const beta = 3.8;
const gamma = 15.2;
const reach = Math.trunc(beta);
const span = 2 * reach + 1;

/** Buckets of a table: 7 × 7 products of offsets, and one for all that concerns the cls token. */
export const bucketCount = span * span + 1;

/** The bucket of a pair with the cls token in it. */
export const clsBucket = span * span;

/** An offset in patches, shortened: exact up to 1, logarithmic beyond, at most 3 to either side. */
export function piecewise(offset: number): number {
  const size = Math.abs(offset);
  if (size <= alpha) return offset;
  const far = Math.round(alpha + (Math.log(size / alpha) / Math.log(gamma / alpha)) * (beta - alpha));
  return Math.sign(offset) * Math.trunc(Math.min(far, beta));
}

/** The bucket of a query and a key by their offsets, query minus key, in patches. */
export function bucketOf(rowOffset: number, colOffset: number): number {
  return (piecewise(rowOffset) + reach) * span + piecewise(colOffset) + reach;
}

/** Buckets of all pairs of a grid of rows × columns patches with a cls token in front: [T, T], T = rows·columns + 1, query first. */
export function gridBuckets(rows: number, columns: number): Uint8Array {
  const patches = rows * columns;
  const T = patches + 1;
  const buckets = new Uint8Array(T * T).fill(clsBucket);
  for (let i = 0; i < patches; i++) {
    for (let j = 0; j < patches; j++) {
      const rowOffset = Math.floor(i / columns) - Math.floor(j / columns);
      buckets[(i + 1) * T + j + 1] = bucketOf(rowOffset, (i % columns) - (j % columns));
    }
  }
  return buckets;
}
