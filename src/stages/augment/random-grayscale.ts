import { z } from 'zod';
import type { Random } from '../../random.ts';
import type { Sample } from '../../streams/sample.ts';
import type { WithPicture } from '../size.ts';
import { defineStage } from '../stage.ts';
import { chanceOption, checkCopied } from './common.ts';

/** Makes the picture grey, by its luma in all three channels, or leaves it. Draws one word. In evaluation it is left out. Source: torchvision's `RandomGrayscale`. */
export const randomGrayscale = defineStage({
  name: 'random-grayscale',
  summary: 'Makes the picture grey, at random.',
  options: z.strictObject({
    probability: chanceOption.default(0.1).describe('How often a picture becomes grey: 0 never, 1 always.'),
  }),
  shorthand: 'probability',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: () => null,
  check: (_, spec) => checkCopied('random-grayscale', spec),
  output: (spec) => spec,
  run:
    ({ probability }) =>
    (sample: Sample & WithPicture, random: Random) =>
      random.uniform() < probability
        ? { ...sample, picture: sample.picture.apply({ kind: 'saturation', factor: 0 }) }
        : sample,
});
