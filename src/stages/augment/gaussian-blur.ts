import { z } from 'zod';
import type { Random } from '../../random.ts';
import type { Sample } from '../../streams/sample.ts';
import { checkRange, type WithPicture } from '../size.ts';
import { defineStage } from '../stage.ts';
import { chanceOption, checkCopied } from './common.ts';

const deviation = z.number().min(0.01).max(100);

/**
 * Blurs the picture by a Gaussian, or leaves it. Draws two words, whatever is done. In evaluation it is left out. Source: SimCLR (Chen et al. 2020); the defaults
 * are those of MoCo v2. The kernel is a Gaussian up to four deviations, as torchvision's with a size to match
 * it, where Pillow's is three boxes; at the border the last pixel is repeated, where torchvision reflects the picture.
 */
export const gaussianBlur = defineStage({
  name: 'gaussian-blur',
  summary: 'Blurs the picture, at random.',
  options: z.strictObject({
    sigma: z
      .tuple([deviation, deviation])
      .default([0.1, 2])
      .describe('The standard deviation of the blur in pixels, drawn evenly from [low, high]; 0.01 to 100.'),
    probability: chanceOption.default(0.5).describe('How often a picture is blurred: 0 never, 1 always.'),
  }),
  shorthand: 'probability',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: () => null,
  check: function* ({ sigma }, spec) {
    yield* checkRange('sigma', sigma);
    yield* checkCopied('gaussian-blur', spec);
  },
  output: (spec) => spec,
  run:
    ({ sigma: [low, high], probability }) =>
    (sample: Sample & WithPicture, random: Random) => {
      const isDone = random.uniform() < probability;
      const sigma = random.between(low, high);
      return isDone ? { ...sample, picture: sample.picture.apply({ kind: 'blur', sigma }) } : sample;
    },
});
