import * as tf from './tf.ts';

/** Inputs of a kernel by name; `listOf` for kernels that take any number of them. */
export interface Inputs {
  readonly [name: string]: tf.TensorInfo | undefined;
}

/** One kernel of tfjs, done by a backend's `Via`. The inputs stay the caller's, the outputs are his. */
export type KernelBy<Via> = (via: Via, inputs: Inputs, attrs: object) => tf.TensorInfo | tf.TensorInfo[];

/** Inputs of a kernel that takes any number of them, which tfjs hands as an array. */
export function listOf(inputs: Inputs): tf.TensorInfo[] {
  return inputs as unknown as tf.TensorInfo[];
}

/** What tfjs says of a convolution, plain or fused. */
export interface ConvolutionAttrs {
  readonly strides: [number, number] | number;
  readonly pad: Parameters<typeof tf.backend_util.computeConv2DInfo>[4];
  readonly dilations?: [number, number] | number;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil' | null;
}

/** A convolution with what follows it. */
export interface FusedConvolutionAttrs extends ConvolutionAttrs {
  readonly activation?: string;
  readonly leakyreluAlpha?: number;
}

/** What a strided slice of `x` takes, its masks resolved. */
export function stridedSliceInfo({ shape }: tf.TensorInfo, attrs: tf.StridedSliceAttrs) {
  return tf.slice_util.sliceInfo(
    shape,
    attrs.begin,
    attrs.end,
    attrs.strides,
    attrs.beginMask,
    attrs.endMask,
    attrs.ellipsisMask,
    attrs.newAxisMask,
    attrs.shrinkAxisMask,
  );
}
