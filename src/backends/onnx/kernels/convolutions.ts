import type { ConvolutionAttrs, FusedConvolutionAttrs } from '../../kernel.ts';
import * as tf from '../../tf.ts';
import { activated, add, cast } from './elementwise.ts';
import { type Kernel, type KernelTable, kernel, numbers, type Tracing } from './kernel.ts';
import { transpose } from './shapes.ts';

type Sides = [number, number, number, number];

/** ONNX has channels in front of rows and columns. */
const channelsFirst = [0, 3, 1, 2];
const channelsLast = [0, 2, 3, 1];
/** tfjs has filters as [rows, columns, in, out]. */
const outFirst = [3, 2, 0, 1];

/** Has `work` see channels in front, whatever the format. */
function inChannelsFirst(
  trace: Tracing,
  x: tf.TensorInfo,
  format: 'NHWC' | 'NCHW',
  work: (x: tf.TensorInfo) => tf.TensorInfo,
): tf.TensorInfo {
  if (format === 'NCHW') return work(x);
  return transpose(trace, work(transpose(trace, x, channelsFirst)), channelsLast);
}

type Info = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

/** @throws ONNX_OPERATION where the answer's sides are not what ONNX makes of them. */
function geometry(trace: Tracing, info: Info) {
  const { padInfo, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  const { top, left, bottom, right } = padInfo;
  const side = (from: number, extent: number, stride: number) => Math.floor((from - extent) / stride) + 1;
  const height = side(info.inHeight + top + bottom, info.effectiveFilterHeight, strideHeight);
  const width = side(info.inWidth + left + right, info.effectiveFilterWidth, strideWidth);
  if (height !== info.outHeight || width !== info.outWidth) throw trace.refused('its sides are not rounded down');
  return {
    strides: [strideHeight, strideWidth],
    pads: [top, left, bottom, right],
    dilations: [dilationHeight, dilationWidth],
  };
}

function infoOf(shape: readonly number[], filter: readonly number[], attrs: ConvolutionAttrs, depthwise: boolean) {
  return tf.backend_util.computeConv2DInfo(
    shape as Sides,
    filter as Sides,
    attrs.strides,
    attrs.dilations ?? [1, 1],
    attrs.pad,
    attrs.dimRoundingMode ?? undefined,
    depthwise,
    tf.backend_util.convertConv2DDataFormat(attrs.dataFormat ?? 'NHWC'),
  );
}

const forward = (depthwise: boolean): Kernel =>
  kernel<FusedConvolutionAttrs>((trace, { x, filter, bias, preluActivationWeights }, attrs) => {
    const info = infoOf(x!.shape, filter!.shape, attrs, depthwise);
    const { batchSize, inChannels, outChannels, outHeight, outWidth } = info;
    const format = attrs.dataFormat ?? 'NHWC';
    if (format === 'NCHW' && (bias != null || attrs.activation)) throw trace.refused('its channels stand in front');
    // [rows, columns, in, times] of a filter by channels gives each channel `times` of them.
    const weight = depthwise
      ? trace.reshape(transpose(trace, filter!, [2, 3, 0, 1]), [outChannels, 1, ...filter!.shape.slice(0, 2)])
      : transpose(trace, filter!, outFirst);
    const attributes = { ...geometry(trace, info), group: depthwise ? inChannels : 1 };
    const shape = [batchSize, outChannels, outHeight, outWidth];
    const y = inChannelsFirst(trace, x!, format, (pictures) =>
      trace.call('Conv', [pictures, weight], { shape, dtype: 'float32', attributes }),
    );
    const sum = bias == null ? y : add(trace, y, bias);
    return activated(trace, sum, attrs.activation, { alpha: attrs.leakyreluAlpha, slope: preluActivationWeights });
  });

/** The transposed convolution: tfjs has it as the gradient of one by its input. */
const backwards = kernel<ConvolutionAttrs & { readonly inputShape: number[] }>((trace, { dy, filter }, attrs) => {
  const info = infoOf(attrs.inputShape, filter!.shape, attrs, false);
  const { batchSize, inChannels, inHeight, inWidth, outHeight, outWidth, padInfo } = info;
  const beyond = (side: number, from: number, stride: number, extent: number, pad: number) =>
    side - ((from - 1) * stride + extent - pad);
  const output_padding = [
    beyond(inHeight, outHeight, info.strideHeight, info.effectiveFilterHeight, padInfo.top + padInfo.bottom),
    beyond(inWidth, outWidth, info.strideWidth, info.effectiveFilterWidth, padInfo.left + padInfo.right),
  ];
  const weight = transpose(trace, filter!, outFirst);
  const answer = {
    shape: [batchSize, inChannels, inHeight, inWidth],
    dtype: 'float32' as const,
    attributes: { ...geometry(trace, info), output_padding },
  };
  return inChannelsFirst(trace, dy!, attrs.dataFormat ?? 'NHWC', (x) =>
    trace.call('ConvTranspose', [x, weight], answer),
  );
});

const pool = (operator: 'MaxPool' | 'AveragePool'): Kernel =>
  kernel<tf.MaxPoolAttrs>((trace, { x }, { filterSize, strides, pad, dimRoundingMode }) => {
    const info = tf.backend_util.computePool2DInfo(x!.shape as Sides, filterSize, strides, 1, pad, dimRoundingMode);
    const { batchSize, outChannels, outHeight, outWidth, filterHeight, filterWidth } = info;
    const { strides: steps, pads } = geometry(trace, info);
    const attributes = { kernel_shape: [filterHeight, filterWidth], strides: steps, pads };
    const shape = [batchSize, outChannels, outHeight, outWidth];
    return inChannelsFirst(trace, x!, 'NHWC', (pictures) =>
      trace.call(operator, [pictures], { shape, dtype: 'float32', attributes }),
    );
  });

interface Resizing {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
  readonly size: readonly [number, number];
}

const resize = (mode: 'linear' | 'nearest'): Kernel =>
  kernel<Resizing>((trace, { images }, { alignCorners, halfPixelCenters, size }) => {
    const [N, , , C] = images!.shape as Sides;
    const between = halfPixelCenters ? 'half_pixel' : 'asymmetric';
    // Of half pixels tfjs takes ⌊(i + ½)·s⌋; ONNX has (i + ½)·s − ½, which is rounded to the same.
    const rounded = alignCorners || halfPixelCenters;
    const attributes = {
      mode,
      coordinate_transformation_mode: alignCorners ? 'align_corners' : between,
      ...(mode === 'nearest' && { nearest_mode: rounded ? 'round_prefer_ceil' : 'floor' }),
    };
    const shape = [N, C, ...size];
    const given = mode === 'linear' ? cast(trace, images!, 'float32') : images!;
    return inChannelsFirst(trace, given, 'NHWC', (pictures) =>
      trace.call('Resize', [pictures, undefined, undefined, numbers(...shape)], {
        shape,
        dtype: given.dtype,
        attributes,
      }),
    );
  });

/** Convolutions of pictures, pools, and pictures made larger and smaller. */
export const convolutions: KernelTable = {
  Conv2D: forward(false),
  DepthwiseConv2dNative: forward(true),
  FusedConv2D: forward(false),
  FusedDepthwiseConv2D: forward(true),
  Conv2DBackpropInput: backwards,
  MaxPool: pool('MaxPool'),
  AvgPool: pool('AveragePool'),
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
  DepthToSpace: kernel<tf.DepthToSpaceAttrs>((trace, { x }, { blockSize, dataFormat }) => {
    const [N, H, W, C] = (dataFormat === 'NHWC' ? x!.shape : [0, 2, 3, 1].map((axis) => x!.shape[axis]!)) as Sides;
    const answer = {
      shape: [N, C / blockSize ** 2, H * blockSize, W * blockSize],
      dtype: x!.dtype,
      attributes: { blocksize: blockSize },
    };
    return inChannelsFirst(trace, x!, dataFormat, (pictures) => trace.call('DepthToSpace', [pictures], answer));
  }),
};
