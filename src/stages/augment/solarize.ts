import { z } from 'zod';
import type { Random } from '../../random.ts';
import type { Sample } from '../../streams/sample.ts';
import type { WithPicture } from '../size.ts';
import { defineStage } from '../stage.ts';
import { chanceOption, checkCopied } from './common.ts';

/** Inverts the bright values of the picture, or leaves it. Draws one word. In evaluation it is left out. Source: BYOL (Grill et al. 2020), whose second view has it. */
export const solarize = defineStage({
  name: 'solarize',
  summary: 'Inverts the bright values of the picture, at random.',
  options: z.strictObject({
    probability: chanceOption.default(0.2).describe('How often a picture is solarized: 0 never, 1 always.'),
    threshold: z
      .int()
      .min(0)
      .max(256)
      .default(128)
      .describe('Values from here on are inverted: 0 inverts all, 256 none.'),
  }),
  shorthand: 'probability',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: () => null,
  check: (_, spec) => checkCopied('solarize', spec),
  output: (spec) => spec,
  run:
    ({ probability, threshold }) =>
    (sample: Sample & WithPicture, random: Random) =>
      random.uniform() < probability
        ? { ...sample, picture: sample.picture.apply({ kind: 'solarize', threshold }) }
        : sample,
});
