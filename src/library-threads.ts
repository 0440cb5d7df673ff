import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { computeThreads } from './machine.ts';
import { systemCode } from './whole-file.ts';

/** The functions of `native/environment/addon.cc`: variables of the process, of whichever thread, while other threads read them. */
interface EnvironmentAddon {
  /** Answers whether it was not set, and now is. */
  add(name: string, value: string): boolean;
  /** Where it still has that value. */
  remove(name: string, value: string): void;
}

const environment = environmentAddon();
/** What is set now, and for how many who load. */
const set = new Map<string, string>();
let loading = 0;

/**
 * Says how the threads of libraries behave, to the environment of the process: they read it once, when they are loaded. It is called before a worker loads one, too. What the user
 * has set, stays; what is set here goes when the library is loaded, for the process may be another program's.
 *
 * Threads of libtorch's OpenMP sleep soon when they wait for one another: by default they spin for milliseconds, and where other work has a core (the loader of
 * the same run), a training took eight times as long. OpenBLAS starts none, since OpenMP's threads call it: each of its own takes 128 MiB of address space, and
 * tries for ever where a limit of memory refuses them. TensorFlow starts as many as this process may run at a time: it counts the cores of the affinity,
 * whatever share of them a container has.
 *
 * Never by `process.env`: that may free what threads of other libraries are reading (native/environment/addon.cc). Where the addon is not built, which libtorch's is built with,
 * nothing is set.
 *
 * @returns to be called once, when the library is loaded.
 */
export function prepareThreads(): () => void {
  const threads = String(computeThreads());
  const wishes = {
    ...(process.env.OMP_WAIT_POLICY === undefined && { GOMP_SPINCOUNT: '1000' }),
    OPENBLAS_NUM_THREADS: '1',
    TF_NUM_INTRAOP_THREADS: threads,
    TF_NUM_INTEROP_THREADS: threads,
  };
  loading++;
  for (const [name, value] of Object.entries(wishes)) if (environment?.add(name, value) === true) set.set(name, value);
  return () => {
    if (--loading > 0) return;
    for (const [name, value] of set) environment?.remove(name, value);
    set.clear();
  };
}

function environmentAddon(): EnvironmentAddon | undefined {
  try {
    const path = fileURLToPath(new URL('../native/environment/build/environment.node', import.meta.url));
    return createRequire(import.meta.url)(path) as EnvironmentAddon;
  } catch (cause) {
    if (!['MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED'].includes(systemCode(cause) ?? '')) throw cause;
    return undefined;
  }
}
