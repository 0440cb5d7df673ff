import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { maskedAccuracy } from '../../../src/measures/masked-codes/accuracy.ts';
import type { CodePredictor, HostBatch } from '../../../src/models/model.ts';
import { expectNoTensorLeak } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

/** Names code 2 for every patch, with three quarters of the chance. */
const always = {
  name: 'always',
  inputs: (batch: HostBatch) => batch,
  loss: (_: unknown, { weights }: Record<string, tf.Tensor>) => ({ sum: weights!.sum().mul(0.5), count: 1 }),
  codeScores: (_: unknown, { codes }: Record<string, tf.Tensor>) =>
    tf.tile(tf.tensor2d([[0, 0.1, 0.9, 0.2]]), [codes!.size, 1]),
} as unknown as CodePredictor;

const fields = (codes: number[], weights: number[]): { fields: HostBatch } => ({
  fields: {
    codes: { dtype: 'int32', shape: [codes.length / 3, 3], data: Int32Array.from(codes) },
    weights: { dtype: 'float32', shape: [codes.length / 3, 3], data: Float32Array.from(weights) },
  },
});

t.test('right answers and the commonest code among hidden patches alone', async (t) => {
  const batches = [fields([2, 1, 2, 1, 1, 2], [1, 1, 1, 1, 1, 0]), fields([1, 0, 2], [1, 1, 0])];
  await expectNoTensorLeak(t, async () => {
    const found = await maskedAccuracy({ model: always, params: {}, upload: uploadAll, batches });
    t.same(found, { accuracy: 2 / 7, commonest: 4 / 7, loss: 0.5, hidden: 7, images: 3 });
  });
  await t.rejects(maskedAccuracy({ model: always, params: {}, upload: uploadAll, batches: [] }), /MEASURE_EMPTY/);
});
