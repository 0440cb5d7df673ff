import { cutWindow, normalisePixels } from '../../vision/patches.ts';

/**
 * Held-out reconstruction error and the three simple restorers it is measured against: arithmetic on plain arrays, on the host, in
 * normalised pixels. A window is K × K patches of p × p pixels; its patches stand in raster order, each flattened row by row with the
 * channel fastest: [K², p²·3].
 */

/** The sides that turn a window into patches. */
export interface WindowShape {
  /** Side of a patch in pixels. */
  readonly p: number;
  /** Side of a window in patches. */
  readonly K: number;
}

/**
 * The patches of one window, in normalised pixels.
 *
 * @param picture uint8 [H, W, 3]. @param widthPx W. @param topPatch and @param leftPatch the window's corner in patches.
 * @returns float32 [K², p²·3].
 */
export function windowPatches(
  picture: Uint8Array,
  widthPx: number,
  topPatch: number,
  leftPatch: number,
  { p, K }: WindowShape,
): Float32Array {
  const patches = new Uint8Array(K * K * p * p * 3);
  cutWindow(picture, { widthPx, patch: p, K, topPatch, leftPatch }, patches, 0);
  return normalisePixels(patches);
}

/**
 * Every hidden patch becomes the mean of the visible ones, position by position. Without a visible patch: zero, the mean of all pictures.
 *
 * @param patches [K², p²·3]. @param mask [K²], 1 hidden.
 * @returns [K², p²·3]; visible patches as they are.
 */
export function meanPatch(patches: Float32Array, mask: Uint8Array): Float32Array {
  const size = patches.length / mask.length;
  const mean = new Float64Array(size);
  let visible = 0;
  for (let k = 0; k < mask.length; k++) {
    if (mask[k] === 1) continue;
    visible += 1;
    for (let i = 0; i < size; i++) mean[i]! += patches[k * size + i]!;
  }
  for (let i = 0; i < size; i++) mean[i]! /= Math.max(1, visible);
  const restored = patches.slice();
  for (let k = 0; k < mask.length; k++) if (mask[k] === 1) restored.set(mean, k * size);
  return restored;
}

/**
 * Every hidden patch becomes the visible one nearest on the grid (the straight distance between centres), the first in raster order
 * where several are as near. Shapes as in `meanPatch`.
 */
export function nearestPatch(patches: Float32Array, mask: Uint8Array): Float32Array {
  const size = patches.length / mask.length;
  const K = Math.sqrt(mask.length);
  const restored = patches.slice();
  for (let k = 0; k < mask.length; k++) {
    if (mask[k] !== 1) continue;
    let nearest = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let other = 0; other < mask.length; other++) {
      if (mask[other] === 1) continue;
      const distance = (Math.floor(other / K) - Math.floor(k / K)) ** 2 + ((other % K) - (k % K)) ** 2;
      if (distance < least) [nearest, least] = [other, distance];
    }
    if (nearest === -1) restored.fill(0, k * size, (k + 1) * size);
    else restored.copyWithin(k * size, nearest * size, (nearest + 1) * size);
  }
  return restored;
}

/**
 * Laplace's equation on the window's pixels, channel by channel: visible pixels are fixed, the border is a mirror (a pixel outside has
 * the value of the border pixel it touches), hidden pixels begin at the channel's visible mean and take the mean of their four neighbours,
 * `sweeps` times, all at once (Jacobi). Shapes as in `meanPatch`.
 */
export function smoothFill(patches: Float32Array, mask: Uint8Array, { p, K }: WindowShape, sweeps = 600): Float32Array {
  const side = K * p;
  const place = pixelPlaces({ p, K });
  const channels = [0, 1, 2].map((channel) => visibleMean(patches, mask, channel));
  let now = new Float64Array(side * side * 3);
  const hidden: number[] = [];
  for (let i = 0; i < patches.length; i++) {
    const isHidden = mask[Math.floor(i / (p * p * 3))] === 1;
    now[place[i]!] = isHidden ? channels[i % 3]! : patches[i]!;
    if (isHidden) hidden.push(place[i]!);
  }
  // The four neighbours of every hidden value, found once: the sweeps are the whole cost.
  const around = Int32Array.from(hidden.flatMap((at) => neighbours(at, side)));
  let next = now.slice();
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (let h = 0, a = 0; h < hidden.length; h++, a += 4) {
      next[hidden[h]!] = (now[around[a]!]! + now[around[a + 1]!]! + now[around[a + 2]!]! + now[around[a + 3]!]!) / 4;
    }
    [now, next] = [next, now];
  }
  return Float32Array.from(place, (at) => now[at]!);
}

/** For every value of [K², p²·3] its index in the window as a picture, [K·p, K·p, 3]. */
export function pixelPlaces({ p, K }: WindowShape): Int32Array {
  const places = new Int32Array(K * K * p * p * 3);
  for (let i = 0; i < places.length; i++) {
    const patch = Math.floor(i / (p * p * 3));
    const inside = i % (p * p * 3);
    const row = Math.floor(patch / K) * p + Math.floor(inside / (p * 3));
    const column = (patch % K) * p + (Math.floor(inside / 3) % p);
    places[i] = (row * K * p + column) * 3 + (i % 3);
  }
  return places;
}

function neighbours(at: number, side: number): number[] {
  const pixel = Math.floor(at / 3);
  const row = Math.floor(pixel / side);
  const column = pixel % side;
  return [
    row > 0 ? at - side * 3 : at,
    row < side - 1 ? at + side * 3 : at,
    column > 0 ? at - 3 : at,
    column < side - 1 ? at + 3 : at,
  ];
}

function visibleMean(patches: Float32Array, mask: Uint8Array, channel: number): number {
  const size = patches.length / mask.length;
  let sum = 0;
  let count = 0;
  for (let k = 0; k < mask.length; k++) {
    if (mask[k] === 1) continue;
    for (let i = channel; i < size; i += 3) sum += patches[k * size + i]!;
    count += size / 3;
  }
  return count === 0 ? 0 : sum / count;
}

/** Squared errors over the hidden values of windows, added up window by window. */
export interface ErrorSum {
  readonly sum: number;
  readonly count: number;
}

/** Σ (restored − patches)² over the hidden patches of one window, and the number of its terms. Shapes as in `meanPatch`. */
export function hiddenError(restored: Float32Array, patches: Float32Array, mask: Uint8Array): ErrorSum {
  const size = patches.length / mask.length;
  let sum = 0;
  let count = 0;
  for (let k = 0; k < mask.length; k++) {
    if (mask[k] !== 1) continue;
    for (let i = k * size; i < (k + 1) * size; i++) sum += (restored[i]! - patches[i]!) ** 2;
    count += size;
  }
  return { sum, count };
}
