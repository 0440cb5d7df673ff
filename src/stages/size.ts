import { z } from 'zod';
import { fail, type ValidationIssue } from '../errors.ts';
import type { Picture } from '../vision/picture.ts';
import type { Spec } from '../vision/spec.ts';

/** What every stage that works on the picture needs of a sample. */
export interface WithPicture {
  readonly picture: Picture;
}

const side = z.int().min(1).max(65535);

/** A size in pixels as users write it: one side, or [height, width]. */
export const sizeOption = z.union([side, z.tuple([side, side])]);
export type Size = z.infer<typeof sizeOption>;

/** [height, width] of a size. */
export function sidesOf(size: Size): readonly [number, number] {
  return typeof size === 'number' ? [size, size] : size;
}

/** A share of something, or a proportion, as [low, high]. */
export function checkRange(option: string, [low, high]: readonly [number, number]): ValidationIssue[] {
  return low <= high ? [] : [{ option, error: fail('RANGE_ORDER', { option, low, high }) }];
}

/** Refuses a stage that changes the shape of the picture after others have measured it. */
export function checkBefore(stage: string, spec: Spec): ValidationIssue[] {
  const later = [
    ...(spec.fields.lr === undefined ? [] : ['downsample']),
    ...(spec.grid === undefined ? [] : ['windows', 'mask']),
  ];
  return later.length === 0
    ? []
    : [{ error: fail('STAGE_ORDER', { stage, later: later.map((name) => `\`${name}\``).join(', ') }) }];
}

/** True where the size of every picture is known before any is opened. */
export function isFixed(spec: Spec): spec is Spec & { readonly size: readonly [number, number] } {
  return spec.size !== undefined && spec.open !== true;
}
