import type { Random } from '../../random.ts';
import type { Box } from '../picture.ts';

const tries = 10;

/**
 * The box of a random resized crop of a picture of width × height: an area uniform in `scale` (shares of the picture), a proportion
 * width / height log-uniform in `ratio`, ten tries; then the largest central box whose proportion is inside `ratio`.
 * Each try draws two words (area, proportion); the one that fits draws two more (top, then left). Sides are rounded half up.
 * Source: torchvision's RandomResizedCrop (Inception, Szegedy et al. 2015).
 */
export function sampleResizedCrop(
  width: number,
  height: number,
  { scale, ratio }: { readonly scale: readonly [number, number]; readonly ratio: readonly [number, number] },
  random: Random,
): Box {
  const logLow = Math.log(ratio[0]);
  const logHigh = Math.log(ratio[1]);
  for (let i = 0; i < tries; i++) {
    const area = width * height * random.between(scale[0], scale[1]);
    const proportion = Math.exp(random.between(logLow, logHigh));
    const w = Math.round(Math.sqrt(area * proportion));
    const h = Math.round(Math.sqrt(area / proportion));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const top = random.integer(height - h + 1);
      const left = random.integer(width - w + 1);
      return { left, top, width: w, height: h };
    }
  }
  return centralBox(width, height, ratio);
}

/** The largest central box of a picture whose width / height lies in `ratio`. */
export function centralBox(width: number, height: number, ratio: readonly [number, number]): Box {
  const proportion = Math.min(Math.max(width / height, ratio[0]), ratio[1]);
  const w = Math.max(1, Math.min(width, Math.round(height * proportion)));
  const h = Math.max(1, Math.min(height, Math.round(width / proportion)));
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}
