import { z } from 'zod';
import type { Sample } from '../streams/sample.ts';
import { colourOption } from '../vision/colour.ts';
import { fits, kernels } from '../vision/picture.ts';
import { checkBefore, sidesOf, sizeOption, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/** Brings every picture to one size. Any size is allowed, 100 × 100 and 8 × 8 among them, also larger ones than the file has. */
export const resize = defineStage({
  name: 'resize',
  summary: 'Brings the picture to one size.',
  options: z.strictObject({
    size: sizeOption.describe('The new size in pixels: one side, or [height, width]; 1 to 65535.'),
    fit: z
      .enum(fits)
      .default('cover')
      .describe('How other proportions fit: cover cuts what juts out, contain leaves a border, fill distorts.'),
    kernel: z
      .enum(kernels)
      .default('bicubic')
      .describe(
        'How pixels are mixed; every kernel but nearest is stretched when the picture shrinks, so that nothing aliases.',
      ),
    background: colourOption
      .default([0, 0, 0])
      .describe('The colour of the border that contain leaves: red, green, blue, 0 to 255.'),
  }),
  shorthand: 'size',
  needs: ['picture'],
  uniform: true,
  retainsInput: false,
  check: (_, spec) => checkBefore('resize', spec),
  output: (spec, { size }) => ({ ...spec, size: sidesOf(size) }),
  run: ({ size, ...how }) => {
    const [height, width] = sidesOf(size);
    return (sample: Sample & WithPicture) => ({ ...sample, picture: sample.picture.resize({ width, height, ...how }) });
  },
});
