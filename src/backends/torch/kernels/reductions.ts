import * as tf from '../../tf.ts';
import { flag, type Kernel, type KernelTable, kernel, list } from './kernel.ts';

type Axes = { axis: number | number[]; keepDims: boolean };

const reduction = (name: string): [string, Kernel] => [
  name,
  kernel<Axes>((torch, { x }, { axis, keepDims }) =>
    torch.one(name, [x], [flag(keepDims), ...list(tf.util.parseAxisParam(axis, x!.shape))]),
  ),
];

const position = (name: string): [string, Kernel] => [
  name,
  kernel<tf.ArgMaxAttrs>((torch, { x }, { axis }) =>
    torch.one(name, [x], [tf.util.parseAxisParam(axis, x!.shape)[0]!]),
  ),
];

const scan = (name: string): [string, Kernel] => [
  name,
  kernel<tf.CumsumAttrs>((torch, { x }, { axis, exclusive, reverse }) =>
    torch.one(name, [x], [tf.util.parseAxisParam(axis, x!.shape)[0]!, flag(exclusive), flag(reverse)]),
  ),
];

const neighbours = ({ depthRadius, bias, alpha, beta }: tf.LRNAttrs) => [depthRadius, bias, alpha, beta];

/** Kernels that bring many elements down to one, or carry them along an axis. */
export const reductions: KernelTable = {
  ...Object.fromEntries(['Sum', 'Mean', 'Prod', 'Min', 'All', 'Any'].map(reduction)),
  Max: kernel<tf.MaxAttrs>((torch, { x }, { reductionIndices, keepDims }) =>
    torch.one('Max', [x], [flag(keepDims), ...list(tf.util.parseAxisParam(reductionIndices, x!.shape))]),
  ),
  ...Object.fromEntries(['ArgMax', 'ArgMin'].map(position)),
  ...Object.fromEntries(['Cumsum', 'Cumprod'].map(scan)),
  Softmax: kernel<tf.SoftmaxAttrs>((torch, { logits }, { dim }) => torch.one('Softmax', [logits], [dim])),
  LRN: kernel<tf.LRNAttrs>((torch, { x }, attrs) => torch.one('LRN', [x], neighbours(attrs))),
  LRNGrad: kernel<tf.LRNAttrs>((torch, { x, y, dy }, attrs) => torch.one('LRNGrad', [x, y, dy], neighbours(attrs))),
};
