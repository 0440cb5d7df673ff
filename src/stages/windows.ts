import { z } from 'zod';
import { fail, type PatchstreamError } from '../errors.ts';
import type { Random } from '../random.ts';
import { type Sample, withFields } from '../streams/sample.ts';
import { groupWindows, officialWindows, sampleWindows } from '../vision/windows.ts';
import { checkGrid, sideOf } from './grid.ts';
import { isFixed, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/**
 * Cuts the picture into a grid of g × g patches and adds `windows`, int32 [M, 2]: top and left, in patches, of M windows of K × K
 * patches, no two in the same row or column. Source: LoMaR, section 3.2, whose code draws one set for all images of a batch and pairs
 * them so that an image mostly sees one window; `mode` offers both ways, over groups of positions, so that neither depends on the micro-batch.
 */
export const windows = defineStage({
  name: 'windows',
  summary: 'Chooses windows of neighbouring patches at random, the local views that LoMaR learns from.',
  options: z.strictObject({
    patch: z
      .int()
      .min(1)
      .max(1024)
      .default(16)
      .describe('Side of a patch in pixels; must divide the side of the picture.'),
    size: z.int().min(1).max(256).default(7).describe('Side K of a window in patches; at most the side of the grid.'),
    views: z
      .int()
      .min(1)
      .max(256)
      .default(4)
      .describe('Number M of windows for each picture; at most grid − size + 1.'),
    mode: z
      .enum(['perImage', 'shared', 'official'])
      .default('perImage')
      .describe(
        'perImage draws for each picture; shared gives a whole group the same windows; official pairs them as the published code does.',
      ),
    group: z
      .int()
      .min(1)
      .max(65536)
      .default(256)
      .describe('Neighbours in the order of the run that share windows, for shared and official.'),
  }),
  needs: ['picture'],
  random: true,
  retainsInput: false,
  check: function* ({ patch, size, views }, spec) {
    const refusals = checkGrid('windows', patch, spec);
    yield* refusals;
    if (spec.fields.masks !== undefined) yield { error: fail('STAGE_ORDER', { stage: 'windows', later: '`mask`' }) };
    if (refusals.length > 0 || !isFixed(spec)) return;
    const found = windowError(spec.size[0] / patch, size, views);
    if (found !== undefined) yield found;
  },
  output: (spec, { patch, size: K, views: M }) => ({
    ...spec,
    fields: { ...spec.fields, windows: { dtype: 'int32', shape: [M, 2] } },
    // Behind a stage of unknown effect the size is a guess; what is read off it is checked again with every sample.
    ...(spec.size === undefined ? {} : { grid: { patch, side: Math.floor(spec.size[0] / patch) } }),
    windows: { K, M },
  }),
  run: ({ patch, size: K, views: M, mode, group }, spec, { id, seed }) => {
    const sideIn = sideOf(patch, spec);
    const draw = { shared: groupWindows, official: officialWindows };
    return (sample: Sample & WithPicture, random: Random) => {
      const g = sideIn(sample.picture);
      const found = windowError(g, K, M);
      if (found !== undefined) throw found.error;
      const windows =
        mode === 'perImage'
          ? sampleWindows(g, K, M, random)
          : draw[mode](g, K, M, { seed, stage: id, position: sample.position, group });
      return withFields(sample, { windows });
    };
  },
});

/** What is wrong with M windows of K × K on a grid of side g, if anything. */
function windowError(g: number, K: number, M: number): { option: string; error: PatchstreamError } | undefined {
  if (K > g) return { option: 'size', error: fail('WINDOW_SIZE', { side: g, size: K }) };
  const most = g - K + 1;
  if (M > most) return { option: 'views', error: fail('WINDOW_VIEWS', { most, side: g, size: K, views: M }) };
  return undefined;
}
