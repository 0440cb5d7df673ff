import { z } from 'zod';
import { fail } from '../errors.ts';
import { abilities } from '../measures/define.ts';
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
import type { Trained } from './trained.ts';

/** The likeliest classes of a picture, the likeliest first. */
export interface WithPrediction {
  /** Their ranks, int32 [k]. */
  readonly class: Int32Array;
  /** Their names, or their ranks as text where the model was trained on a source without names. */
  readonly label: readonly string[];
  /** float32 [k], 0 to 1. */
  readonly probability: Float32Array;
}

/**
 * Names the likeliest classes of pictures by a classifier that was trained here. A picture of another size is cut as those that it was trained on. What a sample is
 * given is the same whichever samples are beside it, as with `embed`.
 * A sample fails with FEATURE_NOT_A_NUMBER, PICTURE_BROKEN, PICTURE_MEMORY; errors of model and backend end the run.
 */
export const predict = defineStage({
  ...inferenceStage,
  name: 'predict',
  summary: 'Names the likeliest classes of the picture, by a classifier that was trained before.',
  options: z.strictObject({
    ...inferenceOptions,
    top: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe('How many of the likeliest classes are named, at most as many as there are.'),
  }),
  identity: (options, place) => inferenceIdentity(options, place, 'classes'),
  *check(options, spec, place) {
    if (spec.fields.label !== undefined && !spec.open) yield { error: fail('PREDICT_LABEL', {}) };
    yield* checkInference(options, spec, place, ({ definition, model, where }) =>
      definition === undefined || abilities.classifies.isDefined(definition)
        ? undefined
        : fail('PREDICT_MODEL', { model: model.name }, { where }),
    );
  },
  output: (spec, options, place) =>
    inferenceOutput(options, spec, place, {
      field: 'probability',
      fieldsOf: (trained, origin) => {
        const count = classesOf(trained);
        if (count === undefined) return undefined;
        const shape = [Math.min(options.top, count)];
        return { class: { dtype: 'int32', shape }, label: 'text', probability: { dtype: 'float32', shape, origin } };
      },
    }),
  run(options, _, context) {
    const { trained, ask } = inferenceWork(
      options,
      (found) => ({ kind: 'predict', top: Math.min(options.top, classesOf(found) ?? options.top) }),
      context,
      'classes',
    );
    const names = trained.classNames;
    return async (sample: Sample & WithPicture): Promise<Sample & WithPicture & WithPrediction> => {
      const { values, classes } = await ask(sample);
      const label = Array.from(classes!, (rank) => names?.[rank] ?? String(rank));
      return { ...sample, class: classes!, label, probability: values };
    };
  },
});

/** How many classes a model of ours distinguishes. */
function classesOf({ definition, model }: Trained): number | undefined {
  return definition?.classes?.(definition.options.parse(model.options));
}
