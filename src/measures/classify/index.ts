import { z } from 'zod';
import { accuracies, percent, picturesText } from '../accuracy.ts';
import { defineMeasure } from '../define.ts';

/** Accuracy of what a classifier itself says of labelled pictures. */
export const classify = defineMeasure({
  name: 'classify',
  summary: 'Accuracy of the model’s own answers, for a model that distinguishes classes.',
  options: z.strictObject({}),
  needs: 'classifies',
  labels: true,
  fields: ['picture'],
  ...accuracies({
    what: 'Accuracy',
    heading: 'Classes',
    about: (numbers) => `among the first five ${percent(Number(numbers.top5))}; ${picturesText(numbers)}`,
  }),
  async run({ model, params, data: { on } }) {
    const { classAccuracy } = await import('./class-accuracy.ts');
    const { batches, of } = await on.open();
    const { classes, largest, images, ...accuracy } = await classAccuracy({ model, params, batches });
    return { numbers: { ...accuracy, resolution: on.resolution, classes, largest, images, of } };
  },
});
