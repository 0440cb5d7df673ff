import * as tf from '../../tf.ts';
import { dtypeNumber, type KernelTable, kernel, list } from './kernel.ts';

/** Kernels that pick elements by index, or put them there. */
export const indexing: KernelTable = {
  GatherV2: kernel<tf.GatherV2Attrs>((torch, { x, indices }, { axis, batchDims }) => {
    const [along] = tf.util.parseAxisParam(axis, x!.shape);
    const { batchSize, outerSize, dimSize, sliceSize, outputShape } =
      tf.backend_util.segment_util.collectGatherOpShapeInfo(
        x as tf.Tensor,
        indices as tf.Tensor,
        along!,
        batchDims ?? 0,
      );
    const picks = batchSize === 0 ? 0 : tf.util.sizeFromShape(indices!.shape) / batchSize;
    return torch.one('GatherV2', [x, indices], [batchSize, outerSize, dimSize, sliceSize, picks, ...list(outputShape)]);
  }),
  GatherNd: (torch, { params, indices }) => {
    const [shape] = tf.backend_util.prepareAndValidate(params!, indices!);
    return torch.one('GatherNd', [params, indices], list(shape));
  },
  ScatterNd: kernel<tf.ScatterNdAttrs>((torch, { indices, updates }, { shape }) =>
    torch.one('ScatterNd', [indices, updates], list(shape)),
  ),
  UnsortedSegmentSum: kernel<tf.UnsortedSegmentSumAttrs>((torch, { x, segmentIds }, { numSegments }) => {
    const shape = [numSegments, ...x!.shape.slice(segmentIds!.shape.length)];
    return torch.one('UnsortedSegmentSum', [x, segmentIds], [numSegments, ...list(shape)]);
  }),
  OneHot: kernel<tf.OneHotAttrs>((torch, { indices }, { dtype, depth, onValue, offValue }) =>
    torch.one('OneHot', [indices], [dtypeNumber(dtype), depth, onValue, offValue]),
  ),
  TopK: kernel<tf.TopKAttrs>((torch, { x }, { k }) => torch.all('TopK', [x], [k])),
};
