import * as tf from '../../tf.ts';
import { cast } from './elementwise.ts';
import { type Kernel, type KernelTable, kernel, numbers, type Tracing } from './kernel.ts';

interface Axes {
  readonly axis: number | number[];
  readonly keepDims?: boolean;
}

function reduced(trace: Tracing, operator: string, x: tf.TensorInfo, { axis, keepDims = false }: Axes): tf.TensorInfo {
  const axes = tf.util.parseAxisParam(axis, x.shape);
  const shape = x.shape.flatMap((side, at) => (axes.includes(at) ? (keepDims ? [1] : []) : [side]));
  const keepdims = keepDims ? 1 : 0;
  // ONNX compares no truths.
  if (x.dtype === 'bool')
    return cast(trace, reduced(trace, operator, cast(trace, x, 'int32'), { axis, keepDims }), 'bool');
  // Of these the sum alone has its axes as an input.
  return operator === 'ReduceSum'
    ? trace.call(operator, [x, numbers(...axes)], { shape, dtype: x.dtype, attributes: { keepdims } })
    : trace.call(operator, [x], { shape, dtype: x.dtype, attributes: { axes, keepdims } });
}

const reduction = (operator: string, dtype?: tf.DataType): Kernel =>
  kernel<Axes>((trace, { x }, attrs) =>
    reduced(trace, operator, dtype === undefined ? x! : cast(trace, x!, dtype), attrs),
  );

const place = (operator: string): Kernel =>
  kernel<tf.ArgMaxAttrs>((trace, { x }, { axis }) => {
    const [along] = tf.util.parseAxisParam(axis, x!.shape);
    const shape = x!.shape.filter((_, at) => at !== along);
    // ONNX gives int64.
    const found = trace.call(operator, [x], { shape, dtype: 'int32', attributes: { axis: along!, keepdims: 0 } });
    return trace.call('Cast', [found], { shape, dtype: 'int32', attributes: { to: 6 } });
  });

/** Kernels that bring many elements down to one, or to shares of one. */
export const reductions: KernelTable = {
  Sum: reduction('ReduceSum'),
  Mean: reduction('ReduceMean', 'float32'),
  Prod: reduction('ReduceProd'),
  Min: reduction('ReduceMin'),
  Max: kernel<tf.MaxAttrs>((trace, { x }, { reductionIndices, keepDims }) =>
    reduced(trace, 'ReduceMax', x!, { axis: reductionIndices, keepDims }),
  ),
  All: reduction('ReduceMin'),
  Any: reduction('ReduceMax'),
  ArgMax: place('ArgMax'),
  ArgMin: place('ArgMin'),
  Softmax: kernel<tf.SoftmaxAttrs>((trace, { logits }, { dim }) =>
    trace.call('Softmax', [logits], { ...logits!, attributes: { axis: dim } }),
  ),
  LogSoftmax: kernel<tf.LogSoftmaxAttrs>((trace, { logits }, { axis }) =>
    trace.call('LogSoftmax', [logits], { ...logits!, attributes: { axis } }),
  ),
};
