import { z } from 'zod';
import { fail } from '../../errors.ts';
import { accuracies, answersText, completePool, isOfAnySize, pool, sameNotes } from '../accuracy.ts';
import { defineMeasure } from '../define.ts';

/** Accuracy of the votes of the most similar labelled pictures, by frozen features. */
export const knn = defineMeasure({
  name: 'knn',
  summary: 'k-NN accuracy of frozen features, in percent of the pictures: the training goes without labels.',
  options: z.strictObject({
    k: z.int().min(1).default(20).describe('How many of the most similar pictures vote on the class of a picture.'),
    vote: z
      .enum(['weighted', 'majority'])
      .default('weighted')
      .describe('weighted: a vote counts exp(cosine similarity / temperature); majority: each vote counts one.'),
    temperature: z
      .number()
      .positive()
      .default(0.07)
      .describe('Temperature of the weighted vote; a smaller value gives the nearest pictures more weight.'),
    pool,
  }),
  needs: 'encodes',
  data: ['on', 'reference'],
  labels: true,
  fields: ['picture'],
  isOfAnySize,
  complete: completePool,
  atStart: true,
  ...accuracies({
    what: 'k-NN accuracy',
    heading: 'Frozen features',
    about: (numbers) => `k ${numbers.k}; ${answersText(numbers)}`,
  }),
  check: ({ k }, { data }) =>
    few(k, data.reference.limit ?? Number.POSITIVE_INFINITY).map((error) => ({ option: 'k', error })),
  probe({ k }, { reference }) {
    for (const error of few(k, reference)) throw error;
  },
  async run(context) {
    const [{ featureSets }, { knnAccuracy }] = await Promise.all([import('../features.ts'), import('./neighbours.ts')]);
    const { sets, about } = await featureSets(context);
    const { k } = context.options;
    const accuracy = await knnAccuracy({ ...sets, ...context.options });
    return { numbers: { k, ...accuracy, ...about }, notes: sameNotes('k-NN', about) };
  },
});

function few(k: number, count: number) {
  return k > count ? [fail('KNN_FEW', { count, k })] : [];
}
