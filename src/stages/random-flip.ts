import { z } from 'zod';
import type { Random } from '../random.ts';
import type { Sample } from '../streams/sample.ts';
import { checkBefore, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/** Mirrors the picture left to right, or leaves it. Draws one word. In evaluation it is left out. */
export const randomFlip = defineStage({
  name: 'random-flip',
  summary: 'Mirrors the picture left to right, at random.',
  options: z.strictObject({
    probability: z.number().min(0).max(1).default(0.5).describe('How often a picture is mirrored: 0 never, 1 always.'),
  }),
  shorthand: 'probability',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: () => null,
  check: (_, spec) => (spec.fields.lr === undefined ? [] : checkBefore('random-flip', spec)),
  output: (spec) => spec,
  run:
    ({ probability }) =>
    (sample: Sample & WithPicture, random: Random) =>
      random.uniform() < probability ? { ...sample, picture: sample.picture.flip() } : sample,
});
