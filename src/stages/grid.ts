import { fail, type PatchstreamError, type ValidationIssue } from '../errors.ts';
import type { Picture } from '../vision/picture.ts';
import type { Spec } from '../vision/spec.ts';
import { isFixed } from './size.ts';

/** What is wrong with patches of `patch` px on a picture of [height, width], if anything. */
export function gridError(patch: number, [height, width]: readonly [number, number]): PatchstreamError | undefined {
  if (height !== width) return fail('PICTURE_SQUARE', { width, height });
  if (height % patch === 0) return undefined;
  return fail('PATCH_SIDE', { side: height, patch, suggestion: near(divisors(height), patch) });
}

/** Refuses patches that do not fit the pictures of `spec`, or differ from those of an earlier stage. */
export function checkGrid(stage: string, patch: number, spec: Spec): ValidationIssue[] {
  if (spec.grid !== undefined) {
    return spec.grid.patch === patch
      ? []
      : [{ option: 'patch', error: fail('PATCH_TWO', { patch: spec.grid.patch, found: patch }) }];
  }
  if (spec.open) return [];
  if (spec.size === undefined) return [{ error: fail('SIZE_VARIES', { stage }) }];
  const error = gridError(patch, spec.size);
  return error === undefined ? [] : [{ option: 'patch', error }];
}

/** Patches along a side: known from the spec, else taken from each picture. @throws PICTURE_SQUARE, PATCH_SIDE for a picture that does not fit. */
export function sideOf(patch: number, spec: Spec): (picture: Picture) => number {
  if (isFixed(spec)) {
    const known = spec.size[0] / patch;
    return () => known;
  }
  return ({ width, height }) => {
    const error = gridError(patch, [height, width]);
    if (error !== undefined) throw error;
    return height / patch;
  };
}

/** All divisors of n above 1, ascending. */
function divisors(n: number): number[] {
  return Array.from({ length: n - 1 }, (_, i) => i + 2).filter((d) => n % d === 0);
}

/** The nearest of the candidates below and above, in words. */
function near(candidates: readonly number[], wanted: number): string {
  const below = candidates.findLast((d) => d < wanted);
  const above = candidates.find((d) => d > wanted);
  return [below, above].filter((d) => d !== undefined).join(' or ') || '1';
}
