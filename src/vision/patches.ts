/** Patches and pixels on plain arrays: cutting, joining, and the constants of normalisation. */

/** Mean and spread of ImageNet's channels (R, G, B) in units of 0–255: (0.485, 0.456, 0.406)·255 and (0.229, 0.224, 0.225)·255. */
export const channelMean = [123.675, 116.28, 103.53] as const;
export const channelStd = [58.395, 57.12, 57.375] as const;

/** Pixels, one byte or float per channel. */
export type Pixels = Uint8Array | Float32Array;

/**
 * Cuts the K × K patches of one window out of a picture, in raster order.
 *
 * @param pixels [H, W, 3]. @param widthPx W. @param topPatch @param leftPatch the window's corner, in patches.
 * @param out receives [K·K, p·p·3] from index `to` on.
 */
export function cutWindow<P extends Pixels>(
  pixels: P,
  {
    widthPx,
    patch,
    K,
    topPatch,
    leftPatch,
  }: { widthPx: number; patch: number; K: number; topPatch: number; leftPatch: number },
  out: P,
  to: number,
): void {
  const run = patch * 3;
  let at = to;
  for (let row = topPatch; row < topPatch + K; row++) {
    for (let col = leftPatch; col < leftPatch + K; col++) {
      let from = (row * patch * widthPx + col * patch) * 3;
      for (let line = 0; line < patch; line++, from += widthPx * 3, at += run)
        out.set(pixels.subarray(from, from + run), at);
    }
  }
}

/** Bytes with the channel fastest to normalised values: (x − mean)/std by channel. A new array. */
export function normalisePixels(pixels: ArrayLike<number>): Float32Array {
  return Float32Array.from(pixels, (x, i) => (x - channelMean[i % 3]!) / channelStd[i % 3]!);
}

/** The inverse of `normalisePixels`, rounded and clipped to bytes. */
export function denormalisePixels(values: ArrayLike<number>): Uint8Array {
  return Uint8Array.from(Uint8ClampedArray.from(values, (x, i) => x * channelStd[i % 3]! + channelMean[i % 3]!));
}
