import type { Affine, Colour, Effect, Pixels } from '../geometry.ts';
import { blankPixels, lumaOf, pastePixels } from '../pixels.ts';
import { blurred } from './blur.ts';
import { partsOf } from './effect.ts';
import { turnHue } from './hue.ts';
import { addNoise } from './noise.ts';
import { mixed, tablesOf } from './tables.ts';

/** Does an effect to pixels, into memory of its own. What native/image does in the same way, to the bit. */
export function applyEffect(pixels: Pixels, effect: Effect): Pixels {
  switch (effect.kind) {
    case 'affine':
      return moved(pixels, effect.matrix, effect.background);
    case 'saturation':
      return saturated(pixels, partsOf(effect.factor));
    case 'sharpness':
      return sharpened(pixels, partsOf(effect.factor));
    case 'hue':
      return turnHue(pixels, effect.shift);
    case 'blur':
      return blurred(pixels, partsOf(effect.sigma));
    case 'noise': {
      const copy = { ...pixels, data: pixels.data.slice() };
      addNoise(copy, effect.box, effect.key);
      return copy;
    }
    case 'fill': {
      const copy = { ...pixels, data: pixels.data.slice() };
      const { left, top, width, height } = effect.box;
      pastePixels(copy, blankPixels(width, height, effect.colour), left, top);
      return copy;
    }
    default: {
      const tables = tablesOf(effect, pixels);
      return { ...pixels, data: pixels.data.map((value, i) => tables[i % 3]![value]!) };
    }
  }
}

function saturated({ width, height, data }: Pixels, parts: number): Pixels {
  const out = new Uint8ClampedArray(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const luma = lumaOf(data[at]!, data[at + 1]!, data[at + 2]!);
    for (let c = 0; c < 3; c++) out[at + c] = mixed(luma, data[at + c]!, parts);
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

/** Against the mean of nine neighbours, of which the middle counts five times. The border has not all of them and stays. */
function sharpened({ width, height, data }: Pixels, parts: number): Pixels {
  const out = new Uint8ClampedArray(data);
  const row = width * 3;
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * row + 3; at < (y + 1) * row - 3; at++) {
      let sum = 4 * data[at]!;
      for (const line of [at - row, at, at + row]) sum += data[line - 3]! + data[line]! + data[line + 3]!;
      out[at] = mixed(Math.floor((2 * sum + 13) / 26), data[at]!, parts);
    }
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

function moved({ width, height, data }: Pixels, matrix: Affine, background: Colour): Pixels {
  // As native/image is given them.
  const [a, b, c, d, e, f] = Float32Array.from(matrix) as unknown as Affine;
  const out = new Uint8ClampedArray(data.length);
  const rows: [number, number, number, number] = [0, 0, 0, 0];
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const u = a * (x + 0.5) + (b * (y + 0.5) + c);
      const v = d * (x + 0.5) + (e * (y + 0.5) + f);
      if (!(u >= 0 && v >= 0 && u < width && v < height)) {
        out.set(background, at);
        continue;
      }
      const [left, top] = [Math.floor(u - 0.5), Math.floor(v - 0.5)];
      const columns = [-1, 0, 1, 2].map((k) => Math.min(Math.max(left + k, 0), width - 1) * 3);
      for (let channel = 0; channel < 3; channel++) {
        for (let k = 0; k < 4; k++) {
          const line = Math.min(Math.max(top - 1 + k, 0), height - 1) * width * 3 + channel;
          const [p, q, r, s] = columns.map((column) => data[line + column]!) as typeof rows;
          rows[k] = between(p, q, r, s, u - 0.5 - left);
        }
        out[at + channel] = Math.floor(between(...rows, v - 0.5 - top));
      }
    }
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

/** The cubic through four values at a place t behind the second: Keys' kernel with −1, as where Pillow transforms, and not −½ as where it resizes. */
function between(p: number, q: number, r: number, s: number, t: number): number {
  return q + t * (r - p + t * (2 * (p - q) + r - s + t * (q - p - r + s)));
}
