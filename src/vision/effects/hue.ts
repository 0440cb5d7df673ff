import type { Pixels } from '../geometry.ts';

/**
 * Turns the hue by `shift` of 256 parts, in hue, saturation and value of 0–255 each, which are rounded as Pillow's conversions do (down on the way there, to the
 * nearest on the way back): so 0 changes colours a little too.
 */
export function turnHue({ width, height, data }: Pixels, shift: number): Pixels {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const [red, green, blue] = [data[at]!, data[at + 1]!, data[at + 2]!];
    const value = Math.max(red, green, blue);
    const spread = value - Math.min(red, green, blue);
    const saturation = value === 0 ? 0 : Math.floor((255 * spread) / value);
    const hue = (hueOf(red, green, blue, value, spread) + shift) & 255;
    // The sixth of the circle, and the rest in parts of 255.
    const sixth = Math.floor((hue * 6) / 255);
    const rest = hue * 6 - sixth * 255;
    const of = (share: number) => Math.floor((2 * value * (65025 - saturation * share) + 65025) / 130050);
    const [low, falling, rising] = [of(255), of(rest), of(255 - rest)];
    out.set(
      [
        [value, rising, low],
        [falling, value, low],
        [low, value, rising],
        [low, falling, value],
        [rising, low, value],
        [value, low, falling],
      ][sixth % 6]!,
      at,
    );
  }
  return { width, height, data: out };
}

/** 0–255, rounded down: red 0, green 85, blue 170. */
function hueOf(red: number, green: number, blue: number, value: number, spread: number): number {
  if (spread === 0) return 0;
  // In sixths of the circle, times the spread.
  let turned = 4 * spread + red - green;
  if (red === value) turned = green - blue;
  else if (green === value) turned = 2 * spread + blue - red;
  if (turned < 0) turned += 6 * spread;
  return Math.floor((turned * 255) / (6 * spread));
}
