import { philox4x32 } from '../../random.ts';
import type { Box, Pixels } from '../geometry.ts';
import { channelMean, channelStd } from '../patches.ts';

/**
 * Fills a box with normal noise of the mean and spread that pixels are normalised by, rounded to uint8: N(0, 1) after the normalisation, but that what lies beyond
 * 0–255 is 0 or 255. The word of a value is number 3·x + channel of the stream with that key and the counter (0, 0, y, block), x and y in the box. The value is
 * the number of thresholds up to it.
 */
export function addNoise({ width, data }: Pixels, box: Box, key: readonly [number, number]): void {
  const words = new Uint32Array(4);
  for (let y = 0; y < box.height; y++) {
    const row = ((box.top + y) * width + box.left) * 3;
    for (let i = 0; i < box.width * 3; i++) {
      if (i % 4 === 0) philox4x32([0, 0, y, i / 4], key, words);
      data[row + i] = valueAt(words[i % 4]!, thresholds[i % 3]!);
    }
  }
}

/** How many thresholds are at most `word`; they ascend. */
function valueAt(word: number, steps: Float64Array): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! <= word) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** For each channel: of 2³² words, how many give at most the value 0 … 254. What native/image works out in the same way. */
const thresholds = channelMean.map((mean, channel) =>
  Float64Array.from({ length: 255 }, (_, value) =>
    Math.round(normalShare((value + 0.5 - mean) / channelStd[channel]!) * 2 ** 32),
  ),
);

/** The share of a standard normal below x: ½ + φ(x) · Σ x^(2k+1) / (1·3·5 … (2k+1)), which is exact to doubles for |x| below 4. */
export function normalShare(x: number): number {
  let term = x;
  let sum = x;
  for (let odd = 3; odd < 200; odd += 2) {
    term *= (x * x) / odd;
    sum += term;
  }
  return 0.5 + (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}
