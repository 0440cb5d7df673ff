import { fail, messageOf } from '../errors.ts';
import { type Absent, isAbsent, torchAddon } from '../native.ts';
import type { Warn } from './host/kernels.ts';
import { type Load, loadTensorflow, prepareTensorflow, tensorflowPackages, tensorflowUsesGpu } from './tensorflow.ts';
import { type Precision, takePrecision } from './torch/precision.ts';
import { prepareTorch, torchDevices } from './torch/prepare.ts';
import type { TorchDevice } from './torch/torch.ts';
import { prepareWasm } from './wasm/wasm.ts';

/** What a user may ask for. */
export interface BackendWish {
  readonly backend?: 'auto' | 'tensorflow' | 'torch' | 'wasm';
  readonly device?: 'auto' | TorchDevice;
  /** Default float32. */
  readonly precision?: Precision;
}

/** What was taken, and one sentence that says which and why. It is tfjs' current backend. */
export interface BackendChoice {
  readonly backend: 'tensorflow' | 'torch' | 'wasm';
  readonly device: TorchDevice;
  /** What products are computed in. */
  readonly precision: Precision;
  readonly why: string;
}

type Taken = Omit<BackendChoice, 'precision'>;

/** libtorch as it is found: what it sees, the fastest device first, or why it is not there. */
export type TorchFound = { readonly version: string; readonly devices: readonly TorchDevice[] } | Absent;

/** For tests: how optional parts are found and loaded, and where warnings go. */
export interface ChooseOptions {
  readonly load?: Load;
  readonly torch?: { find(): TorchFound; prepare(device: TorchDevice, warn?: Warn): Promise<void> };
  readonly warn?: Warn;
}

type Device = NonNullable<BackendWish['device']>;

// What is asked of each candidate: the device, how to load, and where to leave the reason for not being taken.
interface Search {
  readonly device: Device;
  /** A backend or a device of its own was asked for: what fails is told, not passed over. */
  readonly named: boolean;
  readonly load: Load | undefined;
  readonly torch: NonNullable<ChooseOptions['torch']>;
  readonly warn: Warn | undefined;
  readonly reasons: string[];
}

const { gpu: gpuPackage, cpu: cpuPackage } = tensorflowPackages;

const installedTorch: NonNullable<ChooseOptions['torch']> = {
  find() {
    const addon = torchAddon();
    return isAbsent(addon) ? addon : { version: addon.info().version, devices: torchDevices() };
  },
  prepare: prepareTorch,
};

/**
 * Chooses a backend and makes it tfjs' current one. `auto` takes the user's own tfjs-node-gpu when it is installed and sees a GPU, then torch on a
 * GPU, torch on the cpu, tfjs-node, then wasm, which every machine has. All but the last are optional and their absence is never an error unless
 * asked for by name. A precision that the backend has not, or that is slower there than float32, is told to `warn`, and computed in float32.
 *
 * @throws BACKEND_MISSING for a backend asked for by name that is not there, DEVICE_MISSING for such a device.
 */
export async function chooseBackend(wish: BackendWish = {}, options: ChooseOptions = {}): Promise<BackendChoice> {
  const taken = await takeBackend(wish, options);
  const asked = wish.precision ?? 'float32';
  const { precision, instead } = takePrecision(asked);
  const { warn = console.warn } = options;
  if (instead !== undefined) warn(`Products are computed in float32 and not in ${asked}: ${instead}.`);
  const why = precision === 'float32' ? taken.why : taken.why.replace(/\.$/, `; products in ${precision}.`);
  return { ...taken, precision, why };
}

async function takeBackend(wish: BackendWish, options: ChooseOptions): Promise<Taken> {
  const { backend = 'auto', device = 'auto' } = wish;
  const { load, torch = installedTorch, warn } = options;
  const named = backend === 'torch' || isNamed(device);
  const search: Search = { device, named, load, torch, warn, reasons: [] };
  const candidates = { auto: [onGpu, onTorch, onCpu], tensorflow: [onGpu, onCpu], torch: [onTorch], wasm: [] }[backend];
  for (const candidate of candidates) {
    const taken = await candidate(search);
    if (taken !== undefined) return taken;
  }
  const { reasons } = search;
  if (backend === 'torch') {
    const found = torch.find();
    if (isAbsentTorch(found)) throw fail('BACKEND_MISSING', { backend, found: found.found, remedy: found.remedy });
  }
  if (isNamed(device)) {
    const found = reasons.length === 0 ? 'the wasm backend, which has the cpu only' : reasons.join('; ');
    throw fail('DEVICE_MISSING', { device, found });
  }
  if (backend === 'tensorflow') {
    const remedy = 'Run `npx patchstream doctor`: it says how to install and build it.';
    throw fail('BACKEND_MISSING', { backend, found: reasons.join('; '), remedy });
  }
  await prepareWasm(warn);
  const because = backend === 'wasm' ? 'as asked' : reasons.join('; ');
  return { backend: 'wasm', device: 'cpu', why: `wasm on the cpu: ${because}.` };
}

