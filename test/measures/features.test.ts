import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { featuresOf } from '../../src/measures/features.ts';
import { type HostBatch, isEncoder } from '../../src/models/model.ts';
import { rowEncoder } from '../kit/training/grid-model.ts';
import { expectNoTensorLeak } from '../kit/training/tensors.ts';
import { linearModel } from '../kit/training/train.ts';

t.before(() => prepareWasm());

/** Pictures of 2 × 1 pixels: the upper grey `top`, the lower grey `bottom`. */
function batch(...samples: { top: number; bottom: number; label: number }[]): { fields: HostBatch } {
  const N = samples.length;
  const data = Uint8Array.from(samples.flatMap(({ top, bottom }) => [top, top, top, bottom, bottom, bottom]));
  const labels = Int32Array.from(samples, ({ label }) => label);
  return {
    fields: {
      picture: { dtype: 'uint8', shape: [N, 2, 1, 3], data },
      label: { dtype: 'int32', shape: [N], data: labels },
    },
  };
}

const batches = [
  batch({ top: 10, bottom: 30, label: 2 }, { top: 0, bottom: 200, label: 0 }),
  batch({ top: 7, bottom: 9, label: 1 }),
];
const options = { model: rowEncoder(), params: {}, batches, most: 5 };

t.test('the mean of the patch tokens, or the cls token; fewer pictures than there is room for', async (t) => {
  const mean = await featuresOf({ ...options, pool: 'mean' });
  t.same([...mean.values], [20, 20, 20, 100, 100, 100, 8, 8, 8]);
  t.same([...mean.labels], [2, 0, 1]);
  t.equal(mean.width, 3);
  const cls = await featuresOf({ ...options, pool: 'cls' });
  t.same([...cls.values], [100, 100, 100, 0, 0, 0, 70, 70, 70]);
  const patches = await featuresOf({ ...options, pool: 'patches' });
  t.equal(patches.width, 6);
  t.same([...patches.values.subarray(0, 6)], [10, 10, 10, 30, 30, 30]);
  await expectNoTensorLeak(t, () => featuresOf({ ...options, pool: 'mean' }));
});

t.test('pixels are the pictures themselves, which no model has seen', async (t) => {
  const encode = () => t.fail('asked') as never;
  const { values, width, labels } = await featuresOf({
    ...options,
    model: { ...rowEncoder(), encode },
    pool: 'pixels',
  });
  t.equal(width, 6);
  t.same([...labels], [2, 0, 1]);
  t.same(
    [...values],
    Array.from(Float32Array.of(...[10, 30, 0, 200, 7, 9].flatMap((v) => [v, v, v])), (v) => Math.fround(v / 255)),
  );
});

t.test('an encoder that has diverged, and a label that is no class', async (t) => {
  t.ok(isEncoder(rowEncoder()));
  t.notOk(isEncoder(linearModel()));
  const model = { ...rowEncoder(), encode: () => tf.fill([2, 3, 3], Number.NaN) as tf.Tensor3D };
  await t.rejects(featuresOf({ ...options, model, pool: 'mean' }), { code: 'FEATURE_NOT_A_NUMBER' });
  const strange = [batch({ top: 1, bottom: 1, label: -1 })];
  await t.rejects(featuresOf({ ...options, batches: strange, pool: 'mean' }), { code: 'LABEL_NUMBER' });
});
