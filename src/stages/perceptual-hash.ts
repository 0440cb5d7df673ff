import { z } from 'zod';
import { type Sample, withFields } from '../streams/sample.ts';
import { thumbnailSide } from '../vision/likeness/cosine-transform.ts';
import { hashBytes, perceptualHash as hashOf } from '../vision/likeness/perceptual-hash.ts';
import { renderGrey } from '../vision/render/render.ts';
import type { WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/**
 * Adds what near-duplicates are found by: `thumbnail`, uint8 [32, 32], the picture's luma, distorted to a square, and `hash`, uint8 [32], its perceptual hash (see
 * `vision/likeness/perceptual-hash.ts`). A picture is rendered once, from a decoding as small as that allows. A sample fails with PICTURE_BROKEN, PICTURE_MEMORY.
 */
export const perceptualHash = defineStage({
  name: 'perceptual-hash',
  summary: 'Adds a perceptual hash of the picture, and the thumbnail that near-duplicates are found by.',
  // Of no options zod makes a type that refuses also those that every stage has.
  options: z.strictObject({}) as z.ZodType<Record<never, never>, Record<never, never>>,
  needs: ['picture'],
  retainsInput: false,
  // The picture is rendered by threads of its own, where others wait meanwhile.
  perThread: 2,
  output: (spec) => ({
    ...spec,
    fields: {
      ...spec.fields,
      hash: { dtype: 'uint8', shape: [hashBytes] },
      thumbnail: { dtype: 'uint8', shape: [thumbnailSide, thumbnailSide] },
    },
  }),
  run: () => async (sample: Sample & WithPicture) => {
    const size = { width: thumbnailSide, height: thumbnailSide };
    const thumbnail = await renderGrey(sample.picture.resize({ ...size, fit: 'fill', kernel: 'bilinear' }));
    return withFields(sample, { hash: hashOf(thumbnail), thumbnail });
  },
});
