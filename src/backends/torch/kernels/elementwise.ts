import { listOf } from '../../kernel.ts';
import * as tf from '../../tf.ts';
import { dtypeNumber, type Kernel, type KernelTable, kernel, list } from './kernel.ts';

const ofX = [
  'Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor IsFinite IsInf IsNan Log Log1p',
  'LogicalNot Neg OnesLike Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Sqrt Square Tan Tanh ZerosLike',
].flatMap((line) => line.split(' '));

const ofAB = [
  'Add Atan2 BitwiseAnd Equal FloorDiv Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Multiply',
  'NotEqual Pow RealDiv SquaredDifference Sub',
].flatMap((line) => line.split(' '));

const unary = (name: string): [string, Kernel] => [name, (torch, { x }) => torch.one(name, [x])];
const binary = (name: string): [string, Kernel] => [name, (torch, { a, b }) => torch.one(name, [a, b])];

/** Kernels that compute element by element, and those that make constants. */
export const elementwise: KernelTable = {
  ...Object.fromEntries(ofX.map(unary)),
  ...Object.fromEntries(ofAB.map(binary)),
  AddN: (torch, inputs) => torch.one('AddN', listOf(inputs)),
  Cast: kernel<tf.CastAttrs>((torch, { x }, { dtype }) =>
    x!.dtype === dtype ? torch.share(x!) : torch.one('Cast', [x], [dtypeNumber(dtype)]),
  ),
  ClipByValue: kernel<tf.ClipByValueAttrs>((torch, { x }, { clipValueMin, clipValueMax }) =>
    torch.one('ClipByValue', [x], [clipValueMin, clipValueMax]),
  ),
  Step: kernel<tf.StepAttrs>((torch, { x }, { alpha }) => torch.one('Step', [x], [alpha])),
  LeakyRelu: kernel<tf.LeakyReluAttrs>((torch, { x }, { alpha }) => torch.one('LeakyRelu', [x], [alpha])),
  Prelu: (torch, { x, alpha }) => torch.one('Prelu', [x, alpha]),
  EluGrad: (torch, { dy, y }) => torch.one('EluGrad', [dy, y]),
  Select: (torch, { condition, t, e }) => torch.one('Select', [condition, t, e]),
  FusedBatchNorm: kernel<tf.FusedBatchNormAttrs>((torch, inputs, { varianceEpsilon }) => {
    const { x, mean, variance, offset, scale } = inputs;
    return torch.one('FusedBatchNorm', [x, mean, variance, offset, scale], [varianceEpsilon]);
  }),
  Fill: kernel<tf.FillAttrs>((torch, _, { shape, value, dtype }) => {
    if (typeof value !== 'string') {
      return torch.one('Fill', [], [dtypeNumber(dtype ?? 'float32'), Number(value), ...list(shape)]);
    }
    const text = tf.util.encodeString(value);
    const texts: Uint8Array[] = new Array(tf.util.sizeFromShape(shape)).fill(text);
    return { dataId: torch.write(texts, shape, 'string'), shape, dtype: 'string' };
  }),
  Range: kernel<tf.RangeAttrs>((torch, _, { start, stop, step, dtype }) => {
    const empty = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
    const by = stop < start && step === 1 ? -1 : step;
    const count = empty ? 0 : Math.abs(Math.ceil((stop - start) / by));
    return torch.one('Range', [], [dtypeNumber(dtype), count, start, by]);
  }),
  LinSpace: kernel<tf.LinSpaceAttrs>((torch, _, { start, stop, num }) => {
    const step = num > 1 ? (stop - start) / (num - 1) : 0;
    return torch.one('Range', [], [dtypeNumber('float32'), num, start, step]);
  }),
};
