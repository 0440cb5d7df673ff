import type { Parameter } from './parameters.ts';

/** The super-resolution modules that come with SRMAE. */
export const superResolutions = ['hpb', 'residual', 'none'] as const;
export type SuperResolutionName = (typeof superResolutions)[number];

/** Where the names of all modules' parameters begin. */
const top = 'super_resolution';

/** The four adaptive residual feature blocks of the high-preserving block. */
export const blocks = ['arfb_in', 'arfb_low', 'arfb_high', 'arfb_out'] as const;

/** Channels along the narrow way of channel attention: a sixteenth. */
const squeeze = 16;

/** The least width that ESRT's block takes. */
export const leastWidth = squeeze;

/** Convolutions start as PyTorch's: weights and biases U(±1/√fan_in). */
function convParameters(name: string, inner: number, outer: number, side: 1 | 3, bias = true): Parameter[] {
  const start = { uniform: 1 / Math.sqrt(inner * side * side) };
  const shape = side === 1 ? [inner, outer] : [side, side, inner, outer];
  const weight: Parameter = { name: `${name}.weight`, shape, layout: 'conv', start };
  return bias ? [weight, { name: `${name}.bias`, shape: [outer], layout: 'same', start }] : [weight];
}

/** 3 × 3 to half the channels, PReLU, 3 × 3 back. */
function reductionParameters(name: string, C: number): Parameter[] {
  return [
    ...convParameters(`${name}.conv1`, C, C / 2, 3),
    { name: `${name}.act.weight`, shape: [C / 2], layout: 'same', start: { constant: 0.25 } },
    ...convParameters(`${name}.conv2`, C / 2, C, 3),
  ];
}

function scales(name: string, numbers: readonly number[]): Parameter[] {
  return numbers.map((i) => ({ name: `${name}.scale${i}`, shape: [1], layout: 'same', start: 'ones' }));
}

function attentionParameters(name: string, C: number): Parameter[] {
  return [...convParameters(`${name}.fc1`, C, C / squeeze, 1), ...convParameters(`${name}.fc2`, C / squeeze, C, 1)];
}

// The seventh scalar is declared by ESRT and used by nothing; it counts among the block's parameters, and so it does here.
function arfbParameters(name: string, C: number): Parameter[] {
  const units = [`${name}.ru1`, `${name}.ru2`].flatMap((unit) => [
    ...reductionParameters(unit, C),
    ...scales(unit, [1, 2]),
  ]);
  return [
    ...units,
    ...convParameters(`${name}.fuse1`, 2 * C, C, 1, false),
    ...convParameters(`${name}.fuse2`, C, C, 3, false),
    ...attentionParameters(`${name}.ca`, C),
    ...scales(name, [3, 4, 5, 6, 7]),
  ];
}

/** Every trained parameter of a module over C channels, in the order of its layers. C is even; for `hpb` a multiple of 16. */
export function superResolutionParameters(name: SuperResolutionName, C: number): Parameter[] {
  if (name === 'none') return [];
  if (name === 'residual') return reductionParameters(top, C);
  return [
    ...blocks.flatMap((block) => arfbParameters(`${top}.${block}`, C)),
    ...convParameters(`${top}.fuse`, 2 * C, C, 1, false),
    ...attentionParameters(`${top}.ca`, C),
  ];
}

/** Multiply-adds of a module over a grid of [rows, columns] and C channels; products with the resampling matrices are left out. */
export function superResolutionMacs(
  name: SuperResolutionName,
  C: number,
  [rows, columns]: readonly [number, number],
): number {
  const cells = rows * columns;
  if (name === 'none') return 0;
  if (name === 'residual') return cells * 9 * C * C;
  const half = Math.floor(rows / 2) * Math.floor(columns / 2);
  // Two residual units of 9C² each, 2C² and 9C² to fuse them.
  const arfb = 29 * C * C;
  return cells * (3 * arfb + 2 * C * C) + half * 5 * arfb;
}
