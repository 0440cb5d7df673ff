import { onHost } from '../../host/kernels.ts';
import * as tf from '../../tf.ts';
import type { TorchBackend } from '../torch.ts';
import { convolutions } from './convolutions.ts';
import { elementwise } from './elementwise.ts';
import { fusedKernels } from './fused.ts';
import { indexing } from './indexing.ts';
import type { KernelTable } from './kernel.ts';
import { products } from './products.ts';
import { reductions } from './reductions.ts';
import { resizes } from './resizes.ts';
import { shapes } from './shapes.ts';

/** All kernels of tfjs that are computed by libtorch. */
const torchKernels: KernelTable = {
  ...elementwise,
  ...reductions,
  ...products,
  ...shapes,
  ...indexing,
  ...convolutions,
  ...resizes,
  ...fusedKernels,
};

/** Makes our kernels known to tfjs as those of the backend `torch`. Calls over strings go to tfjs' cpu kernels. */
export function registerTorchKernels(): void {
  for (const [kernelName, run] of Object.entries(torchKernels)) {
    tf.registerKernel({
      kernelName,
      backendName: 'torch',
      kernelFunc: ({ inputs, attrs, backend }) => {
        const torch = backend as TorchBackend;
        return anyTexts(inputs)
          ? onHost(tf.getKernel(kernelName, 'cpu'), inputs, attrs ?? {}, torch)
          : run(torch, inputs, attrs ?? {});
      },
    });
  }
}

function anyTexts(inputs: tf.NamedTensorInfoMap): boolean {
  for (const name in inputs) if (inputs[name]?.dtype === 'string') return true;
  return false;
}
