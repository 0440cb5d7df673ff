import { classify } from './classify/index.ts';
import { codebook } from './codebook/index.ts';
import type { MeasureDefinition } from './define.ts';
import { knn } from './knn/index.ts';
import { linear } from './linear/index.ts';
import { maskedCodes } from './masked-codes/index.ts';
import { reconstruction } from './reconstruction/index.ts';
import { scales } from './scales/index.ts';

/**
 * Measures, a folder each: `index.ts` has the value that pipelines name, with its options, checks and texts; the work beside it is loaded by `run` alone, so that
 * `check` and `describe` stay free of tfjs. A measure reads data through its context and never opens a source. Imports models and all below.
 */
const listed = {
  reconstruction,
  knn,
  linear,
  classify,
  scales,
  codebook,
  'masked-codes': maskedCodes,
} as const;

export const measures: readonly MeasureDefinition[] = Object.values(listed).map(({ definition }) => definition);

/** Measures by name, with their options: the short form of `evaluate`. */
export type NamedMeasures = { readonly [Name in keyof typeof listed]?: Parameters<(typeof listed)[Name]>[0] };

export { classify, codebook, knn, linear, maskedCodes, reconstruction, scales };
