import { gelu } from '../gelu-table.ts';
import * as tf from '../tf.ts';

/** The parts of tfjs' wasm backend that these kernels stand on (4.22); `prepareWasm` is tested against the installed version. */
export interface WasmBackend {
  wasm: {
    HEAPU8: Uint8Array;
    HEAP32: Int32Array;
    _malloc(bytes: number): number;
    _free(offset: number): void;
    _register_tensor(id: number, size: number, offset: number): void;
    _dispose_data(id: number): void;
    _BatchMatMul(
      a: number,
      aShape: number,
      aRank: number,
      b: number,
      bShape: number,
      bRank: number,
      transposeA: number,
      transposeB: number,
      out: number,
    ): void;
  };
  dataIdNextNumber: number;
  dataIdMap: { get(dataId: object): { id: number; memoryOffset: number } };
  makeOutput(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  typedArrayFromHeap(x: tf.TensorInfo): tf.TypedArray;
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
}

export type KernelCall = Parameters<tf.KernelFunc>[0];

/** Replaces the wasm kernels that are slow in 4.22, and adds the fused ones of `fused.ts`. Call once, after the backend is ready. */
export function registerWasmKernels(): void {
  replace('BatchMatMul', batchMatMul);
  replace('Slice', slice);
  replace('Identity', identity);
  tf.registerKernel({
    kernelName: 'PatchstreamGelu',
    backendName: 'wasm',
    kernelFunc: ({ inputs, backend }) => fusedGelu(inputs.x!, backend as WasmBackend),
  });
}

type Replacement = (call: KernelCall, original: tf.KernelFunc) => tf.TensorInfo | tf.TensorInfo[];

/** Puts a kernel of the wasm backend behind another, which may call it. */
export function replace(kernelName: string, replacement: Replacement): void {
  const original = tf.getKernel(kernelName, 'wasm').kernelFunc;
  // The original's set-up has run with the backend; registering without it keeps its bindings.
  tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc: (call) => replacement(call, original) });
}

/**
 * tfjs' kernel multiplies a single pair with XNNPACK, at 31 GFLOP/s here, but batches and transposed operands in a plain loop, at 2. So:
 * operands are transposed first, a shared right operand makes one tall product, and a batch is one XNNPACK product per pair, on
 * views into the operands' memory.
 */
function batchMatMul(call: KernelCall, original: tf.KernelFunc): tf.TensorInfo {
  const backend = call.backend as WasmBackend;
  const { transposeA, transposeB } = call.attrs as { transposeA?: boolean; transposeB?: boolean };
  const batchOf = (x: tf.TensorInfo) => tf.util.sizeFromShape(x.shape.slice(0, -2));
  const [givenA, givenB] = [call.inputs.a!, call.inputs.b!];
  const batchA = batchOf(givenA);
  const batchB = batchOf(givenB);
  const simple = batchA === batchB || batchA === 1 || batchB === 1;
  if (!simple || givenA.dtype !== 'float32' || givenB.dtype !== 'float32') return original(call) as tf.TensorInfo;

  const a = transposeA === true ? transposeLast(givenA, backend) : givenA;
  const b = transposeB === true ? transposeLast(givenB, backend) : givenB;
  const [n, d] = a.shape.slice(-2) as [number, number];
  const [, m] = b.shape.slice(-2) as [number, number];
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  let out: tf.TensorInfo;
  if (batchB === 1) {
    const inputs = { a: { ...pick(a), shape: [batchA * n, d] }, b: { ...pick(b), shape: [d, m] } };
    out = original({ inputs, attrs: { transposeA: false, transposeB: false }, backend }) as tf.TensorInfo;
  } else {
    out = productsOfViews(a, b, { batch: batchB, strideA: batchA === 1 ? 0 : n * d, n, d, m }, backend);
  }
  if (a !== givenA) backend.disposeData(a.dataId);
  if (b !== givenB) backend.disposeData(b.dataId);
  out.shape = [...outer, n, m];
  return out;
}

const pick = ({ dataId, dtype }: tf.TensorInfo) => ({ dataId, dtype });

