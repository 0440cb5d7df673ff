import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { divisorsOf } from '../../balance/tune-micro-batch.ts';
import { counted } from '../../counts.ts';
import { fail } from '../../errors.ts';
import { type Machine, machine } from '../../machine.ts';
import { encoderSizes } from '../../models/layers/encoder.options.ts';
import { isAbsent, isTorchBuilt, torchAddon } from '../../native.ts';
import type { ResolvedTrain } from '../../pipeline/resolve/outputs.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { CellLayout } from '../../train/cells.ts';
import { leastBytesPerSample, leastStateBytes } from '../../train/microbatch.ts';
import { numbersPerParameter } from '../../train/optimizers/options.ts';
import { systemCode } from '../../whole-file.ts';

type Needs = Pick<Resolved, 'spec'> & Pick<CellLayout, 'cellBytes'>;

/**
 * Refuses a training that cannot fit the memory which this process may use, before anything of it is made: there, nobody but the kernel would say so. A low
 * estimate, so that what fits is never refused: weights, gradients and moments, one micro-batch, and the runtime. A micro-batch that is found by the run
 * itself counts with as few samples as it may have.
 *
 * @param computesHere whether tensors lie in this memory; asked only where they would not fit.
 * @throws TRAIN_MEMORY
 */
export function checkTrainingMemory(
  train: ResolvedTrain,
  needs: Needs,
  host: Machine = machine(),
  computesHere: (train: ResolvedTrain, host: Machine) => boolean = isOnHost,
): void {
  const least = (train.model.definition.pairs?.(train.model.options) ?? false) ? 2 : 1;
  const microBatch = train.microBatch === 'auto' ? least : train.microBatch;
  const need = neededFor(train, needs, host);
  if (need === undefined) return;
  const room = host.memory + (host.swap ?? 0);
  const needed = need.state + microBatch * need.sample;
  if (needed <= room || !computesHere(train, host)) return;
  const fitting = Math.floor((room - need.state) / need.sample);
  throw fail('TRAIN_MEMORY', {
    limit: gibibytes(room),
    where:
      host.whole === undefined ? 'this machine has' : host.bound === 'limit' ? '`ulimit` leaves' : 'this container has',
    needed: gibibytes(needed),
    state: gibibytes(need.state),
    sample: mebibytes(need.sample),
    samples: counted(microBatch, 'sample'),
    advice: adviceFor(train, needs, { host, room, fitting, least }),
  });
}

interface Need {
  /** Bytes whatever the micro-batch is. */
  readonly state: number;
  /** Bytes of one sample of a micro-batch. */
  readonly sample: number;
}

/** Nothing for a model that does not say. */
function neededFor(
  { model, backend, precision, optimizer, ema }: ResolvedTrain,
  { spec, cellBytes }: Needs,
  host: Machine,
): Need | undefined {
  const cost = model.definition.cost?.(model.options, spec);
  const work = model.definition.work?.(model.options, spec);
  if (cost === undefined) return undefined;
  // Measured of libtorch, which reserves most.
  const reserves = backend === 'torch' || (backend === 'auto' && isTorchBuilt());
  const kept = numbersPerParameter({ optimizer, ema });
  const state = leastStateBytes(cost.parameters, host.bound === 'limit' && reserves, kept);
  return { state, sample: work === undefined ? cellBytes : leastBytesPerSample({ ...work, cellBytes }, precision) };
}

interface Found {
  readonly host: Machine;
  readonly room: number;
  /** Samples of a micro-batch that fit; below 1 where the state alone is too large. */
  readonly fitting: number;
  readonly least: number;
}

/** What would fit: a smaller micro-batch, else a smaller size of the model, else more memory. */
function adviceFor(train: ResolvedTrain, needs: Needs, { host, room, fitting, least }: Found): string {
  if (fitting >= least) {
    const largest = divisorsOf(train.batch, fitting, least === 2).at(-1);
    if (largest !== undefined) return `Set \`microBatch: ${largest}\` or less, or \`auto\`.`;
  }
  const size = smallerSizes(train).find((size) => {
    const model = { ...train.model, options: { ...(train.model.options as object), size } };
    const need = neededFor({ ...train, model }, needs, host);
    return need !== undefined && need.state + least * need.sample <= room;
  });
  const more = 'give it more memory';
  return size === undefined
    ? `${more[0]!.toUpperCase()}${more.slice(1)}.`
    : `Set \`size: ${size}\` of the model, or ${more}.`;
}

/** Sizes of encoders below that of the model, the largest first. Empty for a model without. */
function smallerSizes({ model }: ResolvedTrain): string[] {
  const names = Object.keys(encoderSizes);
  const { size } = model.options as { size?: unknown };
  return names.slice(0, Math.max(0, names.indexOf(String(size)))).reverse();
}

/** Where a training asks for what this machine has; tests give their own. */
interface Looks {
  /** Whether the system has a device, without loading a library. */
  readonly seesDevice: () => boolean;
  readonly find: typeof torchAddon;
}

/** False for a device with memory of its own, and where that is known only when the training begins. */
export function isOnHost(
  { backend, device }: Pick<ResolvedTrain, 'backend' | 'device'>,
  { bound }: Pick<Machine, 'bound'>,
  { seesDevice, find }: Looks = { seesDevice: seesAnyDevice, find: torchAddon },
): boolean {
  if (device === 'cpu' || backend === 'wasm') return true;
  if (device !== 'auto' || backend === 'tensorflow') return false;
  // `auto` takes the user's own tfjs-node-gpu first, and wasm where there is nothing else.
  if (backend === 'auto' && hasTensorflowGpu()) return false;
  // Under a limit of the process, loading a library to ask it could end the process.
  if (bound === 'limit' && !seesDevice()) return true;
  const addon = find();
  return isAbsent(addon) || addon.info().cudaDevices === 0;
}

/** The files of drivers: NVIDIA's, AMD's, and that of Windows' own Linux. */
function seesAnyDevice(): boolean {
  return ['/dev/nvidiactl', '/dev/kfd', '/dev/dxg'].some((path) => existsSync(path));
}

/** Whether the user has tfjs-node-gpu, without loading it. */
function hasTensorflowGpu(): boolean {
  try {
    createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json');
    return true;
  } catch (error) {
    if (!['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'].includes(systemCode(error) ?? '')) throw error;
    return systemCode(error) !== 'MODULE_NOT_FOUND';
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}

function mebibytes(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 2 ** 20))} MiB`;
}
