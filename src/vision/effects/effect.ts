import type { Effect } from '../geometry.ts';

/** Fits `Work` of native/image/job.h. */
const numbers = {
  affine: 2,
  autoContrast: 3,
  equalize: 4,
  posterize: 5,
  solarize: 6,
  solarizeAdd: 7,
  brightness: 8,
  contrast: 9,
  saturation: 10,
  sharpness: 11,
  hue: 12,
  blur: 13,
  noise: 14,
  fill: 15,
} as const satisfies Record<Effect['kind'], number>;

/** A factor in parts of 65,536, in which pixels are mixed: exact, and so the same in every renderer. */
export const partsOf = (factor: number): number => Math.round(factor * 65536);

/** What native/image is told of an effect: its number, and six ints; of an affine map they are floats. */
export function writeEffect(ints: Int32Array, at: number, effect: Effect): void {
  ints[at] = numbers[effect.kind];
  if (effect.kind === 'affine') new Float32Array(ints.buffer, ints.byteOffset).set(effect.matrix, at + 1);
  else ints.set(parameters(effect), at + 1);
}

function parameters(effect: Exclude<Effect, { kind: 'affine' }>): readonly number[] {
  const six = (...given: number[]) => [...given, ...Array(6 - given.length).fill(0)];
  switch (effect.kind) {
    case 'autoContrast':
    case 'equalize':
      return six();
    case 'posterize':
      return six(effect.bits);
    case 'solarize':
      return six(effect.threshold);
    case 'solarizeAdd':
      return six(effect.add);
    case 'hue':
      return six(effect.shift);
    case 'blur':
      return six(partsOf(effect.sigma));
    case 'noise':
    case 'fill': {
      const { left, top, width, height } = effect.box;
      return six(left, top, width, height, ...(effect.kind === 'noise' ? effect.key : []));
    }
    default:
      return six(partsOf(effect.factor));
  }
}
