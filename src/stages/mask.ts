import { z } from 'zod';
import { fail, type ValidationIssue } from '../errors.ts';
import type { Random } from '../random.ts';
import { type Sample, withFields } from '../streams/sample.ts';
import { hiddenInWindow, hiddenOnGrid, sampleMasks } from '../vision/masks.ts';
import { checkGrid, sideOf } from './grid.ts';
import { isFixed, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/**
 * Adds `masks`, uint8, 1 hidden and 0 visible: [M, K²] in windows, each window on its own (LoMaR, section 3.3), or, without windows,
 * [n] over the whole grid (MAE). Exactly ⌊K² · ratio⌋ patches of a window are hidden, or n − ⌊n (1 − ratio)⌋ of the grid, as the
 * published codes count.
 */
export const mask = defineStage({
  name: 'mask',
  summary: 'Hides a share of the patches of each window, or of the whole picture, at random.',
  options: z.strictObject({
    ratio: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.8)
      .describe(
        'Share of the patches that is hidden, above 0 and below 1; LoMaR 0.8 of a window, MAE 0.75 of the picture.',
      ),
    patch: z
      .int()
      .min(1)
      .max(1024)
      .optional()
      .describe(
        'Side of a patch in pixels, to hide patches of the whole picture; left out after `windows`, which knows it.',
      ),
  }),
  shorthand: 'ratio',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  check: function* ({ ratio, patch }, spec) {
    if (patch === undefined && spec.windows === undefined && spec.grid === undefined) {
      if (!spec.open) yield { error: fail('MASK_GRID', {}) };
      return;
    }
    if (patch !== undefined) {
      const refusals = checkGrid('mask', patch, spec);
      yield* refusals;
      if (refusals.length > 0) return;
    }
    if (spec.windows !== undefined)
      yield* countError(spec.windows.K ** 2, hiddenInWindow(spec.windows.K, ratio), ratio);
    else if (isFixed(spec)) {
      const n = (spec.size[0] / (patch ?? spec.grid!.patch)) ** 2;
      yield* countError(n, hiddenOnGrid(n, ratio), ratio);
    }
  },
  output: (spec, { ratio, patch }) => {
    const shaped = (shape: readonly number[], hidden: number) => ({
      ...spec,
      fields: { ...spec.fields, masks: { dtype: 'uint8', shape } as const },
      hidden,
    });
    if (spec.windows !== undefined) {
      const { K, M } = spec.windows;
      return shaped([M, K ** 2], hiddenInWindow(K, ratio));
    }
    const p = patch ?? spec.grid?.patch;
    if (p === undefined || spec.size === undefined) return { ...spec, open: true };
    const side = Math.floor(spec.size[0] / p);
    return { ...shaped([side ** 2], hiddenOnGrid(side ** 2, ratio)), grid: { patch: p, side } };
  },
  run: ({ ratio, patch }, spec) => {
    if (spec.windows !== undefined) {
      const { K, M } = spec.windows;
      const hidden = hiddenInWindow(K, ratio);
      return (sample: Sample & WithPicture, random: Random) =>
        withFields(sample, { masks: sampleMasks(M, K * K, hidden, random) });
    }
    const p = patch ?? spec.grid?.patch;
    if (p === undefined) throw fail('MASK_GRID', {});
    const sideIn = sideOf(p, spec);
    return (sample: Sample & WithPicture, random: Random) => {
      const n = sideIn(sample.picture) ** 2;
      return withFields(sample, { masks: sampleMasks(1, n, hiddenOnGrid(n, ratio), random) });
    };
  },
});

function countError(n: number, hidden: number, ratio: number): ValidationIssue[] {
  return hidden > 0 && hidden < n ? [] : [{ option: 'ratio', error: fail('MASK_COUNT', { n, ratio, hidden }) }];
}
