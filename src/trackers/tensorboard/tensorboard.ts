import { z } from 'zod';
import { defineTracker } from '../define.ts';

/** Event files for TensorBoard, in the run's folder: `tensorboard --logdir runs` shows all runs side by side. */
export const tensorboard = defineTracker({
  name: 'tensorboard',
  summary:
    'Writes event files for TensorBoard into the folder `tensorboard` of the run: numbers of every step, evaluations, pictures, options.',
  options: z.strictObject({
    everySteps: z.int().min(1).max(1_000_000).default(1).describe('Write the numbers of every so many steps.'),
  }),
  open: async (options, run) => (await import('./writer.ts')).openTensorboard(options, run),
});
