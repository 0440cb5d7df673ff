import { onHost } from '../host/kernels.ts';
import * as tf from '../tf.ts';
import { type KernelCall, replace } from './kernels.ts';

/**
 * Kernels of tfjs' wasm backend (4.22) that take truth values for what they are, a byte each. The others read and write four bytes for each, beyond the end of the
 * tensor, or answer with what lay in memory before. What they do with every type is held against tfjs' cpu backend in a test.
 */
const soundForBool: ReadonlySet<string> = new Set([
  ...['Identity', 'Reshape', 'ExpandDims', 'Slice', 'Concat', 'SplitV', 'Pack', 'Unpack', 'Transpose', 'Tile'],
  ...['PadV2', 'MirrorPad', 'GatherV2', 'GatherNd', 'ScatterNd', 'Cast', 'OnesLike', 'ZerosLike'],
  ...['LogicalAnd', 'LogicalOr', 'LogicalXor', 'LogicalNot', 'All', 'Any'],
  ...['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'],
  ...['Add', 'AddN', 'Sub', 'Multiply', 'Sum', 'Mean', 'Prod', 'Max', 'Min', 'ArgMax', 'ArgMin'],
]);

/** Those that take integers for bits of fractions, or leave them as they are. */
const wrongForInt32: ReadonlySet<string> = new Set([
  ...['Acosh', 'Asinh', 'ClipByValue', 'Log1p', 'Reciprocal', 'StridedSlice', 'IsFinite', 'IsInf', 'IsNan'],
]);

/** What else is wrong, by the kernel. */
const wrongCalls: Readonly<Record<string, (call: KernelCall) => boolean>> = {
  // It cuts numbers off to bytes, where any but 0 is true.
  Cast: ({ inputs, attrs }) => attrs?.dtype === 'bool' && inputs.x!.dtype !== 'bool',
  // It takes the second tensor for one of the type of the first.
  Select: ({ inputs }) => inputs.t!.dtype !== inputs.e!.dtype,
  // With groups of its own for each sample it reads and writes beyond the ends of tensors.
  GatherV2: ({ attrs }) => Number(attrs?.batchDims ?? 0) > 0,
};

/** Has tfjs' cpu kernels compute what those of its wasm backend compute wrongly. Call once, when all kernels of both are there. */
export function registerSoundTypes(): void {
  for (const { kernelName } of tf.getKernelsForBackend('wasm')) {
    const host = tf.getKernel(kernelName, 'cpu');
    if (host === undefined) continue;
    const isWrong = wrongFor(kernelName);
    replace(kernelName, (call, original) =>
      isWrong(call)
        ? onHost(host, call.inputs, call.attrs ?? {}, call.backend as never)
        : (original(call) as tf.TensorInfo),
    );
  }
}

function wrongFor(kernelName: string): (call: KernelCall) => boolean {
  const [bool, int32] = [!soundForBool.has(kernelName), wrongForInt32.has(kernelName)];
  const own = wrongCalls[kernelName];
  const isWrong = (x: tf.TensorInfo | undefined) => (bool && x?.dtype === 'bool') || (int32 && x?.dtype === 'int32');
  return (call) => {
    // Kernels of any number of inputs get an array.
    for (const name in call.inputs) if (isWrong(call.inputs[name])) return true;
    return own?.(call) === true;
  };
}
