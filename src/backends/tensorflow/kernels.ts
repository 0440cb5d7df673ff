import { type Attributes, type Calls, registerTensorflow, replaceTensorflow } from './calls.ts';
import { registerUpdates } from './updates.ts';

/**
 * The fused kernels of `fused.ts` for tfjs-node: each a few operations of TensorFlow, chosen so that as few as possible go through all of a layer's values. TensorFlow has one of its own
 * only for some of them, and joins none when they are called one by one.
 *
 * @param told hears of what does not serve. @param gpu whether operations run on a GPU.
 */
export function registerTensorflowKernels(told: (text: string) => void, gpu: boolean): void {
  registerLinear();
  registerLayerNorm();
  registerConv3x3();
  registerShapes();
  // There the operation gives zeros for an index that is out of bounds, and only the package's kernel looks.
  if (!gpu) registerGather();
  registerGatherTokens();
  registerUpdates(told);
}

/**
 * The package's kernels make a tensor for every list of numbers that they are given, which for a reshape costs more than the operation.
 */
function registerShapes(): void {
  for (const [name, attribute] of [
    ['Reshape', 'shape'],
    ['Transpose', 'perm'],
  ] as const)
    replaceTensorflow(name, (c, { inputs, attrs }) =>
      c.op(name, [c.of(inputs.x!), c.ints(attrs[attribute] as number[])]),
    );
}

/** The package reads all indices back to look whether they are within bounds, as the operation does itself. */
function registerGather(): void {
  replaceTensorflow('GatherV2', (c, { inputs, attrs }) =>
    c.op('GatherV2', [c.of(inputs.x!), c.of(inputs.indices!), c.int(attrs.axis as number)], {
      batch_dims: attrs.batchDims as number,
    }),
  );
}

function registerGatherTokens(): void {
  registerTensorflow('PatchstreamGatherTokens', (c, { inputs }) => [
    c.op('GatherV2', [c.of(inputs.x!), c.of(inputs.ids!), c.int(1)], { batch_dims: 1 }),
  ]);
  registerTensorflow('PatchstreamGatherTokensGrad', (c, { inputs, attrs }) => {
    const rows = c.op('OneHot', [c.of(inputs.ids!), c.int(attrs.n as number), c.constant(1), c.constant(0)]);
    return [c.op('BatchMatMulV2', [rows, c.of(inputs.dy!)], { adj_x: true })];
  });
}

const first: Attributes = { transpose_a: true };
const second: Attributes = { transpose_b: true };

function registerLinear(): void {
  registerTensorflow('PatchstreamGelu', (c, { inputs }) => {
    const scaled = c.op('Mul', [c.of(inputs.x!), c.constant(Math.SQRT1_2)]);
    const [y, twiceSlope] = geluOf(c, scaled);
    return [y, c.op('Mul', [twiceSlope, c.constant(0.5)])];
  });
  registerTensorflow('PatchstreamLinear', (c, { inputs, attrs }) => {
    const [x, weight] = [c.of(inputs.x!), c.of(inputs.weight!)];
    const bias = inputs.bias && c.of(inputs.bias);
    if (attrs.gelu === true) return linearGelu(c, x, weight, bias);
    const product = c.op('MatMul', [x, weight]);
    return [bias === undefined ? product : c.spend('BiasAdd', [product, bias], [product])];
  });
  registerTensorflow('PatchstreamLinearGrad', (c, { inputs, attrs }) => {
    const [dy, x, weight] = [c.of(inputs.dy!), c.of(inputs.x!), c.of(inputs.weight!)];
    if (inputs.saved === undefined) {
      const products = [c.op('MatMul', [dy, weight], second), c.op('MatMul', [x, dy], first)];
      return attrs.bias === true ? [...products, c.op('BiasAddGrad', [dy])] : products;
    }
    // Twice the gradient, halved where there is less of it.
    const twice = c.op('Mul', [dy, c.of(inputs.saved)]);
    const half = (id: number) => c.op('Mul', [id, c.constant(0.5)]);
    const products = [c.op('MatMul', [twice, half(weight)], second), half(c.op('MatMul', [x, twice], first))];
    return attrs.bias === true ? [...products, half(c.op('BiasAddGrad', [twice]))] : products;
  });
}

