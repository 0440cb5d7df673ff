import * as tf from '../tf.ts';

// tfjs-cpu's own backend object, as far as the fallback needs it.
interface HostBackend {
  firstUse: boolean;
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
  readSync(dataId: object): tf.BackendValues;
  disposeData(dataId: object, force?: boolean): boolean;
}

interface DeviceBackend {
  readSync(dataId: object): tf.BackendValues;
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
}

/** What the fallback says, once per kernel name. */
export type Warn = (message: string) => void;

/**
 * Registers tfjs-cpu's kernel under every name that `backendName` lacks: inputs are read back, computed on the host, and written again.
 * Slow and right, with one warning per kernel name. Kernels over strings and complex numbers are left out: nothing of ours meets them.
 *
 * @returns the names that were registered.
 */
export function registerHostKernels(backendName: string, warn: Warn): string[] {
  const leftOut = new Set(['Complex', 'ComplexAbs', 'Real', 'Imag', 'FFT', 'IFFT', 'Draw', 'StaticRegexReplace']);
  const missing = tf
    .getKernelsForBackend('cpu')
    .filter(({ kernelName }) => tf.getKernel(kernelName, backendName) === undefined && !leftOut.has(kernelName));
  for (const kernel of missing) {
    let warned = false;
    tf.registerKernel({
      kernelName: kernel.kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        if (!warned) {
          warned = true;
          warn(
            `${backendName} has no kernel ${kernel.kernelName}: it runs on tfjs' cpu kernels through readback, which is slow.`,
          );
        }
        return onHost(kernel, inputs, attrs ?? {}, backend as unknown as DeviceBackend);
      },
    });
  }
  return missing.map(({ kernelName }) => kernelName);
}

/** Computes one call by tfjs-cpu's `kernel`: inputs are read back from `device`, outputs are written to it. */
export function onHost(
  kernel: tf.KernelConfig,
  inputs: tf.NamedTensorInfoMap,
  attrs: object,
  device: DeviceBackend,
): tf.TensorInfo | tf.TensorInfo[] {
  const host = tf.findBackend('cpu') as unknown as HostBackend;
  host.firstUse = false; // It would print advice about tfjs-node to the console.
  const written: object[] = [];
  const toHost = (x: tf.TensorInfo): tf.TensorInfo => {
    const dataId = host.write(device.readSync(x.dataId), x.shape, x.dtype);
    written.push(dataId);
    return { dataId, shape: x.shape, dtype: x.dtype };
  };
  const toDevice = (x: tf.TensorInfo): tf.TensorInfo => {
    written.push(x.dataId);
    return { dataId: device.write(host.readSync(x.dataId), x.shape, x.dtype), shape: x.shape, dtype: x.dtype };
  };
  try {
    // Kernels of any number of inputs (Einsum) get an array; optional inputs may be missing.
    const hostInputs: Record<string, tf.TensorInfo> | tf.TensorInfo[] = Array.isArray(inputs)
      ? (inputs as tf.TensorInfo[]).map(toHost)
      : Object.fromEntries(
          Object.entries(inputs)
            .filter((entry): entry is [string, tf.TensorInfo] => entry[1] != null)
            .map(([name, x]) => [name, toHost(x)]),
        );
    const call = { inputs: hostInputs as tf.NamedTensorInfoMap, attrs: attrs as tf.NamedAttrMap, backend: host };
    const out = kernel.kernelFunc(call);
    return Array.isArray(out) ? out.map(toDevice) : toDevice(out);
  } finally {
    for (const dataId of written) host.disposeData(dataId, true);
  }
}
