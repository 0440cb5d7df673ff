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
    const saturation = value === 0 ? 0 : Math.floor(Math.fround(spread / value) * 255);
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

/** 0–255, rounded down: red 0, green 85, blue 170. In the single precision of Pillow, since a step of the hue is up to 6 of 255. */
function hueOf(red: number, green: number, blue: number, value: number, spread: number): number {
  if (spread === 0) return 0;
  const [r, g, b] = [red, green, blue].map((each) => Math.fround((value - each) / spread)) as [number, number, number];
  let sixths = 4 + g - r;
  if (red === value) sixths = b - g;
  else if (green === value) sixths = 2 + r - b;
  const turned = Math.fround(sixths) / 6 + 1;
  return Math.floor(Math.fround(turned - Math.floor(turned)) * 255);
}
