import { upload } from '../../backends/upload.ts';
import { fail } from '../../errors.ts';
import type { HostBatch, Params, Tokenizer } from '../../models/model.ts';

/** How the codes of all patches are spread. */
export interface CodeShares {
  /** exp of the entropy: as many codes in even use would be as hard to guess. */
  readonly perplexity: number;
  /** Share of the vocabulary that occurs at all. */
  readonly used: number;
  /** Share of the patches that have the commonest code. */
  readonly commonest: number;
  readonly images: number;
}

/** Tokenizes pictures and counts. One batch at a time is on the backend; leaves no tensor behind. @throws MEASURE_EMPTY */
export async function codeShares({
  model,
  params,
  batches,
}: {
  readonly model: Tokenizer;
  readonly params: Params;
  readonly batches: AsyncIterable<{ readonly fields: HostBatch }> | Iterable<{ readonly fields: HostBatch }>;
}): Promise<CodeShares> {
  const counts = new Float64Array(model.vocabulary);
  let images = 0;
  for await (const { fields } of batches) {
    const picture = upload(fields.picture!);
    const codes = model.tokenize(params, { picture });
    picture.dispose();
    images += codes.shape[0];
    for (const code of await codes.data()) counts[code]! += 1;
    codes.dispose();
  }
  if (images === 0) throw fail('MEASURE_EMPTY', {});
  return { ...sharesOf(counts), images };
}

/** @param counts how often each code occurs; one at least does. */
export function sharesOf(counts: ArrayLike<number>): Omit<CodeShares, 'images'> {
  const all = Array.from(counts);
  const total = all.reduce((sum, count) => sum + count, 0);
  const shares = all.filter((count) => count > 0).map((count) => count / total);
  return {
    perplexity: Math.exp(shares.reduce((sum, share) => sum - share * Math.log(share), 0)),
    used: shares.length / all.length,
    commonest: Math.max(...shares),
  };
}
