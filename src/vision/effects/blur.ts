import type { Pixels } from '../geometry.ts';

/** A blur by a Gaussian, down and then across. `parts` is its standard deviation in pixels, times 65,536. Integers throughout, which every renderer has alike. */
export function blurred({ width, height, data }: Pixels, parts: number): Pixels {
  const weights = gaussian(parts / 65536);
  const reach = (weights.length - 1) / 2;
  const row = width * 3;
  const out = new Uint8Array(data.length);
  const line = new Int32Array(row);
  for (let y = 0; y < height; y++) {
    line.fill(256);
    for (let k = -reach; k <= reach; k++) {
      const from = Math.min(Math.max(y + k, 0), height - 1) * row;
      for (let x = 0; x < row; x++) line[x]! += weights[k + reach]! * data[from + x]!;
    }
    // Seven bits beyond the value.
    for (let x = 0; x < row; x++) line[x]! >>= 9;
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 2 ** 22;
        for (let k = -reach; k <= reach; k++) {
          sum += weights[k + reach]! * line[Math.min(Math.max(x + k, 0), width - 1) * 3 + channel]!;
        }
        out[y * row + x * 3 + channel] = sum >> 23;
      }
    }
  }
  return { width, height, data: out };
}

/** Its values at whole pixels up to four deviations away, in parts of 65,536, which they sum to. */
function gaussian(sigma: number): Int32Array {
  const reach = Math.ceil(4 * sigma);
  const values = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma)));
  const sum = values.reduce((total, value) => total + value, 0);
  const weights = Int32Array.from(values, (value) => Math.round((value / sum) * 65536));
  weights[reach]! += 65536 - weights.reduce((total, weight) => total + weight, 0);
  return weights;
}
