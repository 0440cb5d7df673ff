/**
 * Operations that may stand in a graph: from the same inputs they compute the same each time, the shapes of what they make follow from those of their inputs and from what the host gives them, and they
 * have no state. Chance, variables, files, and what finds out by the data how much there is of it, are not among them.
 *
 * Their types that have to be named, each with the input that is of it: an operation that is called finds them by itself, one in a graph takes another for granted. Source: TensorFlow's registry of
 * operations (2.21), of those that tfjs-node calls.
 */
const types: readonly (readonly [type: string, input: number, operations: string])[] = [
  [
    'T',
    0,
    'Abs Acos Acosh Add AddN AddV2 ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AvgPool BatchMatMulV2 BatchToSpaceND BiasAdd BiasAddGrad BroadcastTo Ceil ClipByValue ConcatV2 Conv2D ' +
      'Conv2DBackpropFilter Cos Cosh Cumprod Cumsum DepthToSpace DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter Div DivNoNan Elu EluGrad Equal Erf Exp ExpandDims Expm1 Floor ' +
      'FloorDiv FloorMod FusedBatchNormV3 Greater GreaterEqual Identity IsFinite IsInf IsNan L2Loss Less LessEqual LinSpace Log Log1p LogSoftmax MatMul Max Maximum Mean Min Minimum ' +
      'MirrorPad Mul Neg NotEqual OnesLike Pack PadV2 Pow Prod RealDiv Reciprocal Relu Relu6 Relu6Grad ReluGrad Reshape ResizeBilinear ResizeNearestNeighbor ResizeNearestNeighborGrad ' +
      'ReverseV2 Round Rsqrt Selu Sigmoid Sign Sin Sinh Slice Softmax Softplus SpaceToBatchND SplitV Sqrt Square SquaredDifference Squeeze StridedSlice Sub Sum Tan Tanh ' +
      'TensorScatterUpdate Tile TopKV2 Transpose Unpack UnsortedSegmentSum ZerosLike',
  ],
  [
    'T',
    1,
    'AvgPoolGrad Conv2DBackpropInput DepthwiseConv2dNativeBackpropInput Fill ResizeBilinearGrad ScatterNd Select SelectV2 Split',
  ],
  ['T', 2, 'OneHot'],
  ['SrcT', 0, 'Cast'],
  ['U', 1, 'FusedBatchNormV3'],
  ['Tparams', 0, 'GatherNd GatherV2'],
  ['Tindices', 0, 'ScatterNd'],
  ['Tindices', 1, 'GatherNd GatherV2 TensorScatterUpdate UnsortedSegmentSum'],
  ['Tnumsegments', 2, 'UnsortedSegmentSum'],
  ['Taxis', 2, 'GatherV2'],
  ['TI', 0, 'OneHot'],
  ['Tidx', 0, 'Range'],
  ['Tidx', 1, 'All Any ArgMax ArgMin BroadcastTo Cumprod Cumsum Max Mean Min Prod ReverseV2 Sum'],
  ['Tidx', 2, 'LinSpace'],
  ['Tdim', 1, 'ExpandDims'],
  ['Tshape', 1, 'Reshape'],
  ['Tperm', 1, 'Transpose'],
  ['Tmultiples', 1, 'Tile'],
  ['Tlen', 1, 'SplitV'],
  ['Tpaddings', 1, 'MirrorPad PadV2'],
  ['Tpaddings', 2, 'SpaceToBatchND'],
  ['Tblock_shape', 1, 'BatchToSpaceND SpaceToBatchND'],
  ['Tcrops', 2, 'BatchToSpaceND'],
  ['Index', 1, 'Slice StridedSlice'],
  ['index_type', 0, 'Fill'],
];

/** They have no types, or such as are float32 unless they are named. */
const untyped = 'LRN LRNGrad LeakyRelu LogicalAnd LogicalNot LogicalOr MaxPool MaxPoolGrad';

type Types = readonly { readonly type: string; readonly input: number }[];

const byOperation = new Map<string, Types>(untyped.split(' ').map((operation) => [operation, []]));
for (const [type, input, operations] of types)
  for (const operation of operations.split(' '))
    byOperation.set(operation, [...(byOperation.get(operation) ?? []), { type, input }]);

export function mayBeInGraph(operation: string): boolean {
  return byOperation.has(operation);
}

export function typesOf(operation: string): Types {
  return byOperation.get(operation) ?? [];
}
