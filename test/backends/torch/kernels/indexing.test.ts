import t from 'tap';
import * as tf from '../../../../src/backends/tf.ts';
import { prepareTorch } from '../../../../src/backends/torch/prepare.ts';
import { expectNoTensorLeak } from '../../../kit/training/tensors.ts';
import { expectAgreement, testDevice, wavy, whole, withGradients, withoutTorch } from '../../../kit/training/torch.ts';

const skip = { skip: withoutTorch };
const x = () => wavy([3, 4, 5]);
const ids = (values: number[], shape?: number[]) => tf.tensor(values, shape, 'int32');

t.test('picked by index', skip, async (t) => {
  for (const axis of [0, 1, 2]) {
    const gather = withGradients((a) => tf.gather(a!, ids([2, 0, 2]), axis).square(), x);
    await expectAgreement(t, `axis ${axis}`, gather, 1e-5);
    await expectAgreement(t, `axis ${axis}, by a grid`, () => tf.gather(x(), ids([0, 2, 1, 1], [2, 2]), axis));
  }
  await expectAgreement(t, 'in batches', () => [
    tf.gather(x(), ids([0, 3, 1, 1, 2, 0], [3, 2]), 1, 1),
    tf.gather(x(), ids([4, 0, 1], [3, 1]), 2, 1),
  ]);
  await expectAgreement(t, 'of integers and bools', () => [
    tf.gather(whole([4, 2]), ids([3, 0])),
    tf.gather(tf.tensor1d([true, false]), ids([1, 1])),
  ]);
  await expectAgreement(t, 'none', () => tf.gather(x(), ids([], [0])));
  await expectAgreement(t, 'gatherND', () => [
    tf.gatherND(x(), ids([0, 1, 2, 3], [2, 2])),
    tf.gatherND(x(), ids([0, 1, 2, 2, 3, 4], [2, 3])),
  ]);
});

t.test('an index outside is an error', skip, async (t) => {
  await prepareTorch(testDevice);
  await expectNoTensorLeak(t, () => {
    const source = x();
    for (const wrong of [3, -1]) {
      const index = ids([wrong]);
      t.throws(() => tf.gather(source, index), /GatherV2/);
      index.dispose();
    }
    const inner = ids([0, 4], [1, 2]);
    t.throws(() => tf.gatherND(source, inner), /GatherNd/);
    tf.dispose([source, inner]);
  });
});

t.test('put by index', skip, async (t) => {
  await expectAgreement(t, 'scatterND', () => [
    tf.scatterND(ids([1, 3, 1], [3, 1]), wavy([3, 2]), [4, 2]),
    tf.scatterND(ids([0, 1, 2, 0], [2, 2]), wavy([2]), [3, 2]),
  ]);
  const segments = withGradients((a) => tf.unsortedSegmentSum(a!, ids([1, 0, 1]) as tf.Tensor1D, 3).square(), x);
  await expectAgreement(t, 'unsortedSegmentSum', segments, 1e-5);
  await expectAgreement(t, 'segments outside', () => tf.unsortedSegmentSum(x(), ids([-1, 0, 5]) as tf.Tensor1D, 2));
  await expectAgreement(t, 'oneHot', () => [
    tf.oneHot(ids([0, 2, 5, -1]), 3),
    tf.oneHot(ids([0, 1], [2, 1]), 2, 5, -1),
    tf.oneHot(ids([1]), 2, 0.5, 0.25, 'float32'),
  ]);
});

t.test('the k largest, equal ones in order', skip, async (t) => {
  const rows = () => tf.tensor2d([1, 3, 3, 2, 3, 5, 4, 4, 4, 4], [2, 5]);
  for (const k of [1, 3, 5]) {
    await expectAgreement(t, `k ${k}`, () => {
      const { values, indices } = tf.topk(rows(), k);
      return [values, indices];
    });
  }
  await expectAgreement(t, 'of integers', () => Object.values(tf.topk(whole([3, 7], 3), 4)));
});
