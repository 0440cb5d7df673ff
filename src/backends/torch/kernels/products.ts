import { listOf } from '../../kernel.ts';
import * as tf from '../../tf.ts';
import { activationNumber, flag, type KernelTable, kernel, list } from './kernel.ts';

/** Matrix products. */
export const products: KernelTable = {
  BatchMatMul: kernel<tf.BatchMatMulAttrs>((torch, { a, b }, { transposeA, transposeB }) =>
    torch.one('BatchMatMul', [a, b], [flag(transposeA), flag(transposeB)]),
  ),
  _FusedMatMul: kernel<tf._FusedMatMulAttrs>((torch, inputs, attrs) => {
    const { a, b, bias, preluActivationWeights } = inputs;
    const { transposeA, transposeB, activation, leakyreluAlpha } = attrs;
    const numbers = [flag(transposeA), flag(transposeB), activationNumber(activation), leakyreluAlpha ?? 0];
    return torch.one('_FusedMatMul', [a, b, bias, preluActivationWeights], numbers);
  }),
  Einsum: kernel<tf.EinsumAttrs>((torch, inputs, { equation }) => {
    const tensors = listOf(inputs);
    const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, tensors.length);
    tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors as tf.Tensor[]);
    return torch.one('Einsum', tensors, [allDims.length - summedDims.length, ...idDims.flatMap(list)]);
  }),
};
