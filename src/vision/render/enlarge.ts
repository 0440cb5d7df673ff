import type { Kernel, Pixels } from '../geometry.ts';

/** Half the width of a kernel, in pixels of the smaller picture, and its value at a distance from the middle. As Pillow's. */
const kernelsByName: Record<Exclude<Kernel, 'nearest'>, { radius: number; at(x: number): number }> = {
  bilinear: { radius: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    radius: 2,
    at(x) {
      const [a, d] = [-0.5, Math.abs(x)];
      if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
      return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
    },
  },
  lanczos: { radius: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * Resizes pixels one side after the other, as Pillow does. For pictures that get larger, which sharp moves by half a pixel on the way (libvips 8.17);
 * for others sharp is faster.
 */
export function enlarge(
  { width, height, data }: Pixels,
  to: { width: number; height: number; kernel: Kernel },
): Pixels {
  const kernel = kernelsByName[to.kernel as Exclude<Kernel, 'nearest'>];
  const across = tapsOf(width, to.width, kernel);
  const down = tapsOf(height, to.height, kernel);
  // Rounds and keeps to 0–255, between the two sides too, as Pillow does.
  const wide = new Uint8ClampedArray(height * to.width * 3);
  for (let y = 0; y < height; y++) {
    for (const [x, { first, weights }] of across.entries()) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * data[(y * width + first + k) * 3 + channel]!;
        wide[(y * to.width + x) * 3 + channel] = sum;
      }
    }
  }
  const row = to.width * 3;
  const out = new Uint8ClampedArray(to.height * row);
  for (const [y, { first, weights }] of down.entries()) {
    for (let x = 0; x < row; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * wide[(first + k) * row + x]!;
      out[y * row + x] = sum;
    }
  }
  return { width: to.width, height: to.height, data: new Uint8Array(out.buffer) };
}

/** For each pixel of a side: the first that it is made of, and their weights, which sum to 1. A side that gets smaller has a wider kernel. */
function tapsOf(from: number, to: number, { radius, at }: { radius: number; at(x: number): number }) {
  const step = from / to;
  const stretch = Math.max(1, step);
  return Array.from({ length: to }, (_, i) => {
    const middle = (i + 0.5) * step;
    const first = Math.max(0, Math.floor(middle - radius * stretch + 0.5));
    const end = Math.min(from, Math.floor(middle + radius * stretch + 0.5));
    const weights = Array.from({ length: end - first }, (_, k) => at((first + k + 0.5 - middle) / stretch));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
