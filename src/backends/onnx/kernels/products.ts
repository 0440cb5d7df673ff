import { listOf } from '../../kernel.ts';
import type * as tf from '../../tf.ts';
import { activated, add, broadcast } from './elementwise.ts';
import { type KernelTable, kernel, type Tracing } from './kernel.ts';
import { transpose } from './shapes.ts';

/** The product of matrices in the last two axes. */
export function matMul(
  trace: Tracing,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  { transposeA = false, transposeB = false }: Partial<tf.BatchMatMulAttrs> = {},
): tf.TensorInfo {
  const [left, right] = [transposeA ? turned(trace, a) : a, transposeB ? turned(trace, b) : b];
  const shape = [
    ...broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2)),
    left.shape.at(-2)!,
    right.shape.at(-1)!,
  ];
  return trace.call('MatMul', [left, right], { shape, dtype: left.dtype });
}

function turned(trace: Tracing, x: tf.TensorInfo): tf.TensorInfo {
  const axes = x.shape.map((_, axis) => axis);
  return transpose(trace, x, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}

/** Products of matrices. */
export const products: KernelTable = {
  BatchMatMul: kernel<tf.BatchMatMulAttrs>((trace, { a, b }, attrs) => matMul(trace, a!, b!, attrs)),
  _FusedMatMul: kernel<tf._FusedMatMulAttrs>((trace, inputs, attrs) => {
    const { a, b, bias, preluActivationWeights } = inputs;
    const product = matMul(trace, a!, b!, attrs);
    const sum = bias == null ? product : add(trace, product, bias);
    return activated(trace, sum, attrs.activation, { alpha: attrs.leakyreluAlpha, slope: preluActivationWeights });
  }),
  Einsum: kernel<tf.EinsumAttrs>((trace, inputs, { equation }) => {
    const tensors = listOf(inputs);
    const [left, right = ''] = equation.replaceAll(' ', '').split('->');
    const sides = new Map(
      left!.split(',').flatMap((letters, i) => [...letters].map((letter, axis) => [letter, tensors[i]!.shape[axis]!])),
    );
    const shape = [...right].map((letter) => sides.get(letter)!);
    return trace.call('Einsum', tensors, { shape, dtype: tensors[0]!.dtype, attributes: { equation } });
  }),
};
