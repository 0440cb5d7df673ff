import { z } from 'zod';
import { fail } from '../../errors.ts';
import { defineMeasure } from '../define.ts';
import { baselines, errorTable, errorTexts, reconstructionLines } from './texts.ts';

/** Error on hidden pixels, compared with simple ways of filling them. */
export const reconstruction = defineMeasure({
  name: 'reconstruction',
  summary: 'Mean squared error over hidden pixels, compared with simple ways of filling them.',
  options: z.strictObject({
    baseline: z
      .enum(baselines)
      .default('smooth-fill')
      .describe('The simple method that the last line compares the model with; all of them are measured and saved.')
      .meta({ formerly: 'beside' }),
    pictures: z.int().min(0).max(64).default(8).describe('How many reconstructions are drawn.'),
  }),
  needs: 'restores',
  values: errorTexts,
  single: true,
  picture: {
    title: 'restored pictures',
    alt: 'What the model is given of each picture, and what it makes of it',
    about:
      'Grey patches are hidden from the model; half grey ones in one of two windows that overlap there. Pale patches lie in no window.',
  },
  check({ baseline }, { model: { name, definition } }) {
    if (baseline !== 'low-resolution' || definition.fields.includes('lr')) return [];
    const [field, fields] = ['lr', definition.fields.join(', ')];
    const slots = { owner: 'baseline low-resolution', field, fields, advice: `Compare ${name} with another.` };
    return [{ option: 'baseline', error: fail('FIELD_MISSING', slots) }];
  },
  async run(context) {
    const { evaluateReconstruction } = await import('./errors.ts');
    const { data, options, pictures = options.pictures } = context;
    const { batches } = await data.on.open({ size: 16 });
    const { errors, images, hidden, notes, examples } = await evaluateReconstruction(context, batches, pictures);
    const draw = async () => (await import('./figure.ts')).reconstructionFigure(examples);
    return { numbers: { ...errors, images, hidden }, notes, draw };
  },
  format: ({ options, numbers, notes }) => [...reconstructionLines(numbers, options.baseline), ...notes],
  brief: ({ numbers }) => `error on the hidden pixels ${Number(numbers.ours).toFixed(4)}`,
  report: { tables: ({ numbers }) => [errorTable(numbers)] },
});
