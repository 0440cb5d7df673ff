import type { Affine, Colour, Effect, Extent } from '../../vision/geometry.ts';

/** What an operation is given besides its strength. */
interface Given extends Extent {
  /** 1, or −1 for the other direction. */
  readonly sign: 1 | -1;
  readonly background: Colour;
}

/** An operation at a strength of 0 to 1. */
type Make = (strength: number, given: Given) => Effect;

const enhanced =
  (kind: 'brightness' | 'contrast' | 'saturation' | 'sharpness'): Make =>
  (strength, { sign }) => ({ kind, factor: Math.max(0.1, 1 + sign * strength * 0.9) });

const moved =
  (matrix: (strength: number, extent: Extent) => Affine): Make =>
  (strength, { sign, background, ...extent }) => ({
    kind: 'affine',
    matrix: matrix(sign * strength, extent),
    background,
  });

/** By up to 30° around the middle, against the clock where the strength is positive. */
function rotation(strength: number, { width, height }: Extent): Affine {
  const angle = (strength * 30 * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [x, y] = [width / 2, height / 2];
  return [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y];
}

/**
 * The fifteen operations of RandAugment in timm's order and with its strengths that increase (`inc1`): each does more the higher the magnitude is. Source: Cubuk et
 * al. 2019, and timm's `auto_augment`.
 */
export const operations: readonly { readonly name: string; readonly make: Make }[] = [
  { name: 'autoContrast', make: () => ({ kind: 'autoContrast' }) },
  { name: 'equalize', make: () => ({ kind: 'equalize' }) },
  { name: 'invert', make: () => ({ kind: 'solarize', threshold: 0 }) },
  { name: 'rotate', make: moved(rotation) },
  { name: 'posterize', make: (strength) => ({ kind: 'posterize', bits: 4 - Math.trunc(strength * 4) }) },
  { name: 'solarize', make: (strength) => ({ kind: 'solarize', threshold: 256 - Math.trunc(strength * 256) }) },
  { name: 'solarizeAdd', make: (strength) => ({ kind: 'solarizeAdd', add: Math.trunc(strength * 110) }) },
  { name: 'color', make: enhanced('saturation') },
  { name: 'contrast', make: enhanced('contrast') },
  { name: 'brightness', make: enhanced('brightness') },
  { name: 'sharpness', make: enhanced('sharpness') },
  { name: 'shearX', make: moved((strength) => [1, 0.3 * strength, 0, 0, 1, 0]) },
  { name: 'shearY', make: moved((strength) => [1, 0, 0, 0.3 * strength, 1, 0]) },
  { name: 'translateX', make: moved((strength, { width }) => [1, 0, 0.45 * strength * width, 0, 1, 0]) },
  { name: 'translateY', make: moved((strength, { height }) => [1, 0, 0, 0, 1, 0.45 * strength * height]) },
];
