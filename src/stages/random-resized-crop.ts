import { z } from 'zod';
import type { Random } from '../random.ts';
import type { Sample } from '../streams/sample.ts';
import { kernels } from '../vision/picture.ts';
import { sampleResizedCrop } from '../vision/render/resized-crop.ts';
import { checkBefore, checkRange, sidesOf, sizeOption, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

const proportion = z.number().min(0.01).max(100);
const share = z.number().gt(0).max(1);

/**
 * A random part of the picture, brought to one size: the augmentation of MAE and LoMaR. Ten tries for a box inside the picture, then the
 * central one. The defaults are theirs: at least a fifth of the picture (classification recipes often say 0.08), proportions from 3:4 to 4:3.
 */
export const randomResizedCrop = defineStage({
  name: 'random-resized-crop',
  summary: 'Cuts out a random part of the picture and brings it to one size.',
  options: z.strictObject({
    size: sizeOption.default(224).describe('The size of the crop in pixels: one side, or [height, width]; 1 to 65535.'),
    scale: z
      .tuple([share, share])
      .default([0.2, 1])
      .describe("The part's area as a share of the picture's, drawn evenly from [low, high]; above 0, at most 1."),
    ratio: z
      .tuple([proportion, proportion])
      .default([3 / 4, 4 / 3])
      .describe("The part's width by its height, drawn log-evenly from [low, high]; 0.01 to 100."),
    kernel: z.enum(kernels).default('bicubic').describe('How pixels are mixed when the part is brought to its size.'),
  }),
  shorthand: 'size',
  needs: ['picture'],
  random: true,
  retainsInput: false,
  evalVariant: ({ size, kernel }) => ({ name: 'resize', options: { size, kernel, fit: 'cover' } }),
  check: function* ({ scale, ratio }, spec) {
    yield* checkRange('scale', scale);
    yield* checkRange('ratio', ratio);
    yield* checkBefore('random-resized-crop', spec);
  },
  output: (spec, { size }) => ({ ...spec, size: sidesOf(size) }),
  run: ({ size, scale, ratio, kernel }) => {
    const [height, width] = sidesOf(size);
    return (sample: Sample & WithPicture, random: Random) => {
      const box = sampleResizedCrop(sample.picture.width, sample.picture.height, { scale, ratio }, random);
      return { ...sample, picture: sample.picture.crop(box).resize({ width, height, fit: 'fill', kernel }) };
    };
  },
});
