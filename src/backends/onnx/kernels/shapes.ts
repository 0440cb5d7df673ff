import { listOf, stridedSliceInfo } from '../../kernel.ts';
import * as tf from '../../tf.ts';
import { cast, expand } from './elementwise.ts';
import { type KernelTable, kernel, numberLike, numbers, type Tracing } from './kernel.ts';

/** Farther than any side. */
const far = 2 ** 31 - 1;

export function transpose(trace: Tracing, x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo {
  if (perm.every((from, to) => from === to)) return x;
  const shape = perm.map((axis) => x.shape[axis]!);
  return trace.call('Transpose', [x], { shape, dtype: x.dtype, attributes: { perm } });
}

/** A slice along the axes that it cuts. @param step of each axis. */
function slice(
  trace: Tracing,
  x: tf.TensorInfo,
  begin: readonly number[],
  shape: readonly number[],
  step: readonly number[] = shape.map(() => 1),
): tf.TensorInfo {
  const axes = shape.flatMap((side, axis) => (side === x.shape[axis] && step[axis] === 1 ? [] : [axis]));
  if (axes.length === 0) return x;
  const starts = axes.map((axis) => begin[axis]!);
  // Behind the last row that is taken.
  const ends = axes.map((axis) => begin[axis]! + (shape[axis]! - 1) * step[axis]! + 1);
  const steps = axes.map((axis) => step[axis]!);
  const inputs = [x, numbers(...starts), numbers(...ends), numbers(...axes), numbers(...steps)];
  return trace.call('Slice', inputs, { shape, dtype: x.dtype });
}

export function concat(trace: Tracing, parts: readonly tf.TensorInfo[], axis: number): tf.TensorInfo {
  const full = parts.filter(({ shape }) => tf.util.sizeFromShape(shape) > 0);
  const [first = parts[0]!, ...others] = full;
  if (others.length === 0) return first;
  const [along] = tf.util.parseAxisParam(axis, first.shape);
  const shape = [...first.shape];
  shape[along!] = full.reduce((sum, part) => sum + part.shape[along!]!, 0);
  return trace.call('Concat', full, { shape, dtype: first.dtype, attributes: { axis: along! } });
}

function expandDims(trace: Tracing, x: tf.TensorInfo, dim: number): tf.TensorInfo {
  const shape = [...x.shape];
  shape.splice(dim < 0 ? shape.length + dim + 1 : dim, 0, 1);
  return trace.reshape(x, shape);
}

/** Splits along an axis. */
export function split(trace: Tracing, x: tf.TensorInfo, sizes: readonly number[], axis: number): tf.TensorInfo[] {
  const shapes = sizes.map((size) => x.shape.map((side, at) => (at === axis ? size : side)));
  return trace.callMany('Split', [x, numbers(...sizes)], { shapes, dtype: x.dtype, attributes: { axis } });
}

/** Kernels that move elements or call them by another shape. */
export const shapes: KernelTable = {
  Identity: (_, { x }) => x!,
  Reshape: kernel<tf.ReshapeAttrs>((trace, { x }, { shape }) =>
    trace.reshape(x!, tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape(x!.shape))),
  ),
  ExpandDims: kernel<tf.ExpandDimsAttrs>((trace, { input }, { dim }) => expandDims(trace, input!, dim)),
  Transpose: kernel<tf.TransposeAttrs>((trace, { x }, { perm }) => transpose(trace, x!, perm)),
  Concat: kernel<tf.ConcatAttrs>((trace, inputs, { axis }) => concat(trace, listOf(inputs), axis)),
  Pack: kernel<tf.PackAttrs>((trace, inputs, { axis }) => {
    const parts = listOf(inputs).map((x) => expandDims(trace, x, axis));
    return concat(trace, parts, axis);
  }),
  Unpack: kernel<tf.UnpackAttrs>((trace, { value }, { axis }) => {
    const along = axis < 0 ? axis + value!.shape.length : axis;
    const rest = value!.shape.filter((_, at) => at !== along);
    const sizes: number[] = Array(value!.shape[along]!).fill(1);
    return split(trace, value!, sizes, along).map((part) => trace.reshape(part, rest));
  }),
  SplitV: kernel<tf.SplitVAttrs>((trace, { x }, { numOrSizeSplits, axis }) => {
    const [along] = tf.util.parseAxisParam(axis, x!.shape);
    return split(trace, x!, tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along!), along!);
  }),
  Slice: kernel<tf.SliceAttrs>((trace, { x }, { begin, size }) => {
    const [from, count] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
    tf.slice_util.assertParamsValid(x as tf.Tensor, from!, count!);
    return slice(trace, x!, from!, count!);
  }),
  StridedSlice: kernel<tf.StridedSliceAttrs>((trace, { x }, attrs) => {
    const info = stridedSliceInfo(x!, attrs);
    if (info.isIdentity) return trace.reshape(x!, info.finalShape);
    if (info.strides.some((step) => step < 1)) throw trace.refused('it goes backwards');
    const sizes = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
    return trace.reshape(slice(trace, x!, info.begin, sizes, info.strides), info.finalShape);
  }),
  PadV2: kernel<tf.PadV2Attrs>((trace, { x }, { paddings, constantValue }) => {
    const value = numberLike(trace, x!, constantValue);
    const sides = numbers(...paddings.map(([before]) => before), ...paddings.map(([, after]) => after));
    return trace.call('Pad', [x, sides, value], { shape: padded(x!.shape, paddings), dtype: x!.dtype });
  }),
  MirrorPad: kernel<tf.MirrorPadAttrs>((trace, { x }, { paddings, mode }) => {
    if (mode !== 'reflect') throw trace.refused(`its mode is ${mode}`);
    const sides = numbers(...paddings.map(([before]) => before), ...paddings.map(([, after]) => after));
    const answer = { shape: padded(x!.shape, paddings), dtype: x!.dtype, attributes: { mode } };
    return trace.call('Pad', [x, sides], answer);
  }),
  Tile: kernel<tf.TileAttrs>((trace, { x }, { reps }) => {
    const shape = x!.shape.map((side, axis) => side * reps[axis]!);
    return trace.call('Tile', [x, numbers(...reps)], { shape, dtype: x!.dtype });
  }),
  BroadcastTo: kernel<tf.BroadCastToAttrs>((trace, { x }, { shape }) => expand(trace, x!, shape)),
  Reverse: kernel<tf.ReverseAttrs>((trace, { x }, { dims }) => {
    const axes = tf.util.parseAxisParam(dims, x!.shape);
    const inputs = [
      x,
      numbers(...axes.map(() => -1)),
      numbers(...axes.map(() => -far)),
      numbers(...axes),
      numbers(...axes.map(() => -1)),
    ];
    return trace.call('Slice', inputs, x!);
  }),
  ZerosLike: (trace, { x }) => filled(trace, x!, 0),
  OnesLike: (trace, { x }) => filled(trace, x!, 1),
  GatherV2: kernel<tf.GatherV2Attrs>((trace, { x, indices }, { axis, batchDims }) => {
    if ((batchDims ?? 0) !== 0) throw trace.refused('it picks from each row by indices of its own');
    const [along] = tf.util.parseAxisParam(axis, x!.shape);
    const shape = [...x!.shape.slice(0, along), ...indices!.shape, ...x!.shape.slice(along! + 1)];
    return trace.call('Gather', [x, indices], { shape, dtype: x!.dtype, attributes: { axis: along! } });
  }),
  // By comparing with each place: runtimes have the operation OneHot for some types alone.
  OneHot: kernel<tf.OneHotAttrs>((trace, { indices }, { dtype, depth, onValue, offValue }) => {
    const places = trace.constant(
      Int32Array.from({ length: depth }, (_, place) => place),
      [depth],
    );
    const shape = [...indices!.shape, depth];
    const isThere = trace.call('Equal', [expandDims(trace, indices!, -1), places], { shape, dtype: 'bool' });
    const like = { dtype: dtype === 'int32' ? dtype : ('float32' as const) };
    const values = [numberLike(trace, like, onValue), numberLike(trace, like, offValue)];
    return cast(trace, trace.call('Where', [isThere, ...values], { shape, ...like }), dtype);
  }),
};

function padded(shape: readonly number[], paddings: readonly (readonly number[])[]): number[] {
  return shape.map((side, axis) => side + paddings[axis]![0]! + paddings[axis]![1]!);
}

function filled(trace: Tracing, { shape, dtype }: tf.TensorInfo, value: number): tf.TensorInfo {
  const size = tf.util.sizeFromShape(shape);
  if (dtype === 'int32') return trace.constant(new Int32Array(size).fill(value), shape);
  if (dtype === 'bool') return trace.constant(new Uint8Array(size).fill(value), shape);
  return trace.constant(new Float32Array(size).fill(value), shape);
}
