import { onnxTypeNumber } from '../../../formats/onnx.ts';
import { listOf } from '../../kernel.ts';
import * as tf from '../../tf.ts';
import { type Kernel, type KernelTable, kernel, numberLike, type Tracing } from './kernel.ts';

/** tfjs' names and those of ONNX, where they differ. */
const ofX = {
  ...same('Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Floor Log Neg Reciprocal Relu Round Sigmoid'),
  ...same('Sign Sin Sinh Softplus Sqrt Tan Tanh'),
};
const ofAB = { ...same('Pow Sub'), Multiply: 'Mul', RealDiv: 'Div', Maximum: 'Max', Minimum: 'Min' };
const comparisons = {
  ...same('Equal Greater Less'),
  GreaterEqual: 'GreaterOrEqual',
  LessEqual: 'LessOrEqual',
  LogicalAnd: 'And',
  LogicalOr: 'Or',
};

function same(names: string): Readonly<Record<string, string>> {
  return Object.fromEntries(names.split(' ').map((name) => [name, name]));
}

function table(names: Readonly<Record<string, string>>, kernelOf: (operator: string) => Kernel): KernelTable {
  return Object.fromEntries(Object.entries(names).map(([name, operator]) => [name, kernelOf(operator)]));
}

/** An operation on each element. */
export function unary(trace: Tracing, operator: string, x: tf.TensorInfo): tf.TensorInfo {
  return trace.call(operator, [x], x);
}

/** An operation on pairs of elements. @param dtype of the answer; by default that of the inputs. */
export function binary(
  trace: Tracing,
  operator: string,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  dtype: tf.DataType = a.dtype,
): tf.TensorInfo {
  return trace.call(operator, [a, b], { shape: broadcast(a.shape, b.shape), dtype });
}

export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  return tf.broadcast_util.assertAndGetBroadcastShape([...a], [...b]);
}

export function add(trace: Tracing, a: tf.TensorInfo, b: tf.TensorInfo): tf.TensorInfo {
  const shape = broadcast(a.shape, b.shape);
  // Models add zeros to spread a token over the pictures.
  for (const [zeros, other] of [
    [a, b],
    [b, a],
  ] as const)
    if (trace.constantOf(zeros)?.every((value: number) => value === 0)) return expand(trace, other, shape);
  return binary(trace, 'Add', a, b);
}

/** The same numbers again and again, up to a shape. */
export function expand(trace: Tracing, x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
  if (x.shape.length === shape.length && x.shape.every((side, axis) => side === shape[axis])) return x;
  return trace.call('Expand', [x, { kind: 'numbers', values: shape }], { shape, dtype: x.dtype });
}

export function times(trace: Tracing, x: tf.TensorInfo, factor: number): tf.TensorInfo {
  return binary(trace, 'Mul', x, numberLike(trace, x, factor));
}

export function cast(trace: Tracing, x: tf.TensorInfo, dtype: tf.DataType): tf.TensorInfo {
  if (x.dtype === dtype) return x;
  const to = onnxTypeNumber(dtype as 'float32' | 'int32' | 'bool');
  return trace.call('Cast', [x], { shape: x.shape, dtype, attributes: { to } });
}

function clip(trace: Tracing, x: tf.TensorInfo, least: number, most: number): tf.TensorInfo {
  return trace.call('Clip', [x, numberLike(trace, x, least), numberLike(trace, x, most)], x);
}

function rsqrt(trace: Tracing, x: tf.TensorInfo): tf.TensorInfo {
  return unary(trace, 'Reciprocal', unary(trace, 'Sqrt', x));
}

/** x·Φ(x) = x·(1 + erf(x/√2))/2, as runtimes know it again and compute it in one. */
export function gelu(trace: Tracing, x: tf.TensorInfo): tf.TensorInfo {
  const erf = unary(trace, 'Erf', binary(trace, 'Div', x, numberLike(trace, x, Math.SQRT2)));
  const doubled = binary(trace, 'Mul', x, binary(trace, 'Add', erf, numberLike(trace, x, 1)));
  return times(trace, doubled, 0.5);
}

/** What tfjs' fused kernels do at their end. */
export function activated(
  trace: Tracing,
  x: tf.TensorInfo,
  activation: string | null | undefined,
  { alpha, slope }: { readonly alpha?: number | undefined; readonly slope?: tf.TensorInfo | undefined },
): tf.TensorInfo {
  switch (activation ?? 'linear') {
    case 'linear':
      return x;
    case 'relu':
      return unary(trace, 'Relu', x);
    case 'relu6':
      return clip(trace, x, 0, 6);
    case 'elu':
      return unary(trace, 'Elu', x);
    case 'sigmoid':
      return unary(trace, 'Sigmoid', x);
    case 'leakyrelu':
      return leaky(trace, x, alpha ?? 0.2);
    case 'prelu':
      return prelu(trace, x, slope!);
    default:
      throw trace.refused(`its activation is ${activation}`);
  }
}