/** Whether a device beside the cpu was asked for. */
const isNamed = (device: Device) => device !== 'auto' && device !== 'cpu';

/** tfjs-node-gpu, when it sees a GPU. */
async function onGpu({ device, load, warn, reasons }: Search): Promise<Taken | undefined> {
  if (device === 'cpu') return undefined;
  if (device === 'mps') {
    reasons.push('tensorflow has no mps');
    return undefined;
  }
  if (isNamed(device) && device !== 'cuda:0') {
    reasons.push('tensorflow takes cuda:0 alone');
    return undefined;
  }
  if (!(await tryLoad(gpuPackage, load, reasons)) || !(await prepareTensorflow(warn))) return undefined;
  if (!tensorflowUsesGpu()) {
    reasons.push(`${gpuPackage} sees no GPU`);
    return undefined;
  }
  return {
    backend: 'tensorflow',
    device: 'cuda:0',
    why: `tensorflow on cuda:0: ${gpuPackage} is installed and sees a GPU.`,
  };
}

/** torch on the device asked for, else on the fastest it sees. */
async function onTorch({ device, named, torch, warn, reasons }: Search): Promise<Taken | undefined> {
  const found = torch.find();
  if (isAbsentTorch(found)) {
    reasons.push(`torch is not there: ${found.found}`);
    return undefined;
  }
  const wanted = found.devices.filter((name) => device === 'auto' || name === device);
  if (wanted.length === 0) {
    const seen = found.devices.length > 1 ? `; it sees ${found.devices.join(', ')}` : '';
    reasons.push(`libtorch ${found.version} sees no ${device === 'auto' ? 'device' : device}${seen}`);
    return undefined;
  }
  for (const taken of wanted) {
    const where = taken === 'cpu' ? 'the cpu' : taken;
    try {
      await torch.prepare(taken, warn);
    } catch (error) {
      if (named) throw error;
      reasons.push(`torch did not start on ${where} (${messageOf(error)})`);
      continue;
    }
    const sees = taken === 'cpu' ? 'is installed' : 'is installed and sees a GPU';
    const because = [`libtorch ${found.version} ${sees}`, ...reasons].join('; ');
    return { backend: 'torch', device: taken, why: `torch on ${where}: ${because}.` };
  }
  return undefined;
}

/** tfjs-node, or tfjs-node-gpu without a GPU. */
async function onCpu({ device, load, warn, reasons }: Search): Promise<Taken | undefined> {
  if (isNamed(device)) return undefined;
  const gpuLoaded = reasons.includes(`${gpuPackage} sees no GPU`);
  const loaded = gpuLoaded || (await tryLoad(cpuPackage, load, reasons));
  if (!loaded || !(await prepareTensorflow(warn))) return undefined;
  const name = gpuLoaded ? gpuPackage : cpuPackage;
  const because = [`${name} is installed`, ...reasons].join('; ');
  return { backend: 'tensorflow', device: 'cpu', why: `tensorflow on the cpu: ${because}.` };
}

const isAbsentTorch = (found: TorchFound): found is Absent => 'remedy' in found;

async function tryLoad(name: string, load: Load | undefined, reasons: string[]): Promise<boolean> {
  try {
    await loadTensorflow(name, load);
    return true;
  } catch (error) {
    // By its text: loaders between Node and us do not all keep the code of the error.
    const absent = error instanceof Error && error.message.startsWith(`Cannot find package '${name}'`);
    // The package's own text has a dozen lines about another way to build it.
    const unbuilt =
      error instanceof Error && /native addon module \(tfjs_binding\.node\) can ?not be found/.test(error.message);
    const broken = unbuilt ? `the binding of ${name} is not built` : `${name} did not load (${messageOf(error)})`;
    reasons.push(absent ? `${name} is not installed` : broken);
    return false;
  }
}
