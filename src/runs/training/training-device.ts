import { isAbsent, torchAddon } from '../../native.ts';
import type { ResolvedTrain } from '../../pipeline/resolve/outputs.ts';

/** A device with memory of its own, and how many bytes of it tensors may take. */
export interface DeviceRoom {
  readonly free: number;
}

/**
 * The GPU that a training will compute on, as far as that is known before it begins: nothing for a cpu, for a device that shares the host's memory, and
 * for a backend that does not say. Asked without tfjs.
 */
export function trainingDevice(
  { backend, device, microBatch }: Pick<ResolvedTrain, 'backend' | 'device' | 'microBatch'>,
  find: typeof torchAddon = torchAddon,
): DeviceRoom | undefined {
  // Loading libtorch is for those who need to know.
  if (microBatch !== 'auto' || device === 'cpu' || device === 'mps') return undefined;
  if (backend === 'wasm' || backend === 'tensorflow') return undefined;
  const addon = find();
  if (isAbsent(addon) || addon.info().cudaDevices === 0) return undefined;
  const name = device === 'auto' || device === 'cuda' ? 'cuda:0' : device;
  // One that is not there is refused when the training begins.
  if (Number(name.slice('cuda:'.length)) >= addon.info().cudaDevices) return undefined;
  const { free } = addon.deviceMemory(name);
  return free > 0 ? { free } : undefined;
}
