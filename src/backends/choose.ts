import { fail, messageOf } from '../errors.ts';
import type { Warn } from './host-kernels.ts';
import * as tf from './tf.ts';
import { prepareWasm } from './wasm.ts';

/** What a user may ask for. */
export interface BackendWish {
  readonly backend?: 'auto' | 'tensorflow' | 'torch' | 'wasm';
  readonly device?: 'auto' | 'cpu' | 'cuda:0' | 'mps';
}

/** What was taken, and one sentence that says which and why. It is tfjs' current backend. */
export interface BackendChoice {
  readonly backend: 'tensorflow' | 'wasm';
  readonly device: 'cpu' | 'cuda:0';
  readonly why: string;
}

/** For tests: how optional packages are loaded, and where warnings go. */
export interface ChooseOptions {
  readonly load?: (name: string) => Promise<unknown>;
  readonly warn?: Warn;
}

const gpuPackage = '@tensorflow/tfjs-node-gpu';
const cpuPackage = '@tensorflow/tfjs-node';

/**
 * Chooses a backend and makes it tfjs' current one. `auto` takes the user's own tfjs-node-gpu when it is installed and sees a GPU, then
 * tfjs-node, then wasm, which every machine has. The first two are optional and their absence is never an error unless asked for by name.
 *
 * @throws BACKEND_MISSING for a backend asked for by name that is not there, DEVICE_MISSING for such a device.
 */
export async function chooseBackend(wish: BackendWish = {}, options: ChooseOptions = {}): Promise<BackendChoice> {
  const { backend = 'auto', device = 'auto' } = wish;
  const { load = (name) => import(name), warn } = options;
  if (backend === 'torch') {
    throw fail('BACKEND_MISSING', {
      backend,
      found: 'it comes in a later release',
      remedy: 'Say `backend: auto`, or install @tensorflow/tfjs-node-gpu for a GPU.',
    });
  }
  const reasons: string[] = [];
  if (backend !== 'wasm') {
    const taken = await takeTensorflow(device, load, reasons);
    if (taken !== undefined) return taken;
  }
  if (device === 'cuda:0' || device === 'mps') {
    const found = reasons.length === 0 ? 'the wasm backend, which has the cpu only' : reasons.join('; ');
    throw fail('DEVICE_MISSING', { device, found });
  }
  if (backend === 'tensorflow') {
    throw fail('BACKEND_MISSING', { backend, found: reasons.join('; '), remedy: `Run \`npm install ${cpuPackage}\`.` });
  }
  await prepareWasm(warn);
  const because = backend === 'wasm' ? 'as asked' : reasons.join('; ');
  return { backend: 'wasm', device: 'cpu', why: `wasm on the cpu: ${because}.` };
}

async function takeTensorflow(
  device: NonNullable<BackendWish['device']>,
  load: (name: string) => Promise<unknown>,
  reasons: string[],
): Promise<BackendChoice | undefined> {
  if (device === 'mps') {
    reasons.push('tensorflow has no mps');
    return undefined;
  }
  const wantsGpu = device !== 'cpu';
  const gpuLoaded = wantsGpu && (await tryLoad(gpuPackage, load, reasons));
  if (gpuLoaded && (await tf.setBackend('tensorflow'))) {
    // tfjs-node's backend says so of itself; tfjs' own type does not know it.
    if ((tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true) {
      return {
        backend: 'tensorflow',
        device: 'cuda:0',
        why: `tensorflow on cuda:0: ${gpuPackage} is installed and sees a GPU.`,
      };
    }
    reasons.push(`${gpuPackage} sees no GPU`);
  }
  if (device === 'cuda:0') return undefined;
  const loaded = gpuLoaded || (await tryLoad(cpuPackage, load, reasons));
  if (!loaded || !(await tf.setBackend('tensorflow'))) return undefined;
  const name = gpuLoaded ? gpuPackage : cpuPackage;
  const because = [`${name} is installed`, ...reasons].join('; ');
  return { backend: 'tensorflow', device: 'cpu', why: `tensorflow on the cpu: ${because}.` };
}

async function tryLoad(name: string, load: (name: string) => Promise<unknown>, reasons: string[]): Promise<boolean> {
  try {
    await load(name);
    return true;
  } catch (error) {
    // By its text: loaders between Node and us do not all keep the code of the error.
    const absent = error instanceof Error && error.message.startsWith(`Cannot find package '${name}'`);
    reasons.push(absent ? `${name} is not installed` : `${name} did not load (${messageOf(error)})`);
    return false;
  }
}