/** @returns gelu(x·W + b), and twice its derivative by x·W + b. */
function linearGelu(c: Calls, x: number, weight: number, bias: number | undefined): [y: number, twiceSlope: number] {
  // The factor that the error function asks for is applied to the weights: they are few.
  const factor = c.constant(Math.SQRT1_2);
  const product = c.op('MatMul', [x, c.op('Mul', [weight, factor])]);
  const s = bias === undefined ? product : c.spend('BiasAdd', [product, c.op('Mul', [bias, factor])], [product]);
  return geluOf(c, s);
}

/**
 * Of s = x/√2: x·Φ(x) = s·(1 + erf(s))/√2, and twice its derivative, 1 + erf(s) + s·exp(−s²)·2/√π. TensorFlow's `Erfc` takes four times as long as its `Erf`.
 *
 * @returns both, of the shape of s.
 */
function geluOf(c: Calls, s: number): [y: number, twiceSlope: number] {
  const error = c.op('Erf', [s]);
  const twiceShare = c.spend('AddV2', [error, c.constant(1)], [error]);
  const product = c.op('Mul', [s, twiceShare]);
  const y = c.spend('Mul', [product, c.constant(Math.SQRT1_2)], [product]);
  const square = c.op('Square', [s]);
  const exponent = c.spend('Sub', [c.constant(Math.log(2 / Math.sqrt(Math.PI))), square], [square]);
  const density = c.spend('Exp', [exponent], [exponent]);
  const rest = c.spend('Mul', [s, density], [density]);
  return [y, c.spend('AddV2', [twiceShare, rest], [twiceShare, rest])];
}

const keepDims: Attributes = { keep_dims: true };

function registerLayerNorm(): void {
  registerTensorflow('PatchstreamLayerNorm', (c, { inputs, attrs }) => {
    const [x, gain, bias] = [c.of(inputs.x!), c.of(inputs.gain!), c.of(inputs.bias!)];
    const rows = c.ints([1]);
    const centred = c.op('Sub', [x, c.op('Mean', [x, rows], keepDims)]);
    const square = c.op('Square', [centred]);
    const variance = c.spend('Mean', [square, rows], [square], keepDims);
    const rstd = c.op('Rsqrt', [c.op('AddV2', [variance, c.constant(attrs.eps as number)])]);
    const unit = c.spend('Mul', [centred, rstd], [centred]);
    const scaled = c.op('Mul', [unit, gain]);
    // In the place of the mean: with it the gradient need not compute it again.
    return [c.spend('BiasAdd', [scaled, bias], [scaled]), unit, rstd];
  });
  registerTensorflow('PatchstreamLayerNormGrad', (c, { inputs }) => {
    const [dy, unit, rstd, gain] = [c.of(inputs.dy!), c.of(inputs.mean!), c.of(inputs.rstd!), c.of(inputs.gain!)];
    const D = inputs.gain!.shape[0]!;
    // Products with a column take the mean over a row, weighted by the gain, in one go.
    const column = c.op('Reshape', [c.op('Mul', [gain, c.constant(1 / D)]), c.ints([D, 1])]);
    const along = c.op('Mul', [dy, unit]);
    const meanAlong = c.op('MatMul', [along, column]);
    const dGain = c.spend('BiasAddGrad', [along], [along]);
    const ofUnit = c.op('Mul', [unit, meanAlong]);
    const scaled = c.op('Mul', [dy, gain]);
    const less = c.spend('Sub', [scaled, ofUnit], [scaled, ofUnit]);
    const centred = c.spend('Sub', [less, c.op('MatMul', [dy, column])], [less]);
    return [c.spend('Mul', [centred, rstd], [centred]), dGain, c.op('BiasAddGrad', [dy])];
  });
}

const same: Attributes = { strides: [1, 1, 1, 1], padding: 'SAME' };

function registerConv3x3(): void {
  registerTensorflow('PatchstreamConv3x3', (c, { inputs }) => {
    const y = c.op('Conv2D', [c.of(inputs.x!), c.of(inputs.weight!)], same);
    return [inputs.bias === undefined ? y : c.op('BiasAdd', [y, c.of(inputs.bias)])];
  });
  registerTensorflow('PatchstreamConv3x3Grad', (c, { inputs, attrs }) => {
    const [dy, x, weight] = [c.of(inputs.dy!), c.of(inputs.x!), c.of(inputs.weight!)];
    const dx = c.op('Conv2DBackpropInput', [c.ints(inputs.x!.shape), weight, dy], same);
    const dWeight = c.op('Conv2DBackpropFilter', [x, c.ints(inputs.weight!.shape), dy], same);
    return attrs.bias === true ? [dx, dWeight, c.op('BiasAddGrad', [dy])] : [dx, dWeight];
  });
}
