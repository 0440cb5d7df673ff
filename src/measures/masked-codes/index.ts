import { z } from 'zod';
import { counted } from '../../counts.ts';
import { percent } from '../accuracy.ts';
import { defineMeasure, type Shown } from '../define.ts';

/** How often a model names the code of a hidden patch. */
export const maskedCodes = defineMeasure({
  name: 'masked-codes',
  summary: 'Share of the hidden patches whose code a model names first, beside that of the commonest code.',
  options: z.strictObject({}),
  needs: 'predictsCodes',
  values: {
    accuracy: { title: 'masked-code accuracy', text: percent },
    commonest: { title: 'share of the commonest code', text: percent },
    loss: { title: 'masked-code loss' },
  },
  atStart: true,
  async run({ model, params, upload, data: { on } }) {
    const { maskedAccuracy } = await import('./accuracy.ts');
    const { batches } = await on.open({ size: 16 });
    return { numbers: { ...(await maskedAccuracy({ model, params, upload, batches })) } };
  },
  format: (shown) => [line(shown)],
  brief: line,
});

function line({ numbers, before }: Shown): string {
  const now = percent(Number(numbers.accuracy));
  const values = before === undefined ? now : `${percent(Number(before.accuracy))} before, ${now} after`;
  return `Codes of hidden patches named rightly: ${values}; always the commonest code would be right for ${percent(Number(numbers.commonest))} (${counted(Number(numbers.hidden), 'patch', 'patches')} of ${counted(Number(numbers.images), 'picture')})`;
}