function leaky(trace: Tracing, x: tf.TensorInfo, alpha: number): tf.TensorInfo {
  const given = cast(trace, x, 'float32');
  return trace.call('LeakyRelu', [given], { ...given, attributes: { alpha: { float: alpha } } });
}

function prelu(trace: Tracing, x: tf.TensorInfo, slope: tf.TensorInfo): tf.TensorInfo {
  const [given, alpha] = [cast(trace, x, 'float32'), cast(trace, slope, 'float32')];
  return trace.call('PRelu', [given, alpha], given);
}

/** Kernels that compute element by element. */
export const elementwise: KernelTable = {
  ...table(
    ofX,
    (operator) =>
      (trace, { x }) =>
        unary(trace, operator, x!),
  ),
  ...table(
    ofAB,
    (operator) =>
      (trace, { a, b }) =>
        binary(trace, operator, a!, b!),
  ),
  ...table(
    comparisons,
    (operator) =>
      (trace, { a, b }) =>
        binary(trace, operator, a!, b!, 'bool'),
  ),
  Add: (trace, { a, b }) => add(trace, a!, b!),
  AddN: (trace, inputs) => listOf(inputs).reduce((sum, one) => add(trace, sum, one)),
  NotEqual: (trace, { a, b }) => unary(trace, 'Not', binary(trace, 'Equal', a!, b!, 'bool')),
  LogicalNot: (trace, { x }) => unary(trace, 'Not', x!),
  IsNan: (trace, { x }) => trace.call('IsNaN', [x], { shape: x!.shape, dtype: 'bool' }),
  SquaredDifference: (trace, { a, b }) => {
    const difference = binary(trace, 'Sub', a!, b!);
    return binary(trace, 'Mul', difference, difference);
  },
  Square: (trace, { x }) => binary(trace, 'Mul', x!, x!),
  Rsqrt: (trace, { x }) => rsqrt(trace, x!),
  Expm1: (trace, { x }) => binary(trace, 'Sub', unary(trace, 'Exp', x!), numberLike(trace, x!, 1)),
  Log1p: (trace, { x }) => unary(trace, 'Log', binary(trace, 'Add', x!, numberLike(trace, x!, 1))),
  Selu: (trace, { x }) => unary(trace, 'Selu', x!),
  Relu6: (trace, { x }) => clip(trace, x!, 0, 6),
  ClipByValue: kernel<tf.ClipByValueAttrs>((trace, { x }, { clipValueMin, clipValueMax }) =>
    clip(trace, x!, clipValueMin, clipValueMax),
  ),
  LeakyRelu: kernel<tf.LeakyReluAttrs>((trace, { x }, { alpha }) => leaky(trace, x!, alpha)),
  Prelu: (trace, { x, alpha }) => prelu(trace, x!, alpha!),
  Step: kernel<tf.StepAttrs>((trace, { x }, { alpha }) => {
    const isAbove = binary(trace, 'Greater', x!, numberLike(trace, x!, 0), 'bool');
    return trace.call('Where', [isAbove, numberLike(trace, x!, 1), numberLike(trace, x!, alpha)], x!);
  }),
  Cast: kernel<tf.CastAttrs>((trace, { x }, { dtype }) => cast(trace, x!, dtype)),
  Select: (trace, { condition, t, e }) => {
    // A condition of one side stands for rows.
    const rank = t!.shape.length;
    const rows = condition!.shape.length === 1 && rank > 1;
    const chosen = rows ? trace.reshape(condition!, [condition!.shape[0]!, ...Array(rank - 1).fill(1)]) : condition!;
    // Runtimes choose among numbers alone.
    const [yes, no] = [t!, e!].map((x) => (x.dtype === 'bool' ? cast(trace, x, 'int32') : x)) as [
      tf.TensorInfo,
      tf.TensorInfo,
    ];
    return cast(trace, trace.call('Where', [chosen, yes, no], yes), t!.dtype);
  },
  FusedBatchNorm: kernel<tf.FusedBatchNormAttrs>((trace, inputs, { varianceEpsilon }) => {
    const { x, mean, variance, offset, scale } = inputs;
    const spread = rsqrt(trace, binary(trace, 'Add', variance!, numberLike(trace, variance!, varianceEpsilon)));
    const unit = binary(trace, 'Mul', binary(trace, 'Sub', x!, mean!), spread);
    const scaled = scale == null ? unit : binary(trace, 'Mul', unit, scale);
    return offset == null ? scaled : add(trace, scaled, offset);
  }),
};
