/**
 * `import 'patchstream/backend-torch'` makes the backend `torch` known to tfjs; `await tf.setBackend('torch')` then chooses it, on the fastest
 * device that libtorch sees. Where the addon is not built, `setBackend` fails with BACKEND_MISSING, which names the command that mends it.
 */
import { isAbsent, torchAddon } from '../../native.ts';
import * as tf from '../tf.ts';
import { bestDevice, presentAddon, registerTorch } from './prepare.ts';

if (isAbsent(torchAddon())) {
  // tfjs tells of a factory that throws by `false` alone, but lets the error of a kernel's set-up through.
  tf.registerBackend('torch', () => new tf.KernelBackend(), 0);
  tf.registerKernel({
    kernelName: 'Identity',
    backendName: 'torch',
    kernelFunc: presentAddon as never,
    setupFunc: () => void presentAddon(),
  });
} else {
  registerTorch(bestDevice());
}
