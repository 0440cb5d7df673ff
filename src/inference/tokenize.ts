import { z } from 'zod';
import { fail } from '../errors.ts';
import { abilities } from '../measures/define.ts';
import { tokenizerOptions, tokenizerShape } from '../models/tokenizer/options.ts';
import type { WithPicture } from '../stages/size.ts';
import { defineStage } from '../stages/stage.ts';
import type { Sample } from '../streams/sample.ts';
import type { Spec } from '../vision/spec.ts';
import {
  checkInference,
  inferenceIdentity,
  inferenceOptions,
  inferenceOutput,
  inferenceStage,
  inferenceWork,
} from './stage.ts';
import { findTrained, type Trained } from './trained.ts';

/** The codes of a picture's patches, int32 [n], in raster order. */
export interface WithCodes {
  readonly codes: Int32Array;
}

/**
 * Adds `codes`, int32 [n]: for each patch the code that a tokenizer has for it, which `beit` learns. The tokenizer sees the picture as it is here, made smaller by
 * Lanczos' kernel, as BEiT's code does. Codes are the same whichever samples are beside it, as with `embed`.
 * A sample fails with FEATURE_NOT_A_NUMBER, PICTURE_BROKEN, PICTURE_MEMORY; errors of model and backend end the run.
 */
export const tokenize = defineStage({
  ...inferenceStage,
  name: 'tokenize',
  summary: "Adds the codes of the picture's patches, by a tokenizer that was trained before.",
  options: z.strictObject({
    ...inferenceOptions,
    size: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('Side in pixels of the picture that the tokenizer sees. Default: as it was trained.'),
  }),
  identity: (options, place) => inferenceIdentity(options, place, made(options)),
  *check(options, spec, place) {
    // Pictures are brought to its size here.
    yield* checkInference(options, withoutSize(spec), place, (trained) => {
      const { definition, model, where } = trained;
      if (definition !== undefined && !abilities.tokenizes.isDefined(definition))
        return fail('TOKENIZE_MODEL', { model: model.name }, { where });
      const grid = gridOf(trained, options.size);
      if (grid === undefined || Number.isInteger(grid.side)) return undefined;
      const suggestion = grid.patch * Math.max(1, Math.round(grid.side));
      return fail('TOKENIZE_SIZE', { size: grid.patch * grid.side, patch: grid.patch, suggestion });
    });
  },
  output(spec, options, place) {
    const trained = findTrained(options.from, place.base, options.weights);
    const grid = trained && gridOf(trained, options.size);
    const after = inferenceOutput(options, spec, place, {
      field: 'codes',
      fieldsOf: (_, origin) => grid && { codes: { dtype: 'int32', shape: [grid.side ** 2], origin } },
    });
    return grid === undefined ? after : { ...after, vocabulary: grid.vocabulary };
  },
  run(options, _, context) {
    const sides = options.size === undefined ? undefined : ([options.size, options.size] as const);
    const { trained, ask } = inferenceWork(options, () => ({ kind: 'tokenize' }), context, made(options), sides);
    const [height, width] = sides ?? trained.size;
    return async (sample: Sample & WithPicture): Promise<Sample & WithPicture & WithCodes> => {
      const picture = sample.picture.settle().resize({ width, height, fit: 'fill', kernel: 'lanczos' });
      const { values } = await ask({ ...sample, picture });
      return { ...sample, codes: Int32Array.from(values) };
    };
  },
});

/** What the codes are of: another size of the picture gives others. */
function made({ size }: { readonly size?: number | undefined }): string {
  return size === undefined ? 'codes' : `codes of ${size} px`;
}

function withoutSize({ size: _, ...spec }: Spec): Spec {
  return spec;
}

/** Patches along a side of what a tokenizer of ours sees, and its vocabulary. */
function gridOf({ definition, model, size: [trained] }: Trained, size = trained) {
  if (definition?.name !== 'tokenizer') return undefined;
  const { patch, vocabulary } = tokenizerShape(tokenizerOptions.parse(model.options), model.spec);
  return { patch, side: size / patch, vocabulary };
}
