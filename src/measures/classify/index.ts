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
    about: (numbers) => {
      const five = numbers.top5 === undefined ? '' : `among the first five ${percent(Number(numbers.top5))}; `;
      return `${five}${picturesText(numbers)}`;
    },
  }),
  picture: {
    title: 'worst answers',
    alt: 'The pictures of which the model thought their class least likely',
    about: 'The pictures of the table above in its order, row by row.',
  },
  async run({ model, params, data: { on } }) {
    const { classAccuracy } = await import('./class-accuracy.ts');
    const { batches, of, classNames } = await on.open();
    const { answers, worst, images, ...accuracy } = await classAccuracy({ model, params, batches });
    return {
      numbers: { ...accuracy, resolution: on.resolution, images, of },
      tables: [...answers.tables(classNames), worst.table(classNames)],
      draw: async () => (await import('./figure.ts')).worstFigure(worst.list),
    };
  },
});
