import { z } from 'zod';
import type { ValidationIssue } from '../../errors.ts';
import type { Spec } from '../../vision/spec.ts';
import { checkBefore } from '../size.ts';

/** How often something is done, as users write it. */
export const chanceOption = z.number().min(0).max(1);

/** Refuses a stage that changes pixels after `downsample` has made its copy of them. Windows and masks do not look at them. */
export function checkCopied(stage: string, spec: Spec): ValidationIssue[] {
  return spec.fields.lr === undefined ? [] : checkBefore(stage, spec);
}
