import type { ConvolutionAttrs, FusedConvolutionAttrs } from '../../kernel.ts';
import * as tf from '../../tf.ts';
import { activationNumber, flag, type KernelTable, kernel, list, type Torch } from './kernel.ts';

type Sides = [number, number, number, number];

type Info = Pick<
  ReturnType<typeof tf.backend_util.computePool2DInfo>,
  | 'padInfo'
  | 'inHeight'
  | 'inWidth'
  | 'outHeight'
  | 'outWidth'
  | 'strideHeight'
  | 'strideWidth'
  | 'effectiveFilterHeight'
  | 'effectiveFilterWidth'
>;

/**
 * Padding above, below, left, right. Behind it is what tfjs' size of the result asks for: more where sizes are rounded up, less where tfjs sizes both
 * sides by the filter's height.
 */
function pads(info: Info): number[] {
  const { top, bottom, left, right } = info.padInfo;
  const rows = {
    size: info.inHeight,
    out: info.outHeight,
    stride: info.strideHeight,
    filter: info.effectiveFilterHeight,
  };
  const columns = {
    size: info.inWidth,
    out: info.outWidth,
    stride: info.strideWidth,
    filter: info.effectiveFilterWidth,
  };
  return [top, after(top, bottom, rows), left, after(left, right, columns)];
}

function after(
  before: number,
  given: number,
  { size, out, stride, filter }: { size: number; out: number; stride: number; filter: number },
): number {
  const fits = Math.floor((size + before + given - filter) / stride) + 1 === out;
  return fits ? given : (out - 1) * stride + filter - size - before;
}

/** The geometry as native/torch reads it. */
function geometry(
  x: readonly number[],
  filter: readonly number[],
  attrs: ConvolutionAttrs,
  depthwise: boolean,
): number[] {
  const format = attrs.dataFormat ?? 'NHWC';
  const info = tf.backend_util.computeConv2DInfo(
    x as Sides,
    filter as Sides,
    attrs.strides,
    attrs.dilations ?? [1, 1],
    attrs.pad,
    attrs.dimRoundingMode ?? undefined,
    depthwise,
    tf.backend_util.convertConv2DDataFormat(format),
  );
  return [
    flag(format === 'NHWC'),
    depthwise ? info.inChannels : 1,
    ...list([info.strideHeight, info.strideWidth]),
    ...list([info.dilationHeight, info.dilationWidth]),
    ...list(pads(info)),
  ];
}

const forward = (depthwise: boolean) =>
  kernel<ConvolutionAttrs>((torch, { x, filter }, attrs) =>
    torch.one('Conv2D', [x, filter], geometry(x!.shape, filter!.shape, attrs, depthwise)),
  );

const fused = (depthwise: boolean) =>
  kernel<FusedConvolutionAttrs>((torch, { x, filter, bias, preluActivationWeights }, attrs) => {
    const first = attrs.dataFormat === 'NCHW';
    // One value per channel has to stand where the channels do.
    const places = [bias, preluActivationWeights].map((weights) =>
      first && weights?.shape.length === 1 ? torch.reshape(weights, [weights.shape[0]!, 1, 1]) : undefined,
    );
    const numbers = [
      ...geometry(x!.shape, filter!.shape, attrs, depthwise),
      activationNumber(attrs.activation),
      attrs.leakyreluAlpha ?? 0,
    ];
    const y = torch.one('FusedConv2D', [x, filter, places[0] ?? bias, places[1] ?? preluActivationWeights], numbers);
    for (const place of places) if (place !== undefined) torch.free(place);
    return y;
  });

const backpropInput = (depthwise: boolean) =>
  kernel<ConvolutionAttrs & { readonly inputShape: number[] }>((torch, { dy, filter }, attrs) => {
    const numbers = geometry(attrs.inputShape, filter!.shape, attrs, depthwise);
    return torch.one('Conv2DBackpropInput', [dy, filter], [...numbers, ...list(attrs.inputShape)]);
  });

const backpropFilter = (depthwise: boolean) =>
  kernel<ConvolutionAttrs & { readonly filterShape: number[] }>((torch, { x, dy }, attrs) => {
    const numbers = geometry(x!.shape, attrs.filterShape, attrs, depthwise);
    return torch.one('Conv2DBackpropFilter', [x, dy], [...numbers, ...list(attrs.filterShape)]);
  });

function pool(
  torch: Torch,
  name: string,
  inputs: readonly tf.TensorInfo[],
  shape: readonly number[],
  attrs: tf.MaxPoolAttrs,
) {
  const info = tf.backend_util.computePool2DInfo(
    shape as Sides,
    attrs.filterSize,
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
  );
  const numbers = [
    ...list([info.filterHeight, info.filterWidth]),
    ...list([info.strideHeight, info.strideWidth]),
    ...list(pads(info)),
  ];
  return torch.one(name, inputs, numbers);
}

/** Convolutions and pools of pictures, with their gradients. */
export const convolutions: KernelTable = {
  Conv2D: forward(false),
  DepthwiseConv2dNative: forward(true),
  FusedConv2D: fused(false),
  FusedDepthwiseConv2D: fused(true),
  Conv2DBackpropInput: backpropInput(false),
  DepthwiseConv2dNativeBackpropInput: backpropInput(true),
  Conv2DBackpropFilter: backpropFilter(false),
  DepthwiseConv2dNativeBackpropFilter: backpropFilter(true),
  MaxPool: kernel<tf.MaxPoolAttrs>((torch, { x }, attrs) => pool(torch, 'MaxPool', [x!], x!.shape, attrs)),
  AvgPool: kernel<tf.AvgPoolAttrs>((torch, { x }, attrs) =>
    pool(torch, 'AvgPool', [x!], x!.shape, attrs as tf.MaxPoolAttrs),
  ),
  MaxPoolGrad: kernel<tf.MaxPoolAttrs>((torch, { dy, input }, attrs) =>
    pool(torch, 'MaxPoolGrad', [dy!, input!], input!.shape, attrs),
  ),
  AvgPoolGrad: kernel<tf.AvgPoolAttrs>((torch, { dy, input }, attrs) =>
    pool(torch, 'AvgPoolGrad', [dy!, input!], input!.shape, attrs as tf.MaxPoolAttrs),
  ),
};
