import { counted } from '../../counts.ts';
import { fail } from '../../errors.ts';
import { computeThreads } from '../../machine.ts';
import { isAbsent, type TorchAddon, torchAddon } from '../../native.ts';
import { registerHostKernels, type Warn } from '../host/kernels.ts';
import * as tf from '../tf.ts';
import { registerTorchKernels } from './kernels/index.ts';
import { TorchBackend, type TorchDevice } from './torch.ts';

let kernelsRegistered = false;

/**
 * Makes the backend `torch` tfjs' current one, on `device`. Works on the main thread and in workers, each with its own tensors. Going to another
 * device ends the tensors of the one before.
 *
 * @param warn hears once of each kernel that runs on the host. Only the first call's counts.
 * @throws BACKEND_MISSING when the addon is not built or does not start, DEVICE_MISSING when its libtorch has no such device.
 */
export async function prepareTorch(device: TorchDevice = bestDevice(), warn: Warn = console.warn): Promise<void> {
  const addon = presentAddon();
  if (!devicesOf(addon).includes(device)) {
    const found = `libtorch ${addon.info().version}, which sees ${devicesOf(addon).join(', ')}`;
    throw fail('DEVICE_MISSING', { device, found });
  }
  const present = tf.findBackend('torch');
  if (present instanceof TorchBackend && present.device !== device) tf.removeBackend('torch');
  registerTorch(device, warn);
  // tfjs warns of what a backend throws as it starts, and says false.
  if (await tf.setBackend('torch')) return;
  // Or the next device would find the factory of this one.
  tf.removeBackend('torch');
  const remedy = 'Say `device: cpu`, or take another backend.';
  throw fail('BACKEND_MISSING', { backend: 'torch', found: `it did not start on ${device}`, remedy });
}

/** Makes the backend known to tfjs, without choosing it. */
export function registerTorch(device: TorchDevice, warn: Warn = console.warn): void {
  if (tf.findBackendFactory('torch') == null) {
    tf.registerBackend('torch', () => new TorchBackend(presentAddon(), device), 4);
  }
  if (kernelsRegistered) return;
  kernelsRegistered = true;
  registerTorchKernels();
  registerHostKernels('torch', warn);
}

/** The devices that this libtorch sees, the fastest first; none when there is no libtorch. */
export function torchDevices(): TorchDevice[] {
  const addon = torchAddon();
  return isAbsent(addon) ? [] : devicesOf(addon);
}

/** The fastest device there is. */
export function bestDevice(): TorchDevice {
  return torchDevices()[0] ?? 'cpu';
}

function devicesOf(addon: TorchAddon): TorchDevice[] {
  const { cudaDevices, mps } = addon.info();
  const gpus = Array.from({ length: cudaDevices }, (_, index) => `cuda:${index}` as const);
  return [...gpus, ...(mps ? (['mps'] as const) : []), 'cpu'];
}

/** Says that the system gives fewer threads than are asked for, where torch computes and it does. */
export function fewThreads(wanted: number = computeThreads()): string | undefined {
  const backend = tf.backend();
  if (!(backend instanceof TorchBackend)) return undefined;
  const { threads } = backend.addon.info();
  if (threads >= wanted) return undefined;
  return `The system gives fewer than ${counted(wanted, 'thread')} (\`ulimit -u\`, \`pids.max\`): torch computes with ${threads}, and leaves as many to others.`;
}

/** The addon, or the error that says why there is none. */
export function presentAddon(): TorchAddon {
  const addon = torchAddon();
  if (isAbsent(addon)) throw fail('BACKEND_MISSING', { backend: 'torch', ...addon });
  return addon;
}
