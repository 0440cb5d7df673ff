import { z } from 'zod';
import type { Random } from '../../random.ts';
import type { Sample } from '../../streams/sample.ts';
import type { Effect } from '../../vision/geometry.ts';
import type { WithPicture } from '../size.ts';
import { defineStage } from '../stage.ts';
import { chanceOption, checkCopied } from './common.ts';

const amount = z.number().min(0).max(10).default(0.4);

/**
 * Changes brightness, contrast, saturation and hue, in an order of its own for every picture; what has the amount 0 is left out. Draws eight words, whatever is
 * done. In evaluation it is left out. Source: torchvision's `ColorJitter` on Pillow's pictures; the defaults are BEiT's.
 */
export const colorJitter = defineStage({
  name: 'color-jitter',
  summary: 'Changes brightness, contrast, saturation and hue of the picture, at random.',
  options: z.strictObject({
    brightness: amount.describe(
      'The factor of brightness is drawn evenly from 1 − this, at least 0, to 1 + this; 0 to 10.',
    ),
    contrast: amount.describe('The same of contrast.'),
    saturation: amount.describe('The same of saturation.'),
    hue: z
      .number()
      .min(0)
      .max(0.5)
      .default(0)
      .describe('How far the hue is turned at most, either way, in parts of the circle; 0 to 0.5.'),
    probability: chanceOption.default(1).describe('How often a picture is changed: 0 never, 1 always.'),
  }),
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: () => null,
  check: (_, spec) => checkCopied('color-jitter', spec),
  output: (spec) => spec,
  run: ({ brightness, contrast, saturation, hue, probability }) => {
    const factor = (most: number, random: Random) => random.between(Math.max(0, 1 - most), 1 + most);
    return (sample: Sample & WithPicture, random: Random) => {
      const isDone = random.uniform() < probability;
      const order = random.permutation(4);
      const drawn: readonly (Effect | false)[] = [
        drawnIf(brightness, { kind: 'brightness', factor: factor(brightness, random) }),
        drawnIf(contrast, { kind: 'contrast', factor: factor(contrast, random) }),
        drawnIf(saturation, { kind: 'saturation', factor: factor(saturation, random) }),
        drawnIf(hue, { kind: 'hue', shift: Math.trunc(random.between(-hue, hue) * 255) & 255 }),
      ];
      if (!isDone) return sample;
      let { picture } = sample;
      for (const i of order) {
        const effect = drawn[i]!;
        if (effect !== false) picture = picture.apply(effect);
      }
      return { ...sample, picture };
    };
  },
});

const drawnIf = (amount: number, effect: Effect): Effect | false => amount > 0 && effect;
