import { z } from 'zod';
import type { Random } from '../../random.ts';
import type { Sample } from '../../streams/sample.ts';
import type { Box, Extent } from '../../vision/geometry.ts';
import { channelMean } from '../../vision/patches.ts';
import { checkRange, type WithPicture } from '../size.ts';
import { defineStage } from '../stage.ts';
import { chanceOption, checkCopied } from './common.ts';

const tries = 10;
const share = z.number().gt(0).max(1);
const proportion = z.number().min(0.01).max(100);
const mean = channelMean.map(Math.round) as unknown as readonly [number, number, number];

/**
 * Random erasing: one box of the picture becomes noise, or the mean colour. timm erases behind the normalisation, with N(0, 1) for every value; here it is done to
 * 8-bit pixels with the same mean and spread, rounded, and what lies beyond 0 to 255, 2 to 3 of 100 values, is cut off. In evaluation it is left out. Source:
 * Zhong et al. 2017; timm's `RandomErasing`, modes `pixel` and `const`.
 */
export const randomErasing = defineStage({
  name: 'random-erasing',
  summary: 'Erases a box of the picture, at random.',
  options: z.strictObject({
    probability: chanceOption.default(0.25).describe('How often a box is erased: 0 never, 1 always.'),
    scale: z
      .tuple([share, share])
      .default([0.02, 1 / 3])
      .describe("The box's area as a share of the picture's, drawn evenly from [low, high]; above 0, at most 1."),
    ratio: z
      .tuple([proportion, proportion])
      .default([0.3, 1 / 0.3])
      .describe("The box's height by its width, drawn log-evenly from [low, high]; 0.01 to 100."),
    fill: z
      .enum(['noise', 'mean'])
      .default('noise')
      .describe(
        "What the box becomes: noise of the mean and spread of ImageNet's pixels, each value its own, or the mean.",
      ),
  }),
  shorthand: 'probability',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: () => null,
  check: function* ({ scale, ratio }, spec) {
    yield* checkRange('scale', scale);
    yield* checkRange('ratio', ratio);
    yield* checkCopied('random-erasing', spec);
  },
  output: (spec) => spec,
  run:
    ({ probability, scale, ratio, fill }) =>
    (sample: Sample & WithPicture, random: Random) => {
      const { picture } = sample;
      const box = random.uniform() < probability ? sampleBox(picture, scale, ratio, random) : undefined;
      if (box === undefined) return sample;
      const erased = picture.apply(
        fill === 'mean'
          ? { kind: 'fill', box, colour: mean }
          : { kind: 'noise', box, key: [random.word(), random.word()] },
      );
      return { ...sample, picture: erased };
    },
});

/** A box that leaves something of both sides; nothing where ten tries found none. */
function sampleBox(
  { width, height }: Extent,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  random: Random,
): Box | undefined {
  for (let i = 0; i < tries; i++) {
    const area = width * height * random.between(scale[0], scale[1]);
    const proportion = Math.exp(random.between(Math.log(ratio[0]), Math.log(ratio[1])));
    const h = Math.round(Math.sqrt(area * proportion));
    const w = Math.round(Math.sqrt(area / proportion));
    if (h > 0 && w > 0 && h < height && w < width) {
      const top = random.integer(height - h + 1);
      return { left: random.integer(width - w + 1), top, width: w, height: h };
    }
  }
  return undefined;
}
