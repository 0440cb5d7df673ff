import { z } from 'zod';
import { fail, type ValidationIssue } from '../errors.ts';
import type { Random } from '../random.ts';
import { type Sample, withFields } from '../streams/sample.ts';
import { hiddenInWindow, hiddenOnGrid, type MaskBlocks, sampleBlockMasks, sampleMasks } from '../vision/masks.ts';
import { checkGrid, sideOf } from './grid.ts';
import { checkRange, isFixed, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

const area = z.int().min(1).max(65536).optional();
const proportion = z.number().min(0.01).max(100);

/** How patches are hidden in blocks, as written. */
const blocksOption = z.strictObject({
  min: area.describe(
    'The least area of a block in patches, at most what is hidden in all. Default 16 of the whole picture and 4 of a window, or less where less is hidden.',
  ),
  max: area.describe('The largest area of a block in patches. Default: all that is left to hide.'),
  aspect: z
    .tuple([proportion, proportion])
    .default([0.3, 1 / 0.3])
    .describe('The height of a block by its width, drawn log-evenly from [low, high]; 0.01 to 100.'),
  exact: z
    .boolean()
    .default(true)
    .describe(
      'Hide single patches as well where no block has room any more, so that exactly the share is hidden, which models that see only visible patches need. false: as BEiT, which may hide fewer.',
    ),
});

/**
 * Adds `masks`, uint8, 1 hidden and 0 visible: [M, K²] in windows, each window on its own (LoMaR, section 3.3), or, without windows,
 * [n] over the whole grid (MAE). Exactly ⌊K² · ratio⌋ patches of a window are hidden, or n − ⌊n (1 − ratio)⌋ of the grid, as the
 * published codes count: single patches, or with `blocks` rectangles of them (BEiT).
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
    blocks: blocksOption
      .optional()
      .describe('Hide rectangles of patches, as BEiT does, and not single ones; `{}` for blocks of its sizes.'),
  }),
  shorthand: 'ratio',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  check: function* ({ ratio, patch, blocks }, spec) {
    if (blocks !== undefined) yield* rangeErrors(blocks);
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
      yield* countErrors(spec.windows.K ** 2, hiddenInWindow(spec.windows.K, ratio), { ratio, blocks });
    else if (isFixed(spec)) {
      const n = (spec.size[0] / (patch ?? spec.grid!.patch)) ** 2;
      yield* countErrors(n, hiddenOnGrid(n, ratio), { ratio, blocks });
    }
  },
  output: (spec, { ratio, patch, blocks }) => {
    const shaped = (shape: readonly number[], hidden: number) => ({
      ...spec,
      fields: { ...spec.fields, masks: { dtype: 'uint8', shape } as const },
      hidden,
      ...(blocks?.exact === false && { uneven: true as const }),
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
  run: ({ ratio, patch, blocks }, spec) => {
    if (spec.windows !== undefined) {
      const { K, M } = spec.windows;
      const draw = maskDrawing(hiddenInWindow(K, ratio), blocks, 'window');
      return (sample: Sample & WithPicture, random: Random) => withFields(sample, { masks: draw(M, K, random) });
    }
    const p = patch ?? spec.grid?.patch;
    if (p === undefined) throw fail('MASK_GRID', {});
    const sideIn = sideOf(p, spec);
    return (sample: Sample & WithPicture, random: Random) => {
      const side = sideIn(sample.picture);
      return withFields(sample, {
        masks: maskDrawing(hiddenOnGrid(side * side, ratio), blocks, 'picture')(1, side, random),
      });
    };
  },
});

export type Blocks = z.output<typeof blocksOption>;

/** The least area of a block where the options name none. */
const leastArea = { window: 4, picture: 16 } as const;

/** What draws `count` masks over grids of side × side, as the stage does. @param of what a grid is. */
export function maskDrawing(hidden: number, blocks: Blocks | undefined, of: keyof typeof leastArea) {
  if (blocks === undefined)
    return (count: number, side: number, random: Random) => sampleMasks(count, side * side, hidden, random);
  const { min = leastArea[of], max = hidden } = blocks;
  const whole: MaskBlocks = { ...blocks, min: Math.min(min, hidden, max) };
  return (count: number, side: number, random: Random) => sampleBlockMasks(count, side, hidden, whole, random);
}

function* rangeErrors({ min = 1, max = min, aspect }: Blocks): Generator<ValidationIssue> {
  for (const [name, range] of [
    ['blocks: min, max', [min, max]],
    ['blocks.aspect', aspect],
  ] as const) {
    for (const { error } of checkRange(name, range)) yield { option: 'blocks', error };
  }
}

function* countErrors(
  n: number,
  hidden: number,
  { ratio, blocks }: { readonly ratio: number; readonly blocks: Blocks | undefined },
): Generator<ValidationIssue> {
  if (hidden === 0 || hidden === n) yield { option: 'ratio', error: fail('MASK_COUNT', { n, ratio, hidden }) };
  else if (blocks?.min !== undefined && blocks.min > hidden)
    yield { option: 'blocks', error: fail('MASK_BLOCK', { hidden, min: blocks.min }) };
}
