import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { fail } from '../../errors.ts';
import { registerHostKernels, type Warn } from '../host/kernels.ts';
import * as tf from '../tf.ts';
import { registerWasmKernels, type WasmBackend } from './kernels.ts';
import { registerSoundTypes } from './types.ts';

let prepared: Promise<void> | undefined;

/**
 * Makes tfjs' wasm backend the current one and mends it, once per thread: binaries from the installed package, faster products and slices,
 * tfjs-cpu's kernels for those that it lacks and for types that it computes wrongly. Works on the main thread and in workers.
 *
 * @param warn hears once of each kernel that runs on the host. Only the first call's counts.
 * @throws BACKEND_WASM when the backend does not start.
 */
export function prepareWasm(warn: Warn = console.warn): Promise<void> {
  prepared ??= start(warn);
  return prepared.then(async () => {
    await tf.setBackend('wasm');
  });
}

async function start(warn: Warn): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set(process.listeners(event as 'uncaughtException')));
  try {
    const require = createRequire(import.meta.url);
    // By `require`, as tf.ts does.
    const { setWasmPaths }: typeof import('@tensorflow/tfjs-backend-wasm') = require('@tensorflow/tfjs-backend-wasm');
    setWasmPaths(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm')) + sep);
    if (!(await tf.setBackend('wasm'))) throw fail('BACKEND_WASM', { found: 'it refused to start' });
  } catch (cause) {
    throw fail('BACKEND_WASM', { found: cause instanceof Error ? cause.message : String(cause) }, { cause });
  } finally {
    // The wasm module's loader hangs two rethrowing listeners on the process, which is its user's, not ours.
    for (const [i, event] of events.entries()) {
      for (const listener of process.listeners(event as 'uncaughtException')) {
        if (!before[i]!.has(listener)) process.removeListener(event, listener);
      }
    }
  }
  refuseWhenFull(tf.backend() as unknown as WasmBackend);
  registerSoundTypes();
  registerHostKernels('wasm', warn);
  registerWasmKernels();
}

/** tfjs does not look at what `malloc` answers: without this, a full heap is written from its first byte on. */
function refuseWhenFull({ wasm }: WasmBackend): void {
  // The loader's functions replace themselves on the object when first called.
  wasm._free(wasm._malloc(8));
  const malloc = wasm._malloc;
  wasm._malloc = (bytes) => {
    const offset = malloc(bytes);
    if (offset !== 0 || bytes === 0) return offset;
    const mebibytes = (count: number) => Math.ceil(count / 2 ** 20);
    const memory = `its heap, which has ${mebibytes(wasm.HEAPU8.length)} MiB and can grow to 4096 at most`;
    throw fail('BACKEND_MEMORY', { backend: 'wasm', needed: `${mebibytes(bytes)} MiB more`, memory });
  };
}
