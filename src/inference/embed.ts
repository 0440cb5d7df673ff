import { z } from 'zod';
import { fail } from '../errors.ts';
import { abilities } from '../measures/define.ts';
import type { Pool } from '../models/model.ts';
import type { WithPicture } from '../stages/size.ts';
import { defineStage } from '../stages/stage.ts';
import type { Sample } from '../streams/sample.ts';
import {
  checkInference,
  inferenceIdentity,
  inferenceOptions,
  inferenceOutput,
  inferenceStage,
  inferenceWork,
} from './stage.ts';
import { findTrained, type Trained } from './trained.ts';

/** A picture's features: float32 [D], or [n, D] row by row for each of its patches. */
export interface WithEmbedding {
  readonly embedding: Float32Array;
}

/**
 * Turns pictures into vectors by an encoder that was trained here: tokens after its last normalisation, their mean over the patches, the cls token, or each patch's; or by a classifier, what its head reads.
 * A picture of another size is cut as those that the encoder was trained on. A sample's vector is the same, byte for byte, whichever samples are beside it, on one
 * backend, number of threads and kind of processor; elsewhere within 1e-6.
 * A sample fails with FEATURE_NOT_A_NUMBER, PICTURE_BROKEN, PICTURE_MEMORY; errors of model and backend end the run.
 */
export const embed = defineStage({
  ...inferenceStage,
  name: 'embed',
  summary: 'Turns the picture into a vector, by an encoder that was trained before.',
  options: z.strictObject({
    ...inferenceOptions,
    pool: z
      .enum(['mean', 'cls', 'patches'])
      .optional()
      .describe(
        "What the vector is: the mean over the patches' tokens, the cls token, or each patch's token. Default: what the head of a classifier reads; of other models the mean.",
      ),
  }),
  complete(options, { base }) {
    try {
      const trained = options.pool === undefined ? findTrained(options.from, base, options.weights) : undefined;
      return trained === undefined ? options : { ...options, pool: poolOf(options, trained) };
    } catch {
      // What is wrong with the model, `check` says.
      return options;
    }
  },
  identity: (options, place) => inferenceIdentity(options, place, (trained) => poolOf(options, trained)),
  check: (options, spec, place) =>
    checkInference(options, spec, place, ({ definition, model, where }) =>
      definition === undefined || abilities.encodes.isDefined(definition)
        ? undefined
        : fail('EMBED_MODEL', { model: model.name }, { where }),
    ),
  output: (spec, options, place) =>
    inferenceOutput(options, spec, place, {
      field: 'embedding',
      pool: (trained) => poolOf(options, trained),
      fieldsOf: (trained, origin) => {
        const shape = shapeOf(trained, poolOf(options, trained));
        return shape && { embedding: { dtype: 'float32', shape, origin } };
      },
    }),
  run(options, _, context) {
    const pool = (trained: Trained) => poolOf(options, trained);
    const { ask } = inferenceWork(options, (trained) => ({ kind: 'embed', pool: pool(trained) }), context, pool);
    return async (sample: Sample & WithPicture): Promise<Sample & WithPicture & WithEmbedding> => {
      const { values } = await ask(sample);
      return { ...sample, embedding: values };
    };
  },
});

/** What a vector is: as it is asked for, or as the model has it. */
export function poolOf(
  { pool }: { readonly pool?: Pool | undefined },
  { definition, model }: Pick<Trained, 'definition' | 'model'>,
): Pool {
  return pool ?? definition?.pool?.(definition.options.parse(model.options)) ?? 'mean';
}

/** The shape of the vectors of a model of ours: D as its definition says it, and n patches of its grid. */
function shapeOf(trained: Trained, pool: Pool): number[] | undefined {
  const { definition, model, size } = trained;
  const width = definition?.work?.(definition.options.parse(model.options), model.spec)?.width;
  const patch = patchOf(trained);
  if (width === undefined || patch === undefined) return undefined;
  return pool === 'patches' ? [(size[0] / patch) * (size[1] / patch), width] : [width];
}

/** The side of a patch: of the chain's grid, or as the model's options say. */
function patchOf({ model: { spec, options } }: Trained): number | undefined {
  const { patch = spec.grid?.patch } = options as { readonly patch?: number };
  return patch;
}
