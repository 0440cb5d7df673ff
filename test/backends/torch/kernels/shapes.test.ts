import t from 'tap';
import * as tf from '../../../../src/backends/tf.ts';
import { expectAgreement, wavy, whole, withGradients, withoutTorch } from '../../../kit/training/torch.ts';

const skip = { skip: withoutTorch };
const x = () => wavy([3, 4, 5]);

t.test('another shape', skip, async (t) => {
  await expectAgreement(
    t,
    'reshape',
    withGradients((a) => a!.reshape([5, -1]).square(), x),
  );
  await expectAgreement(t, 'expandDims', () => [
    x().expandDims(),
    x().expandDims(-1),
    x().expandDims(2),
    tf.scalar(1).expandDims(),
  ]);
  await expectAgreement(t, 'squeeze', () => wavy([1, 3, 1]).squeeze());
  await expectAgreement(t, 'of nothing', () => tf.zeros([0, 3]).reshape([3, 0, 2]));
  await expectAgreement(t, 'depthToSpace', () => tf.depthToSpace(wavy([2, 2, 3, 8]) as tf.Tensor4D, 2));
  await expectAgreement(t, 'space and batch', () => [
    tf.spaceToBatchND(
      wavy([2, 3, 4, 2]),
      [2, 2],
      [
        [1, 0],
        [0, 2],
      ],
    ),
    tf.batchToSpaceND(
      wavy([8, 2, 3, 1]),
      [2, 2],
      [
        [0, 1],
        [1, 0],
      ],
    ),
  ]);
});

t.test('transposed axes, up to rank 6', skip, async (t) => {
  for (const perm of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    await expectAgreement(
      t,
      `${perm}`,
      withGradients((a) => a!.transpose(perm).square(), x),
      1e-5,
    );
  }
  await expectAgreement(t, 'rank 6', () => wavy([2, 1, 3, 2, 2, 2]).transpose([5, 2, 0, 4, 1, 3]));
  await expectAgreement(t, 'a scalar', () => tf.scalar(1).transpose());
  await expectAgreement(t, 'bools', () => tf.tensor2d([1, 0, 1, 1], [2, 2], 'bool').transpose());
});

t.test('joined and parted', skip, async (t) => {
  for (const axis of [0, 1, 2, -1]) {
    const concat = withGradients(
      (a, b) => tf.concat([a!, b!, a!], axis).square(),
      x,
      () => wavy([3, 4, 5], 1),
    );
    await expectAgreement(t, `concat ${axis}`, concat, 1e-5);
    await expectAgreement(t, `stack ${axis}`, () => tf.stack([x(), x()], axis));
    await expectAgreement(t, `unstack ${axis}`, () => tf.unstack(x(), axis));
  }
  await expectAgreement(t, 'concat with nothing', () => tf.concat([tf.zeros([0, 3]), wavy([2, 3])]));
  await expectAgreement(t, 'concat of nothing', () => tf.concat([tf.zeros([0, 3]), tf.zeros([0, 3])]));
  await expectAgreement(
    t,
    'split',
    withGradients((a) => tf.concat(tf.split(a!, [1, 3], 1).reverse(), 1).square(), x),
    1e-5,
  );
  await expectAgreement(t, 'split evenly', () => tf.split(x(), 2, 1));
  await expectAgreement(
    t,
    'the gradient of unstack',
    withGradients((a) => tf.unstack(a!)[1]!.square(), x),
    1e-5,
  );
});

t.test('parts', skip, async (t) => {
  await expectAgreement(
    t,
    'slice',
    withGradients((a) => a!.slice([1, 0, 2], [2, -1, 2]).square(), x),
    1e-5,
  );
  await expectAgreement(t, 'slice of nothing', () => x().slice([0, 0, 0], [0, 4, 5]));
  for (const [begin, end, strides] of [
    [
      [0, 0, 0],
      [3, 4, 5],
      [1, 2, 2],
    ],
    [
      [2, 3, 4],
      [0, 0, 0],
      [-1, -2, -1],
    ],
    [
      [0, -2, 1],
      [2, 4, -1],
      [1, 1, 3],
    ],
  ] as [number[], number[], number[]][]) {
    await expectAgreement(t, `${begin} to ${end} by ${strides}`, () => x().stridedSlice(begin, end, strides));
  }
  await expectAgreement(t, 'axes made and dropped', () => [
    tf.stridedSlice(x(), [1, 0, 0], [2, 4, 5], [1, 1, 1], 0, 0, 0, 0, 1),
    tf.stridedSlice(x(), [0, 0], [1, 2], [1, 1], 0, 0, 0, 1, 0),
    tf.stridedSlice(x(), [0, 1], [3, 3], [1, 1], 1, 1, 2, 0, 0),
  ]);
});

t.test('borders and repetitions', skip, async (t) => {
  const pads = [
    [1, 2],
    [0, 0],
    [2, 1],
  ] as [number, number][];
  await expectAgreement(
    t,
    'pad',
    withGradients((a) => tf.pad(a!, pads, 0.5).square(), x),
    1e-5,
  );
  await expectAgreement(t, 'pad of integers', () =>
    tf.pad(
      whole([2, 3]),
      [
        [0, 1],
        [1, 0],
      ],
      7,
    ),
  );
  await expectAgreement(t, 'mirrorPad', () => [
    tf.mirrorPad(x(), pads, 'reflect'),
    tf.mirrorPad(x(), pads, 'symmetric'),
  ]);
  await expectAgreement(
    t,
    'tile',
    withGradients((a) => tf.tile(a!, [2, 1, 3]).square(), x),
    1e-5,
  );
  await expectAgreement(t, 'tile of rank 6', () => tf.tile(wavy([1, 2, 1, 2, 1, 3]), [2, 1, 2, 1, 2, 1]));
  await expectAgreement(
    t,
    'broadcastTo',
    withGradients(
      (a) => tf.broadcastTo(a!, [2, 3, 4]).square(),
      () => wavy([3, 1]),
    ),
    1e-5,
  );
  await expectAgreement(
    t,
    'reverse',
    withGradients((a) => tf.reverse(a!, [0, 2]).square(), x),
    1e-5,
  );
  await expectAgreement(t, 'reverse all', () => [tf.reverse(x()), tf.reverse(tf.scalar(2))]);
});
