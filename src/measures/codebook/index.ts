import { z } from 'zod';
import { counted, numberText } from '../../counts.ts';
import { percent } from '../accuracy.ts';
import { defineMeasure, type Shown } from '../define.ts';

/** How evenly a tokenizer uses its codes. */
export const codebook = defineMeasure({
  name: 'codebook',
  summary: 'How many codes a tokenizer uses, and how evenly: exp of the entropy of their shares.',
  options: z.strictObject({}),
  needs: 'tokenizes',
  fields: ['picture'],
  values: {
    perplexity: { title: 'codes in even use (perplexity)', text: (value) => value.toFixed(1) },
    used: { title: 'codes used', text: percent },
    commonest: { title: 'share of the commonest code', text: percent },
  },
  atStart: true,
  async run({ model, params, data: { on } }) {
    const { codeShares } = await import('./shares.ts');
    const { batches } = await on.open();
    const { images, ...shares } = await codeShares({ model, params, batches });
    return { numbers: { ...shares, vocabulary: model.vocabulary, images } };
  },
  format: (shown) => [line(shown)],
  brief: line,
});

function line({ numbers }: Shown): string {
  const [perplexity, used, commonest] = [numbers.perplexity, numbers.used, numbers.commonest].map(Number);
  return `Codebook: as if ${perplexity!.toFixed(1)} of ${numberText(Number(numbers.vocabulary))} codes were in even use; ${percent(used!)} are used, the commonest for ${percent(commonest!)} of the patches (${counted(Number(numbers.images), 'picture')})`;
}
