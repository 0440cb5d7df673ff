import { listOf, stridedSliceInfo } from '../../kernel.ts';
import * as tf from '../../tf.ts';
import { flag, type Kernel, type KernelTable, kernel, list, type Torch } from './kernel.ts';

const reshape: Kernel = kernel<tf.ReshapeAttrs>((torch, { x }, { shape }) => {
  const size = tf.util.sizeFromShape(x!.shape);
  return torch.reshape(x!, tf.util.inferFromImplicitShape(shape, size));
});

function slice(torch: Torch, x: tf.TensorInfo, begin: readonly number[], size: readonly number[]): tf.TensorInfo {
  return torch.one('Slice', [x], [...list(begin), ...list(size)]);
}

// A step of several: what was made for it alone is freed.
function then(torch: Torch, x: tf.TensorInfo, next: (x: tf.TensorInfo) => tf.TensorInfo): tf.TensorInfo {
  const y = next(x);
  torch.free(x);
  return y;
}

const transpose = (torch: Torch, x: tf.TensorInfo, perm: readonly number[]) => torch.one('Transpose', [x], list(perm));

/** Kernels that move elements or call them by another shape. */
export const shapes: KernelTable = {
  Identity: (torch, { x }) => torch.share(x!),
  Reshape: reshape,
  ExpandDims: kernel<tf.ExpandDimsAttrs>((torch, { input }, { dim }) => {
    const shape = [...input!.shape];
    shape.splice(dim < 0 ? shape.length + dim + 1 : dim, 0, 1);
    return torch.reshape(input!, shape);
  }),
  Transpose: kernel<tf.TransposeAttrs>((torch, { x }, { perm }) => transpose(torch, x!, perm)),
  Concat: kernel<tf.ConcatAttrs>((torch, inputs, { axis }) => {
    const all = listOf(inputs);
    const full = all.filter(({ shape }) => tf.util.sizeFromShape(shape) > 0);
    const parts = full.length === 0 ? all : full;
    if (parts.length === 1 && full.length === 1) return torch.share(parts[0]!);
    return torch.one('Concat', parts, tf.util.parseAxisParam(axis, all[0]!.shape));
  }),
  Pack: kernel<tf.PackAttrs>((torch, inputs, { axis }) => torch.one('Pack', listOf(inputs), [axis])),
  Unpack: kernel<tf.UnpackAttrs>((torch, { value }, { axis }) =>
    torch.all('Unpack', [value], [axis < 0 ? axis + value!.shape.length : axis]),
  ),
  SplitV: kernel<tf.SplitVAttrs>((torch, { x }, { numOrSizeSplits, axis }) => {
    const [along] = tf.util.parseAxisParam(axis, x!.shape);
    const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along!);
    return torch.all('SplitV', [x], [along!, ...list(sizes)]);
  }),
  Slice: kernel<tf.SliceAttrs>((torch, { x }, { begin, size }) => {
    const [from, count] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
    tf.slice_util.assertParamsValid(x as tf.Tensor, from!, count!);
    return slice(torch, x!, from!, count!);
  }),
  StridedSlice: kernel<tf.StridedSliceAttrs>((torch, { x }, attrs) => {
    const info = stridedSliceInfo(x!, attrs);
    if (info.isIdentity) return torch.reshape(x!, info.finalShape);
    const sizes = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
    const simple = info.sliceDim0 || info.isSimpleSlice;
    const cut = simple
      ? slice(torch, x!, info.begin, sizes)
      : torch.one('StridedSlice', [x], [...list(info.begin), ...list(info.strides), ...list(info.finalShapeSparse)]);
    return then(torch, cut, (y) => torch.reshape(y, info.finalShape));
  }),
  PadV2: kernel<tf.PadV2Attrs>((torch, { x }, { paddings, constantValue }) =>
    torch.one('PadV2', [x], [constantValue, ...list(paddings.flat())]),
  ),
  MirrorPad: kernel<tf.MirrorPadAttrs>((torch, { x }, { paddings, mode }) =>
    torch.one('MirrorPad', [x], [flag(mode === 'symmetric'), ...list(paddings.flat())]),
  ),
  Tile: kernel<tf.TileAttrs>((torch, { x }, { reps }) => torch.one('Tile', [x], list(reps))),
  BroadcastTo: kernel<tf.BroadCastToAttrs>((torch, { x }, { shape }) => torch.one('BroadcastTo', [x], list(shape))),
  Reverse: kernel<tf.ReverseAttrs>((torch, { x }, { dims }) =>
    torch.one('Reverse', [x], list(tf.util.parseAxisParam(dims, x!.shape))),
  ),
  DepthToSpace: kernel<tf.DepthToSpaceAttrs>((torch, { x }, { blockSize: b, dataFormat }) => {
    const last = dataFormat === 'NHWC';
    const [N, ...sides] = x!.shape as [number, number, number, number];
    const [H, W, C] = last ? sides : [sides[1], sides[2], sides[0]];
    const depth = C! / (b * b);
    const blocks = torch.reshape(x!, last ? [N, H!, W!, b, b, depth] : [N, b, b, depth, H!, W!]);
    const spread = then(torch, blocks, (y) => transpose(torch, y, last ? [0, 1, 3, 2, 4, 5] : [0, 3, 4, 1, 5, 2]));
    return then(torch, spread, (y) => torch.reshape(y, last ? [N, H! * b, W! * b, depth] : [N, depth, H! * b, W! * b]));
  }),
  SpaceToBatchND: kernel<tf.SpaceToBatchNDAttrs>((torch, { x }, { blockShape, paddings }) => {
    const block = tf.util.sizeFromShape(blockShape);
    const all = [[0, 0], ...paddings, ...x!.shape.slice(1 + blockShape.length).map(() => [0, 0])];
    const padded = torch.one('PadV2', [x], [0, ...list(all.flat())]);
    const split = tf.backend_util.getReshaped(padded.shape, blockShape, block, false);
    const perm = tf.backend_util.getPermuted(split.length, blockShape.length, false);
    const shape = tf.backend_util.getReshapedPermuted(padded.shape, blockShape, block, false);
    const cells = then(torch, padded, (y) => torch.reshape(y, split));
    const moved = then(torch, cells, (y) => transpose(torch, y, perm));
    return then(torch, moved, (y) => torch.reshape(y, shape));
  }),
  BatchToSpaceND: kernel<tf.BatchToSpaceNDAttrs>((torch, { x }, { blockShape, crops }) => {
    const block = tf.util.sizeFromShape(blockShape);
    const split = tf.backend_util.getReshaped(x!.shape, blockShape, block);
    const perm = tf.backend_util.getPermuted(split.length, blockShape.length);
    const whole = tf.backend_util.getReshapedPermuted(x!.shape, blockShape, block);
    const begin = tf.backend_util.getSliceBeginCoords(crops, blockShape.length);
    const size = tf.backend_util.getSliceSize(whole, crops, blockShape.length);
    const moved = then(torch, torch.reshape(x!, split), (y) => transpose(torch, y, perm));
    return then(
      torch,
      then(torch, moved, (y) => torch.reshape(y, whole)),
      (y) => slice(torch, y, begin, size),
    );
  }),
};
