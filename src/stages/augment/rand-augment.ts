import { z } from 'zod';
import type { Random } from '../../random.ts';
import type { Sample } from '../../streams/sample.ts';
import { colourOption } from '../../vision/colour.ts';
import type { WithPicture } from '../size.ts';
import { defineStage } from '../stage.ts';
import { chanceOption, checkCopied } from './common.ts';
import { operations } from './operations.ts';

/** The magnitude at which operations are strongest. */
const strongest = 10;

/**
 * RandAugment, as timm's `rand-m9-mstd0.5-inc1`: operations are drawn with replacement from fifteen, and each is done or not, with a magnitude of its own. It draws
 * five words an operation, whatever is done: docs/chance.md. In evaluation it is left out. Source: Cubuk et al. 2019; timm.
 */
export const randAugment = defineStage({
  name: 'rand-augment',
  summary: 'Changes colours and geometry of the picture by operations drawn at random (RandAugment).',
  options: z.strictObject({
    operations: z.int().min(1).max(16).default(2).describe('How many operations are drawn for a picture; 1 to 16.'),
    magnitude: z
      .number()
      .min(0)
      .max(strongest)
      .default(9)
      .describe('How strong operations are: 0 the weakest, 10 the strongest.'),
    deviation: z
      .number()
      .min(0)
      .max(100)
      .default(0.5)
      .describe(
        'The standard deviation of the magnitude, which is drawn normally for each operation and kept to 0 to 10; 0 to 100.',
      ),
    probability: chanceOption.default(0.5).describe('How often a drawn operation is done: 0 never, 1 always.'),
    background: colourOption
      .default([124, 116, 104])
      .describe(
        "What turned, sheared and moved pictures leave free: red, green, blue, 0 to 255. The default is the mean of ImageNet's pixels.",
      ),
  }),
  shorthand: 'magnitude',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: () => null,
  check: (_, spec) => checkCopied('rand-augment', spec),
  output: (spec) => spec,
  run:
    ({ operations: count, magnitude, deviation, probability, background }) =>
    (sample: Sample & WithPicture, random: Random) => {
      let { picture } = sample;
      for (let i = 0; i < count; i++) {
        const { make } = operations[random.integer(operations.length)]!;
        const isDone = random.uniform() < probability;
        const strength = Math.min(strongest, Math.max(0, magnitude + deviation * random.normal())) / strongest;
        const sign = random.uniform() < 0.5 ? -1 : 1;
        const { width, height } = picture;
        if (isDone) picture = picture.apply(make(strength, { width, height, sign, background }));
      }
      return picture === sample.picture ? sample : { ...sample, picture };
    },
});
