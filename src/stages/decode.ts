import { z } from 'zod';
import { type Sample, withFields } from '../streams/sample.ts';
import { backgroundOption } from '../vision/colour.ts';
import { pictureFormats } from '../vision/headers/formats.ts';
import { commonFormats, defaultMaxPixels, openSoon } from '../vision/open.ts';
import { Picture } from '../vision/picture.ts';
import { defineStage } from './stage.ts';

/**
 * Opens the bytes of a sample as a picture. Nothing is decoded yet: the first bytes say what the file is, its header how large, and
 * EXIF how it stands; crop, resize and flip then only describe, and pixels are made once, when the sample is written into its batch.
 * A sample fails with PICTURE_EMPTY, PICTURE_FORMAT, PICTURE_UNSUPPORTED, PICTURE_LIMIT or PICTURE_BROKEN; with the last also when it is rendered, where
 * the file is damaged in the rows that are wanted.
 */
export const decode = defineStage({
  name: 'decode',
  summary:
    'Opens the file as a picture: checks what it is and how large, turns it upright by EXIF, and lays it on a background where it is transparent. One that is damaged fails when its pixels are made; rows below those that a crop needs are not decoded, and not judged.',
  policies: ['maxPixels'],
  options: z.strictObject({
    formats: z
      .array(z.enum(pictureFormats))
      .min(1)
      .optional()
      .describe(
        "The formats that are let through, whatever the files are called. Default: the source's, else jpeg, png and webp.",
      ),
    maxPixels: z
      .int()
      .min(1)
      .default(defaultMaxPixels)
      .describe(
        'The most pixels a picture may have, width times height, judged by its header before any memory is taken.',
      ),
    background: backgroundOption,
  }),
  needs: ['bytes'],
  retainsInput: false,
  output: (spec) => {
    const { size: _, ...rest } = spec;
    return { ...rest, fields: { ...spec.fields, picture: 'picture' } };
  },
  run: ({ formats, maxPixels, background }, spec) => {
    const options = { formats: formats ?? spec.formats ?? commonFormats, maxPixels, background };
    return (sample: Sample & { readonly bytes: Uint8Array }) => {
      const picture = openSoon(sample.bytes, options);
      if (picture instanceof Picture) return withFields(sample, { picture });
      return picture.then((picture) => withFields(sample, { picture }));
    };
  },
});
