import { z } from 'zod';
import { pathOption } from '../files/path-option.ts';

/** Simple ways to fill hidden pixels, which a reconstruction is compared with. The last is for models that see the picture at low resolution. */
export const baselines = ['mean-patch', 'nearest-patch', 'smooth-fill', 'low-resolution'] as const;

const stages = z
  .unknown()
  .optional()
  .describe(
    'The stages; by default those of evaluate, else those of the pipeline, random ones replaced by their deterministic twins.',
  );

/** A folder, or a source. */
const place = z.union([pathOption(), z.looseObject({})]);

const reconstruction = z
  .strictObject({
    on: place
      .optional()
      .describe('Pictures that are not trained on: a folder, or a source. Default: the source of evaluate.'),
    stages,
    beside: z
      .enum(baselines)
      .default('smooth-fill')
      .describe('The simple restorer that the verdict compares with; all of them are measured and written down.'),
    pictures: z.int().min(0).max(64).default(8).describe('How many reconstructions are drawn.'),
    limit: z
      .int()
      .min(1)
      .optional()
      .describe('How many pictures are taken, at equal distances in listing order. Default: all.'),
  })
  .describe('Mean squared error over hidden pixels, beside simple ways of filling them.');

const features = {
  on: place
    .optional()
    .describe(
      'Labelled pictures that are not trained on: a folder of a folder per class, or a source. Default: the source of evaluate.',
    ),
  against: place
    .optional()
    .describe('Labelled pictures that give the answers: a folder or a source. Default: the source of the pipeline.'),
  stages,
  pool: z
    .enum(['mean', 'cls'])
    .default('mean')
    .describe("A picture's feature: the mean of the encoder's patch tokens, or its cls token."),
  limit: z
    .strictObject({
      on: z.int().min(1).optional().describe('Most pictures of `on`. Default: all.'),
      against: z.int().min(1).optional().describe('Most pictures of `against`. Default: all.'),
    })
    .default({})
    .describe('How many pictures are taken, at equal distances in listing order.'),
};

const knn = z
  .strictObject({
    k: z.int().min(1).default(20).describe('How many of the most similar pictures vote on the class of a picture.'),
    vote: z
      .enum(['weighted', 'majority'])
      .default('weighted')
      .describe('weighted: a vote counts exp(cosine similarity / temperature); majority: each vote counts one.'),
    temperature: z.number().positive().default(0.07).describe('Of the weighted vote; smaller trusts the nearest more.'),
    ...features,
  })
  .describe('k-NN accuracy of frozen features, in percent of the pictures: the training goes without labels.');

const linear = z
  .strictObject({
    epochs: z.int().min(1).default(90).describe('Passes over the features.'),
    batch: z.int().min(1).default(256).describe('Features per step.'),
    lr: z
      .number()
      .positive()
      .default(0.1)
      .describe('Highest learning rate for a batch of 256; the rate is lr · batch / 256, and falls to 0 as a cosine.'),
    ...features,
  })
  .describe('Accuracy of a linear classifier trained on frozen features.');

const classify = z
  .strictObject({
    on: features.on,
    stages,
    limit: z
      .int()
      .min(1)
      .optional()
      .describe('How many pictures are taken, at equal distances in listing order. Default: all.'),
  })
  .describe('Accuracy of the model’s own answers, for a model that tells classes apart.');

/** The measures of `evaluate`, by name. */
export const measureOptions = { reconstruction, knn, linear, classify } as const;
export const measureNames = Object.keys(measureOptions) as readonly MeasureName[];
export type MeasureName = keyof typeof measureOptions;

/** The options of a measure without what names data, which is looked up and checked apart. */
export const ownOptions = {
  reconstruction: reconstruction.omit({ on: true, stages: true }),
  knn: knn.omit({ on: true, against: true, stages: true }),
  linear: linear.omit({ on: true, against: true, stages: true }),
  classify: classify.omit({ on: true, stages: true }),
} as const;

/** When is measured. */
export const timing = z.strictObject({
  every: z
    .strictObject({
      steps: z.int().min(1).optional().describe('Steps between evaluations.'),
      epochs: z.number().positive().optional().describe('Epochs between evaluations, instead of steps.'),
    })
    .optional()
    .describe('Measures while it trains as well, each time on a checkpoint. Exactly one of steps and epochs.'),
  at: z
    .array(z.enum(['start', 'end']))
    .min(1)
    .optional()
    .describe(
      'When is measured: before the first step, after the last. Default: frozen features at both, the others at the end.',
    ),
});

const short = {
  reconstruction: reconstruction.optional(),
  knn: knn.optional(),
  linear: linear.optional(),
  classify: classify.optional(),
};

/** The options of `evaluate`. The short form names each measure once; the full form lists `measures`. */
export const evaluateOptions = timing.extend({
  source: z.unknown().optional().describe('The samples it is evaluated on, where a measure names none.'),
  stages: z
    .unknown()
    .optional()
    .describe('The stages; by default those of the pipeline, random ones replaced by their deterministic twins.'),
  measures: z
    .array(z.strictObject(short))
    .min(1)
    .optional()
    .describe('What is measured, where the same measure is wanted more than once: on other data, with other options.'),
  ...short,
});

/** What a measure is parsed to, without what names data. */
export type ReconstructionOptions = z.output<typeof ownOptions.reconstruction>;
export type KnnOptions = z.output<typeof ownOptions.knn>;
export type LinearOptions = z.output<typeof ownOptions.linear>;
export type ClassifyOptions = z.output<typeof ownOptions.classify>;
export type Timing = z.output<typeof timing>;

/** The options of measures as they are written, without what names data. */
export type WrittenMeasures = { readonly [Name in MeasureName]: z.input<(typeof ownOptions)[Name]> };
export type WrittenTiming = z.input<typeof timing>;
