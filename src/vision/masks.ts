import type { Random } from '../random.ts';

/** Patches hidden in one window of K × K: ⌊K² · ratio⌋ in doubles, as LoMaR's code counts. K 7 at 0.8: 39. */
export function hiddenInWindow(K: number, ratio: number): number {
  return Math.floor(K * K * ratio);
}

/** Patches hidden on a whole grid of n: n − ⌊n · (1 − ratio)⌋ in doubles, as MAE's code counts what it keeps. 196 at 0.75: 147. */
export function hiddenOnGrid(n: number, ratio: number): number {
  return n - Math.floor(n * (1 - ratio));
}

/**
 * `count` masks over n patches each, `hidden` of them 1 (hidden), the rest 0 (visible), uniformly and independently. For each mask in turn
 * draws `permutation(n)`, n − 1 words, and hides the first `hidden` entries. Source: LoMaR, section 3.3; MAE, random masking.
 * @returns uint8 [count, n].
 */
export function sampleMasks(count: number, n: number, hidden: number, random: Random): Uint8Array {
  const masks = new Uint8Array(count * n);
  for (let i = 0; i < count; i++) {
    const order = random.permutation(n);
    for (let j = 0; j < hidden; j++) masks[i * n + order[j]!] = 1;
  }
  return masks;
}
