import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import type { CodePredictor, HostBatch } from '../../models/model.ts';
import type { MeasureContext } from '../define.ts';

/** What a model says of the codes of hidden patches. */
export interface MaskedAccuracy {
  /** Share of the hidden patches whose code had the highest score. */
  readonly accuracy: number;
  /** Share of these patches that have the commonest code among them: what one answer for all can reach. */
  readonly commonest: number;
  /** Mean cross-entropy, in nats. */
  readonly loss: number;
  readonly hidden: number;
  readonly images: number;
}

/** Scores the hidden patches of pictures. One batch at a time is on the backend; leaves no tensor behind. @throws MEASURE_EMPTY */
export async function maskedAccuracy({
  model,
  params,
  upload,
  batches,
}: Pick<MeasureContext<unknown, CodePredictor>, 'model' | 'params' | 'upload'> & {
  readonly batches: AsyncIterable<{ readonly fields: HostBatch }> | Iterable<{ readonly fields: HostBatch }>;
}): Promise<MaskedAccuracy> {
  const counts = new Map<number, number>();
  let [right, hidden, images, loss] = [0, 0, 0, 0];
  for await (const { fields } of batches) {
    const values = model.inputs(fields);
    const inputs = upload(values);
    const [scores, sum] = tf.tidy(() => [model.codeScores(params, inputs).argMax(-1), model.loss(params, inputs).sum]);
    tf.dispose(inputs);
    const [named, nats] = await Promise.all([scores.data(), sum.data()]);
    tf.dispose([scores, sum]);
    const [codes, weights] = [values.codes!.data, values.weights!.data];
    for (const [i, weight] of weights.entries()) {
      if (weight === 0) continue;
      const code = codes[i]!;
      hidden += 1;
      if (named[i] === code) right += 1;
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    loss += nats[0]!;
    images += values.codes!.shape[0]!;
  }
  if (hidden === 0) throw fail('MEASURE_EMPTY', {});
  const commonest = Math.max(...counts.values()) / hidden;
  return { accuracy: right / hidden, commonest, loss: loss / hidden, hidden, images };
}
