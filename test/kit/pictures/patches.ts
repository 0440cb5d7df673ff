/** A picture's grid: sides in pixels, and the patch's. */
interface PatchGrid {
  readonly height: number;
  readonly width: number;
  readonly patch: number;
}

/** The patches of a picture [H, W, 3], written plainly: raster order, each row by row with the channel fastest, [n, p·p·3]. */
export function patchify<P extends Uint8Array | Float32Array>(pixels: P, { height, width, patch }: PatchGrid): P {
  const out = pixels.slice() as P;
  let to = 0;
  for (let top = 0; top < height; top += patch)
    for (let left = 0; left < width; left += patch)
      for (let row = top; row < top + patch; row++)
        for (let at = (row * width + left) * 3; at < (row * width + left + patch) * 3; at++) out[to++] = pixels[at]!;
  return out;
}
