import { z } from 'zod';
import { deviceOptions } from '../backends/device.options.ts';
import { pathOption } from '../files/path-option.ts';

const adamw = z
  .strictObject({
    lr: z.number().positive().optional().describe('Highest learning rate, absolute. Exactly one of lr and baseLr.'),
    baseLr: z
      .number()
      .positive()
      .optional()
      .describe('Highest learning rate for a batch of 256; the rate is baseLr · batch / 256.'),
    weightDecay: z.number().min(0).default(0.05).describe('Decoupled weight decay; biases and norms are left out.'),
    betas: z
      .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)])
      .default([0.9, 0.95])
      .describe('Decay rates of the two moments.'),
    eps: z.number().positive().default(1e-8).describe('Added to the root of the second moment.'),
    layerDecay: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe(
        'What the learning rate is multiplied by from each block to the one before it, for fine-tuning: MAE 0.65 for a base encoder. Default 1.',
      ),
  })
  .describe('Adam with decoupled weight decay.');

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

const checkpoint = z
  .strictObject({
    everySteps: z.int().min(1).optional().describe('Steps between checkpoints.'),
    everyEpochs: z.number().positive().optional().describe('Epochs between checkpoints, instead of everySteps.'),
    keep: z.int().min(1).default(2).describe('How many checkpoints are kept; the last always is.'),
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
  optimizer: z
    .strictObject({ adamw: adamw.optional() })
    .default({ adamw: { baseLr: 1.5e-4, weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 } })
    .describe('The optimizer, by name. Default: adamw with baseLr 1.5e-4.'),
  schedule: z
    .strictObject({ cosine: cosine.optional(), constant: constant.optional() })
    .default({ cosine: { minLr: 0 } })
    .describe('How the learning rate changes, by name. Default: cosine without warm-up.'),
  dropLast: z
    .boolean()
    .default(false)
    .describe('End each epoch at its last full batch, as the papers do; otherwise batches cross epochs.'),
  ...deviceOptions,
  onNotANumber: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe('What happens when a loss is not a number: stop the run, or skip the step and say so.'),
  checkpoint: checkpoint.prefault({}),
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