function transposeLast(x: tf.TensorInfo, backend: WasmBackend): tf.TensorInfo {
  const [n, d] = x.shape.slice(-2) as [number, number];
  const outer = x.shape.slice(0, -2);
  // Rank 3 at most: the kernel falls to a slow general loop from rank 5.
  const flat = { ...pick(x), shape: [tf.util.sizeFromShape(outer), n, d] };
  const call = { inputs: { x: flat }, attrs: { perm: [0, 2, 1] }, backend };
  const out = tf.getKernel('Transpose', 'wasm').kernelFunc(call) as tf.TensorInfo;
  return { ...pick(out), shape: [...outer, d, n] };
}

function productsOfViews(
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  { batch, strideA, n, d, m }: { batch: number; strideA: number; n: number; d: number; m: number },
  backend: WasmBackend,
): tf.TensorInfo {
  const out = backend.makeOutput([batch, n, m], 'float32');
  const { wasm } = backend;
  const offsetOf = (x: tf.TensorInfo) => backend.dataIdMap.get(x.dataId).memoryOffset;
  const [fromA, fromB, fromOut] = [offsetOf(a), offsetOf(b), offsetOf(out)];
  const [viewA, viewB, viewOut] = [backend.dataIdNextNumber++, backend.dataIdNextNumber++, backend.dataIdNextNumber++];
  const shapes = wasm._malloc(24) >>> 0;
  wasm.HEAP32.set([1, n, d, 1, d, m], shapes >>> 2);
  for (let i = 0; i < batch; i++) {
    wasm._register_tensor(viewA, n * d, fromA + i * strideA * 4);
    wasm._register_tensor(viewB, d * m, fromB + i * d * m * 4);
    wasm._register_tensor(viewOut, n * m, fromOut + i * n * m * 4);
    wasm._BatchMatMul(viewA, shapes, 3, viewB, shapes + 12, 3, 0, 0, viewOut);
    // Also drops the operator that XNNPACK packed for this right operand.
    wasm._dispose_data(viewB);
    wasm._dispose_data(viewA);
    wasm._dispose_data(viewOut);
  }
  wasm._free(shapes);
  return out;
}

/** tfjs' kernel copies the whole input to the host before it slices; a slice that lies in one piece is one copy inside the heap. */
function slice(call: KernelCall, original: tf.KernelFunc): tf.TensorInfo {
  const backend = call.backend as WasmBackend;
  const x = call.inputs.x!;
  const { begin, size } = call.attrs as { begin: number[]; size: number[] };
  const [from, count] = tf.slice_util.parseSliceParams({ shape: x.shape } as tf.Tensor, begin, size);
  if (x.dtype === 'string' || !tf.slice_util.isSliceContinous(x.shape, from!, count!))
    return original(call) as tf.TensorInfo;
  const bytes = tf.util.bytesPerElement(x.dtype);
  const start = tf.slice_util.computeFlatOffset(from!, tf.util.computeStrides(x.shape)) * bytes;
  const out = backend.makeOutput(count!, x.dtype);
  const offset = backend.dataIdMap.get(x.dataId).memoryOffset + start;
  const length = tf.util.sizeFromShape(count!) * bytes;
  backend.wasm.HEAPU8.copyWithin(backend.dataIdMap.get(out.dataId).memoryOffset, offset, offset + length);
  return out;
}

/** tfjs' kernel copies; sharing is safe, for no kernel changes a tensor in place. Whatever a gradient saves is cloned through here. */
function identity(call: KernelCall, original: tf.KernelFunc): tf.TensorInfo {
  const x = call.inputs.x!;
  if (x.dtype === 'string') return original(call) as tf.TensorInfo;
  (call.backend as WasmBackend).incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}

function fusedGelu(x: tf.TensorInfo, backend: WasmBackend): tf.TensorInfo[] {
  const outputs = [backend.makeOutput(x.shape, 'float32'), backend.makeOutput(x.shape, 'float32')];
  // Arrays are taken after the allocations, which may have grown and so moved the heap.
  const [from, y, slope] = [x, ...outputs].map((info) => backend.typedArrayFromHeap(info) as Float32Array);
  gelu(from!, y!, slope!);
  return outputs;
}
