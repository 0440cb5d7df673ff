import { z } from 'zod';
import { fail } from '../errors.ts';
import type { Sample } from '../streams/sample.ts';
import { checkBefore, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/** A rectangle of the picture as a sample carries it: int32 [left, top, width, height] in pixels of the upright picture. */
export interface WithBox {
  readonly box: ArrayLike<number>;
}

/**
 * Cuts the sample's `box` out of its picture: a face, an object. What juts out of the picture is left away; a box that lies outside, or has no pixels, fails
 * with BOX_OUTSIDE.
 */
export const cropBox = defineStage({
  name: 'crop-box',
  summary: "Cuts the sample's box out of the picture.",
  options: z.strictObject({}),
  needs: ['picture', 'box'],
  retainsInput: false,
  check: (_, spec) => checkBefore('crop-box', spec),
  output: ({ size: _, ...spec }) => spec,
  run: () => (sample: Sample & WithPicture & WithBox) => {
    const { picture, box } = sample;
    const [left, top, width, height] = [box[0]!, box[1]!, box[2]!, box[3]!];
    const [right, bottom] = [Math.min(left + width, picture.width), Math.min(top + height, picture.height)];
    const inside = { left: Math.max(left, 0), top: Math.max(top, 0) };
    const [wide, high] = [right - inside.left, bottom - inside.top];
    // Also of a box whose numbers are none.
    if (!(wide > 0 && high > 0)) {
      const found = `${width}×${height} at left ${left}, top ${top}`;
      throw fail('BOX_OUTSIDE', { width: picture.width, height: picture.height, box: found });
    }
    return { ...sample, picture: picture.crop({ ...inside, width: wide, height: high }) };
  },
});
