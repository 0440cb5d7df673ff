import { z } from 'zod';
import { deviceOptions } from '../backends/device.options.ts';
import { pathOption } from '../files/path-option.ts';
import { optimizerOptions } from '../train/optimizers/options.ts';

const cosine = z
  .strictObject({
    warmupSteps: z.int().min(0).optional().describe('Steps of linear rise from 0. Default: none.'),
    warmupEpochs: z.number().min(0).optional().describe('Epochs of linear rise from 0, instead of warmupSteps.'),
    minLr: z.number().min(0).default(0).describe('Learning rate at the end.'),
  })
  .describe('A linear rise, then half a cosine.');

const constant = z
  .strictObject({
    warmupSteps: z.int().min(0).optional().describe('Steps of linear rise from 0. Default: none.'),
    warmupEpochs: z.number().min(0).optional().describe('Epochs of linear rise from 0, instead of warmupSteps.'),
  })
  .describe('A linear rise, then one rate.');

/** Which number of a measure counts, and which values of it are good. */
const judgedBy = {
  measure: z.string().describe('A number of a measure by their names: `knn.top1`, `reconstruction.ours`.'),
  better: z
    .enum(['higher', 'lower'])
    .optional()
    .describe('Which values are better. Default: as the measure says; one that does not say needs it.'),
};

const stop = z
  .strictObject({
    ...judgedBy,
    patience: z
      .int()
      .min(1)
      .default(5)
      .describe('Evaluations in a row that may bring nothing better than the best before them.'),
    minDelta: z.number().min(0).default(0).describe('By how much a value must be better to count.'),
  })
  .describe(
    'Ends the training early, at a checkpoint that was measured, when it gets no better. The schedule stays that of the whole length.',
  );

const ema = z
  .strictObject({
    decay: z.number().min(0).lt(1).default(0.9999).describe('What is kept of the average at each update.'),
    warmup: z
      .strictObject({
        gamma: z.number().positive().default(1).describe('Updates after which it begins to slow down.'),
        power: z
          .number()
          .positive()
          .default(2 / 3)
          .describe('How fast: 2/3 for long trainings, 3/4 for shorter ones.'),
      })
      .optional()
      .describe(
        'The average forgets faster at first: the decay of update t is 1 − (1 + (t − 1) / gamma)^−power, at most `decay`.',
      ),
  })
  .describe('Keeps an exponential moving average of the weights, which is then what is measured and used.');

const clip = z
  .strictObject({
    norm: z.number().positive().describe('The greatest L2 norm of the mean gradient over all parameters.'),
  })
  .describe('Shortens gradients that are too long, over the whole batch.');

const checkpoint = z
  .strictObject({
    everySteps: z.int().min(1).optional().describe('Steps between checkpoints.'),
    everyEpochs: z.number().positive().optional().describe('Epochs between checkpoints, instead of everySteps.'),
    keep: z.int().min(1).default(2).describe('How many checkpoints are kept; the last always is.'),
    best: z
      .strictObject(judgedBy)
      .optional()
      .describe('Keeps the best checkpoint beside the newest ones, by what `evaluate` measures while it trains.'),
  })
  .describe('When checkpoints are written. One is always written at the end and when a run is stopped.');

/** The options of `train`. `model` is looked up by its name; its own options are the model's. */
export const trainOptions = z.strictObject({
  model: z.unknown().describe('The model, by name: `{ lomar: { size: tiny } }`.'),
  batch: z
    .int()
    .min(1)
    .max(1_048_576)
    .describe('Samples per optimizer step. Part of the method: it never changes by itself.'),
  microBatch: z
    .union([z.literal('auto'), z.int().min(1)])
    .default('auto')
    .describe(
      'Samples per forward and backward pass (the ghost batch); divides batch. Changes speed and memory, the result by rounding alone.',
    ),
  steps: z.int().min(1).optional().describe('Length of the run in steps. Exactly one of steps and epochs.'),
  epochs: z.number().positive().optional().describe('Length of the run in passes over the source.'),
  optimizer: optimizerOptions
    .default({ adamw: { baseLr: 1.5e-4, weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 } })
    .describe('The optimizer, by name. Default: adamw with baseLr 1.5e-4.'),
  schedule: z
    .strictObject({ cosine: cosine.optional(), constant: constant.optional() })
    .default({ cosine: { minLr: 0 } })
    .describe('How the learning rate changes, by name. Default: cosine without warm-up.'),
  clip: clip.optional(),
  ema: ema.optional(),
  dropLast: z
    .boolean()
    .default(false)
    .describe('End each epoch at its last full batch, as the papers do; otherwise batches cross epochs.'),
  ...deviceOptions,
  onNotANumber: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe(
      'What happens when a loss is not a number: stop the run, or skip the step and say so; a hundred such steps in a row end the run all the same.',
    ),
  checkpoint: checkpoint.prefault({}),
  stop: stop.optional(),
  thread: z
    .enum(['worker', 'main'])
    .default('worker')
    .describe('The thread that trains: one of its own, or the calling one.'),
  init: pathOption()
    .optional()
    .describe(
      'Weights to start from: the folder of a run or of a checkpoint, or a .safetensors file. An encoder is enough.',
    ),
});

/** `train` as written, and as parsed. */
export type TrainInput = Omit<z.input<typeof trainOptions>, 'model'>;
export type TrainOptions = Omit<z.output<typeof trainOptions>, 'model'>;
