import type { Effect, Pixels } from '../geometry.ts';
import { lumaOf } from '../pixels.ts';
import { partsOf } from './effect.ts';

/** Effects that give every value of a channel a new one, whatever lies beside it. */
export type TableEffect = Effect & {
  readonly kind: 'autoContrast' | 'equalize' | 'posterize' | 'solarize' | 'solarizeAdd' | 'brightness' | 'contrast';
};

/** The new values of 0–255, for each channel. */
export function tablesOf(effect: TableEffect, pixels: Pixels): readonly Uint8ClampedArray[] {
  switch (effect.kind) {
    case 'autoContrast':
      return countsOf(pixels).map(stretched);
    case 'equalize':
      return countsOf(pixels).map(equalized);
    case 'posterize': {
      const kept = (255 << (8 - effect.bits)) & 255;
      return alike((value) => value & kept);
    }
    case 'solarize':
      return alike((value) => (value < effect.threshold ? value : 255 - value));
    case 'solarizeAdd':
      return alike((value) => (value < 128 ? value + effect.add : value));
    case 'brightness':
      return alike((value) => mixed(0, value, partsOf(effect.factor)));
    case 'contrast': {
      const mean = meanLuma(pixels);
      return alike((value) => mixed(mean, value, partsOf(effect.factor)));
    }
  }
}

/** From `plain` towards `value`, and beyond it, by parts of 65,536; rounded down, but for what the parts were rounded by (at most 128 in a value): whole values stay. */
export function mixed(plain: number, value: number, parts: number): number {
  return (plain * 65536 + parts * (value - plain) + 128) >> 16;
}

/** How often each value occurs, for each channel. */
function countsOf({ data }: Pixels): readonly Float64Array[] {
  const counts = [0, 1, 2].map(() => new Float64Array(256));
  for (let at = 0; at < data.length; at += 3) for (let c = 0; c < 3; c++) counts[c]![data[at + c]!]!++;
  return counts;
}

const byValue = (of: (value: number) => number) => Uint8ClampedArray.from({ length: 256 }, (_, value) => of(value));

const alike = (of: (value: number) => number) => Array(3).fill(byValue(of)) as Uint8ClampedArray[];

function stretched(counts: Float64Array): Uint8ClampedArray {
  const low = counts.findIndex((count) => count > 0);
  const high = counts.findLastIndex((count) => count > 0);
  return byValue((value) => (high <= low ? value : Math.floor(((value - low) * 255) / (high - low))));
}

/** Every value becomes the number of pixels below it, half a step more, in steps of which the pixels below the highest value make 255. */
function equalized(counts: Float64Array): Uint8ClampedArray {
  const last = counts.findLast((count) => count > 0)!;
  const step = Math.floor((counts.reduce((sum, count) => sum + count, 0) - last) / 255);
  if (step === 0) return byValue((value) => value);
  let below = Math.floor(step / 2);
  return byValue((value) => {
    const made = Math.floor(below / step);
    below += counts[value]!;
    return made;
  });
}

/** The mean of the pixels' luma, rounded. */
function meanLuma({ data }: Pixels): number {
  let sum = 0;
  for (let at = 0; at < data.length; at += 3) sum += lumaOf(data[at]!, data[at + 1]!, data[at + 2]!);
  return Math.floor(sum / (data.length / 3) + 0.5);
}
