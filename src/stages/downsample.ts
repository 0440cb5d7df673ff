import { z } from 'zod';
import { fail } from '../errors.ts';
import { type Sample, withFields } from '../streams/sample.ts';
import { kernels } from '../vision/picture.ts';
import { isFixed, type Size, sidesOf, sizeOption, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/**
 * Adds `lr`, the picture at low resolution, made from the 8-bit pixels of the picture as it is here, so that both show the same crop.
 * Sides are rounded: 224 by factor 3 is 75. Source: SRMAE, whose paper leaves the kernel open; bicubic, antialiased, is the convention
 * of super-resolution.
 */
export const downsample = defineStage({
  name: 'downsample',
  summary: 'Adds a low-resolution version of the picture.',
  options: z.strictObject({
    factor: z
      .union([z.literal(2), z.literal(3), z.literal(4)])
      .default(4)
      .describe('How many times smaller each side is: 2, 3 or 4.'),
    size: sizeOption
      .optional()
      .describe('The size in pixels instead of a factor: one side, or [height, width]; 1 to 65535.'),
    kernel: z
      .enum(kernels)
      .default('bicubic')
      .describe('How pixels are mixed; stretched by the factor, so that nothing aliases, except nearest.'),
  }),
  shorthand: 'factor',
  needs: ['picture'],
  retainsInput: false,
  check: function* ({ factor, size }, spec) {
    if (spec.open) return;
    if (!isFixed(spec)) {
      yield { error: fail('SIZE_VARIES', { stage: 'downsample' }) };
      return;
    }
    const [height, width] = smaller(spec.size, factor, size);
    if (height > spec.size[0] || width > spec.size[1]) {
      const found = `${width}×${height} px`;
      yield { option: 'size', error: fail('DOWNSAMPLE_SIZE', { size: `${spec.size[1]}×${spec.size[0]} px`, found }) };
    }
  },
  output: (spec, { factor, size }) => {
    const known = size !== undefined ? sidesOf(size) : isFixed(spec) ? smaller(spec.size, factor) : null;
    return { ...spec, fields: { ...spec.fields, lr: { picture: known } } };
  },
  run:
    ({ factor, size, kernel }) =>
    (sample: Sample & WithPicture) => {
      const { picture } = sample;
      const [height, width] = smaller([picture.height, picture.width], factor, size);
      return withFields(sample, { lr: picture.settle().resize({ width, height, fit: 'fill', kernel }) });
    },
});

/** [height, width] of the low-resolution picture. */
function smaller([height, width]: readonly [number, number], factor: number, size?: Size): readonly [number, number] {
  if (size !== undefined) return sidesOf(size);
  return [Math.max(1, Math.round(height / factor)), Math.max(1, Math.round(width / factor))];
}
