import { z } from 'zod';
import { fail } from '../errors.ts';
import type { Sample } from '../streams/sample.ts';
import { checkBefore, isFixed, sidesOf, sizeOption, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/** Cuts the middle out of the picture, pixel by pixel, without scaling. A picture that is smaller fails with CROP_LARGE. */
export const centerCrop = defineStage({
  name: 'center-crop',
  summary: 'Cuts the middle out of the picture, without scaling.',
  options: z.strictObject({
    size: sizeOption.default(224).describe('The size of the crop in pixels: one side, or [height, width]; 1 to 65535.'),
  }),
  shorthand: 'size',
  needs: ['picture'],
  uniform: true,
  retainsInput: false,
  check: function* ({ size }, spec) {
    yield* checkBefore('center-crop', spec);
    const [height, width] = sidesOf(size);
    if (isFixed(spec) && (height > spec.size[0] || width > spec.size[1])) {
      yield { option: 'size', error: tooLarge(spec.size[1], spec.size[0], width, height) };
    }
  },
  output: (spec, { size }) => ({ ...spec, size: sidesOf(size) }),
  run: ({ size }) => {
    const [height, width] = sidesOf(size);
    return (sample: Sample & WithPicture) => {
      const { picture } = sample;
      if (height > picture.height || width > picture.width)
        throw tooLarge(picture.width, picture.height, width, height);
      const left = Math.floor((picture.width - width) / 2);
      const top = Math.floor((picture.height - height) / 2);
      return { ...sample, picture: picture.crop({ left, top, width, height }) };
    };
  },
});

function tooLarge(width: number, height: number, cropWidth: number, cropHeight: number) {
  return fail('CROP_LARGE', { width, height, crop: `${cropWidth}×${cropHeight} px` });
}
