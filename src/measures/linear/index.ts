import { z } from 'zod';
import { fail } from '../../errors.ts';
import { accuracies, answersText, completePool, isOfAnySize, pool, sameNotes } from '../accuracy.ts';
import { defineMeasure } from '../define.ts';

/** Accuracy of a linear classifier that learns from frozen features of labelled pictures. */
export const linear = defineMeasure({
  name: 'linear',
  summary: 'Accuracy of a linear classifier trained on frozen features.',
  options: z.strictObject({
    epochs: z.int().min(1).default(90).describe('Passes over the features.'),
    batch: z.int().min(1).default(256).describe('Features per step.'),
    lr: z
      .number()
      .positive()
      .default(0.1)
      .describe('Highest learning rate for a batch of 256; the rate is lr · batch / 256, and falls to 0 as a cosine.'),
    // Without defaults: runs of before these options go on as the same ones.
    warmupEpochs: z
      .int()
      .min(0)
      .optional()
      .describe('Epochs of linear rise from 0 before that; fewer than `epochs`. Default 0.'),
    optimizer: z
      .enum(['sgd', 'lars'])
      .optional()
      .describe('SGD with momentum, or LARS as in MAE’s recipe, for batches of thousands. Default sgd.'),
    ghostBatch: z
      .int()
      .min(2)
      .optional()
      .describe(
        'Normalises features by the statistics of groups of so many in a step, and by running averages in evaluation, as batch normalisation does. Default: by the statistics of the whole set.',
      ),
    pool,
  }),
  needs: 'encodes',
  data: ['on', 'reference'],
  labels: true,
  fields: ['picture'],
  isOfAnySize,
  complete: completePool,
  atStart: true,
  check({ epochs, warmupEpochs = 0 }) {
    if (warmupEpochs < epochs) return [];
    const slots = { option: 'warmupEpochs', expected: `less than \`epochs\`, ${epochs}`, found: warmupEpochs };
    return [{ option: 'warmupEpochs', error: fail('OPTION_VALUE', { ...slots, advice: '' }) }];
  },
  ...accuracies({ what: 'Linear accuracy', heading: 'Frozen features', about: answersText }),
  async run(context) {
    const [{ featureSets }, { linearProbe }] = await Promise.all([import('../features.ts'), import('./probe.ts')]);
    const { sets, about } = await featureSets(context);
    const { warmupEpochs = 0, optimizer = 'sgd', ...options } = context.options;
    const accuracy = await linearProbe({ ...sets, ...options, warmupEpochs, optimizer, seed: context.seed });
    return { numbers: { ...accuracy, ...about }, notes: sameNotes('the linear probe', about) };
  },
});
