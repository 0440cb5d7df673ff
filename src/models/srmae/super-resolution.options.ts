import type { Tensor4D } from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import type { Parameter } from '../layers/parameters.ts';
import type { Params } from '../model.ts';

/** The super-resolution modules that come with SRMAE. */
export const superResolutions = ['hpb', 'residual', 'none'] as const;
export type SuperResolutionName = (typeof superResolutions)[number];

/** A super-resolution module of one's own, in the place of those that come with SRMAE. */
export interface SuperResolution {
  /** Lower case and dashes, as it is shown. */
  readonly name: string;
  /** Its trained parameters over C channels, in the order of its layers; names as `apply` asks for them. */
  parameters(C: number): readonly Parameter[];
  /** Multiply-adds of one picture over a grid of [rows, columns] and C channels. Default: none are counted. */
  macs?(C: number, grid: Grid): number;
  /**
   * Works on the tokens of whole grids, hidden ones embedded from the low-resolution picture, with their positions. Differentiable; it runs
   * inside `tf.tidy`, disposes nothing, and keeps nothing.
   *
   * @param params by the names that `parameters` gives. @param x [N, rows, columns, C].
   * @returns the shape of x.
   */
  apply(params: Params, x: Tensor4D): Tensor4D;
}

export type Grid = readonly [rows: number, columns: number];

/** Where the names of all modules' parameters begin. */
export const superResolutionPrefix = 'super_resolution';
const top = superResolutionPrefix;

/** The four adaptive residual feature blocks of the high-preserving block. */
export const blocks = ['arfb_in', 'arfb_low', 'arfb_high', 'arfb_out'] as const;

/** Channels along the narrow way of channel attention: a sixteenth. */
const squeeze = 16;

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

/** Every trained parameter of a module over C channels, in the order of its layers. */
export function superResolutionParameters(module: SuperResolutionName | SuperResolution, C: number): Parameter[] {
  if (typeof module === 'object') return module.parameters(C).map((each) => ({ ...each, name: `${top}.${each.name}` }));
  if (module === 'none') return [];
  if (module === 'residual') return reductionParameters(top, C);
  return [
    ...blocks.flatMap((block) => arfbParameters(`${top}.${block}`, C)),
    ...convParameters(`${top}.fuse`, 2 * C, C, 1, false),
    ...attentionParameters(`${top}.ca`, C),
  ];
}

/** Multiply-adds of a module over a grid and C channels; products with the resampling matrices are left out. */
export function superResolutionMacs(
  module: SuperResolutionName | SuperResolution,
  C: number,
  [rows, columns]: Grid,
): number {
  if (typeof module === 'object') return module.macs?.(C, [rows, columns]) ?? 0;
  const cells = rows * columns;
  if (module === 'none') return 0;
  if (module === 'residual') return cells * 9 * C * C;
  const half = Math.floor(rows / 2) * Math.floor(columns / 2);
  // Two residual units of 9C² each, 2C² and 9C² to fuse them.
  const arfb = 29 * C * C;
  return cells * (3 * arfb + 2 * C * C) + half * 5 * arfb;
}

/**
 * Refuses a width or a grid that a module cannot work on.
 *
 * @throws MODEL_SUPER_RESOLUTION
 */
export function checkSuperResolution(module: SuperResolutionName | SuperResolution, C: number, side: number): void {
  if (typeof module === 'object' || module === 'none') return;
  const divisor = module === 'hpb' ? squeeze : 2;
  const refuse = (expected: string, found: string, advice: string) =>
    fail('MODEL_SUPER_RESOLUTION', { module, expected, found, advice });
  if (C % divisor !== 0) {
    const suggestion = divisor * Math.max(1, Math.round(C / divisor));
    throw refuse(`a decoder width that is a multiple of ${divisor}`, `${C}`, `Try a decoder ${suggestion} wide.`);
  }
  if (module === 'hpb' && side < 2)
    throw refuse('a grid of 2 × 2 patches at least', `${side} × ${side}`, 'Take smaller patches.');
}
