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

/** What `sampleBlockMasks` hides at a time. */
export interface MaskBlocks {
  /** The least area of a block, in patches. Where fewer than these are left to hide, a block lies between the two. */
  readonly min: number;
  /** The largest area of a block. Default: what is left to hide. */
  readonly max?: number | undefined;
  /** Height by width of a block, drawn log-evenly from [low, high]. */
  readonly aspect: readonly [number, number];
  /** Whether what blocks do not hide is made up for by single patches. */
  readonly exact: boolean;
}

/** Tries for one block. */
const tries = 10;

/**
 * `count` masks over grids of side × side, hidden in rectangles: block after block, each of an area between `min` and `max` or what is left to hide, until `hidden` are,
 * or ten tries in a row find no place. Never more than `hidden` of a mask are 1; with `exact` single patches at random, of those still visible, make
 * up for the rest. A try draws two words (area, proportion), and two more (top, then left) if its block is smaller than the grid both ways; it is taken if it
 * hides at least one patch more and not too many. What is made up draws `permutation(visible)`.
 * Source: BEiT (Bao et al. 2022), block-wise masking, as its code has it; without `exact`, its masks.
 * @returns uint8 [count, side²].
 */
export function sampleBlockMasks(
  count: number,
  side: number,
  hidden: number,
  blocks: MaskBlocks,
  random: Random,
): Uint8Array {
  const n = side * side;
  const masks = new Uint8Array(count * n);
  for (let i = 0; i < count; i++) {
    const mask = masks.subarray(i * n, (i + 1) * n);
    const left = hideBlocks(mask, side, hidden, blocks, random);
    if (!blocks.exact || left === 0) continue;
    const visible = Array.from({ length: n }, (_, place) => place).filter((place) => mask[place] === 0);
    for (const one of random.permutation(visible.length).subarray(0, left)) mask[visible[one]!] = 1;
  }
  return masks;
}

/** Hides blocks of a mask with nothing hidden. @returns how many patches are left to hide. */
function hideBlocks(mask: Uint8Array, side: number, hidden: number, blocks: MaskBlocks, random: Random): number {
  let left = hidden;
  let failed = 0;
  while (left > 0 && failed < tries) {
    const more = hideBlock(mask, side, left, blocks, random);
    left -= more;
    failed = more === 0 ? failed + 1 : 0;
  }
  return left;
}

/** One try. @returns how many patches it has hidden. */
function hideBlock(mask: Uint8Array, side: number, left: number, blocks: MaskBlocks, random: Random): number {
  const { min, max = left, aspect } = blocks;
  const area = random.between(min, Math.min(max, left));
  const proportion = Math.exp(random.between(Math.log(aspect[0]), Math.log(aspect[1])));
  const height = Math.round(Math.sqrt(area * proportion));
  const width = Math.round(Math.sqrt(area / proportion));
  if (height >= side || width >= side) return 0;
  const top = random.integer(side - height + 1);
  const start = top * side + random.integer(side - width + 1);
  const rows = Array.from({ length: height }, (_, row) =>
    mask.subarray(start + row * side, start + row * side + width),
  );
  let more = 0;
  for (const row of rows) for (const bit of row) more += 1 - bit;
  if (more > left) return 0;
  for (const row of rows) row.fill(1);
  return more;
}
