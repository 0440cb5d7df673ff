import { createRequire } from 'node:module';
import { prepareThreads } from '../library-threads.ts';
import { registerHostKernels, type Warn } from './host/kernels.ts';
import type { Recorder } from './replay/recorder.ts';
import type { TensorflowBackend } from './tensorflow/calls.ts';
import { TensorflowRecorder } from './tensorflow/graph/recorder.ts';
import { registerTensorflowKernels } from './tensorflow/kernels.ts';
import * as tf from './tf.ts';

/** The packages of tfjs over TensorFlow's C library. Optional, and the user's own: they are never installed for them. */
export const tensorflowPackages = { gpu: '@tensorflow/tfjs-node-gpu', cpu: '@tensorflow/tfjs-node' } as const;

/** How a package is loaded; a test gives its own. */
export type Load = (name: string) => Promise<unknown>;

/** Loads one of the packages, which registers the backend `tensorflow`. Throws what loading throws. */
export async function loadTensorflow(name: string, load: Load = (name) => import(name)): Promise<void> {
  bringBackIsNullOrUndefined();
  const loaded = prepareThreads();
  try {
    await load(name);
  } finally {
    loaded();
  }
}

/** Makes `tensorflow` tfjs' current backend; kernels that it lacks run on the host, each with one warning. False when it does not start. */
export async function prepareTensorflow(warn: Warn = console.warn): Promise<boolean> {
  if (!(await tf.setBackend('tensorflow'))) return false;
  registerHostKernels('tensorflow', warn);
  // Another backend of that name has no operations to call.
  if ('binding' in tf.backend() && tf.getKernel('PatchstreamLinear', 'tensorflow') === undefined)
    registerTensorflowKernels(warn, tensorflowUsesGpu());
  return true;
}

/**
 * What records on a backend of tfjs-node. On a GPU nothing does: the binding hands over what a graph reads and makes by way of the host.
 *
 * @param parameters tensors that are read, and whose values change.
 */
export function tensorflowRecorder(backend: tf.KernelBackend, parameters: readonly tf.Tensor[]): Recorder | undefined {
  if (tf.getBackend() !== 'tensorflow' || !('binding' in backend) || tensorflowUsesGpu()) return undefined;
  return new TensorflowRecorder(backend as unknown as TensorflowBackend, parameters);
}

/** Whether the current backend computes on a GPU. tfjs-node's backend says so of itself; tfjs' own type does not know it. */
export function tensorflowUsesGpu(): boolean {
  return (tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true;
}

/**
 * tfjs-node 4.22, the newest there is, calls `util.isNullOrUndefined` for every kernel, which Node 23 has removed (tensorflow/tfjs#8609). It reads
 * it from Node's own module when it is called, so it must be there, and only there can it be put; nothing that Node has is changed.
 */
function bringBackIsNullOrUndefined(): void {
  const util = createRequire(import.meta.url)('node:util') as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
}
