import { z } from 'zod';
import type { Sample } from '../streams/sample.ts';
import { checkBefore, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/** A rectangle of the picture as a sample carries it: int32 [left, top, width, height] in pixels of the upright picture. */
export interface WithBox {
  readonly box: ArrayLike<number>;
}

/**
 * Cuts the sample's `box` out of its picture: a face, an object. What juts out of the picture is left away; a box that lies outside fails
 * with PICTURE_BOX.
 */
export const cropBox = defineStage({
  name: 'crop-box',
  summary: "Cuts the sample's box out of the picture.",
  options: z.strictObject({}),
  needs: ['picture', 'box'],
  check: (_, spec) => checkBefore('crop-box', spec),
  output: ({ size: _, ...spec }) => spec,
  run: () => (sample: Sample & WithPicture & WithBox) => {
    const { picture, box } = sample;
    const [left, top, width, height] = [box[0]!, box[1]!, box[2]!, box[3]!];
    const [right, bottom] = [Math.min(left + width, picture.width), Math.min(top + height, picture.height)];
    const inside = { left: Math.max(left, 0), top: Math.max(top, 0) };
    return {
      ...sample,
      picture: picture.crop({ ...inside, width: right - inside.left, height: bottom - inside.top }),
    };
  },
});
