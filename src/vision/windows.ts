import { Random } from '../random.ts';

/**
 * M windows of K × K patches on a grid of g × g: tops are the first M entries of a random permutation of 0 … g − K, lefts likewise from a
 * second permutation, so that no two windows share a top row or a left column. M is at most g − K + 1.
 * Draws `permutation(g − K + 1)` twice: 2 (g − K) words. Source: LoMaR, section 3.2, as its code has it.
 * @returns int32 [M, 2]: top and left of each window, in patches.
 */
export function sampleWindows(g: number, K: number, M: number, random: Random): Int32Array {
  const tops = random.permutation(g - K + 1);
  const lefts = random.permutation(g - K + 1);
  const windows = new Int32Array(M * 2);
  for (let i = 0; i < M; i++) {
    windows[2 * i] = tops[i]!;
    windows[2 * i + 1] = lefts[i]!;
  }
  return windows;
}

/** Where a sample stands among those that share windows. */
export interface WindowGroup {
  readonly seed: number;
  /** The stage's id. */
  readonly stage: string;
  readonly position: number;
  /** Samples that share one draw. */
  readonly group: number;
}

/** The windows that a whole group of positions shares: drawn from the key `group:⌊position / group⌋`. int32 [M, 2]. */
export function groupWindows(
  g: number,
  K: number,
  M: number,
  { seed, stage, position, group }: WindowGroup,
): Int32Array {
  return sampleWindows(g, K, M, new Random(seed, stage, `group:${Math.floor(position / group)}`));
}

/**
 * The windows as LoMaR's code pairs them with images: with n = position mod group, view j gets window (n + group · j) mod M of the
 * group's. Where M divides the group, as in the published recipe, all views of an image are one and the same window. int32 [M, 2].
 */
export function officialWindows(g: number, K: number, M: number, place: WindowGroup): Int32Array {
  const all = groupWindows(g, K, M, place);
  const n = place.position % place.group;
  const windows = new Int32Array(M * 2);
  for (let view = 0; view < M; view++) {
    const taken = (n + place.group * view) % M;
    windows[2 * view] = all[2 * taken]!;
    windows[2 * view + 1] = all[2 * taken + 1]!;
  }
  return windows;
}
