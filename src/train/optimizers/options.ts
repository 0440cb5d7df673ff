import { z } from 'zod';

/** Betas below 1. */
const betas = (first: number, second: number, what: string) =>
  z
    .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)])
    .default([first, second])
    .describe(what);

const weightDecay = (value: number, what: string) => z.number().min(0).default(value).describe(what);

const rates = {
  lr: z.number().positive().optional().describe('Highest learning rate, absolute. Exactly one of lr and baseLr.'),
  baseLr: z
    .number()
    .positive()
    .optional()
    .describe('Highest learning rate for a batch of 256; the rate is baseLr · batch / 256.'),
};

const layerDecay = {
  layerDecay: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe(
      'What the learning rate is multiplied by from each block to the one before it, for fine-tuning: MAE 0.65 for a base encoder. Default 1.',
    ),
};

const adamw = z
  .strictObject({
    ...rates,
    weightDecay: weightDecay(0.05, 'Decoupled weight decay; biases and norms are left out.'),
    betas: betas(0.9, 0.95, 'Decay rates of the two moments.'),
    eps: z.number().positive().default(1e-8).describe('Added to the root of the second moment.'),
    ...layerDecay,
  })
  .describe('Adam with decoupled weight decay.');

const lars = z
  .strictObject({
    ...rates,
    weightDecay: weightDecay(0, 'Added to the gradient, times the weights; biases and norms are left out.'),
    momentum: z.number().min(0).lt(1).default(0.9).describe('Decay rate of the sum of steps.'),
    trust: z
      .number()
      .positive()
      .default(0.001)
      .describe(
        'The share of its norm by which a parameter moves at rate 1. Biases and norms move as by plain momentum.',
      ),
    eps: z.number().positive().default(1e-8).describe('Added to the norm of the gradient.'),
    ...layerDecay,
  })
  .describe('Momentum whose step of each parameter follows its norm, for very large batches.');

const lamb = z
  .strictObject({
    ...rates,
    weightDecay: weightDecay(
      0.01,
      'Weight decay within the step of which the norm is taken; biases and norms are left out.',
    ),
    betas: betas(0.9, 0.999, 'Decay rates of the two moments.'),
    eps: z.number().positive().default(1e-6).describe('Added to the root of the second moment.'),
    trustClip: z.boolean().default(false).describe('The ratio of a parameter’s norm to that of its step is at most 1.'),
    ...layerDecay,
  })
  .describe('Adam whose step of each parameter has the parameter’s norm times the rate, for very large batches.');

const lion = z
  .strictObject({
    ...rates,
    weightDecay: weightDecay(0.5, 'Decoupled weight decay; biases and norms are left out.'),
    betas: betas(0.9, 0.99, 'Decay rates: of the mean whose sign is the step, and of the moment.'),
    ...layerDecay,
  })
  .describe(
    'The sign of a mean of gradients, with one moment. Its rate is a tenth of AdamW’s, its decay ten times as much.',
  );

/** `train.optimizer`: one of them, by its name. */
export const optimizerOptions = z.strictObject({
  adamw: adamw.optional(),
  lars: lars.optional(),
  lamb: lamb.optional(),
  lion: lion.optional(),
});

export type OptimizerOptions = z.output<typeof optimizerOptions>;
export const optimizerNames = ['adamw', 'lars', 'lamb', 'lion'] as const;

/** float32 numbers that a training keeps for each parameter: itself, its gradient, the optimizer's moments, and its average. */
export function numbersPerParameter({ optimizer, ema }: { optimizer: OptimizerOptions; ema?: unknown }): number {
  const oneMoment = optimizer.lars !== undefined || optimizer.lion !== undefined;
  return 2 + (oneMoment ? 1 : 2) + (ema === undefined ? 0 : 1);
}

/** The highest learning rate as the pipeline has it. */
export function ratesOf(options: OptimizerOptions): {
  readonly lr?: number | undefined;
  readonly baseLr?: number | undefined;
} {
  const name = optimizerNames.find((one) => options[one] !== undefined);
  return (name && options[name]) ?? { baseLr: 1.5e-4 };
}
