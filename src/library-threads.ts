import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { computeThreads } from './machine.ts';
import { systemCode } from './whole-file.ts';

/** The functions of `native/environment/addon.cc`: variables of the process, of whichever thread, while other threads read them. */
interface EnvironmentAddon {
  /** Answers whether it was not set, and now is, or is already for another who loads, on this thread or another. */
  add(name: string, value: string): boolean;
  /** For each `add` that said so. With the last of them it is gone, unless the program has set it since; what a worker has added goes with the worker. */
  remove(name: string): void;
}

const environment = environmentAddon();

/**
 * Says how the threads of libraries behave, to the environment of the process: they read it once, when they are loaded. It is called before a worker loads one, too. What the user
 * has set, stays; what is set here goes when the last who loads one has loaded it, on whichever thread, for the process may be another program's.
 *
 * Threads of libtorch's OpenMP sleep soon when they wait for one another: by default they spin for milliseconds, and where other work has a core (the loader of
 * the same run), a training took eight times as long. OpenBLAS starts none, since OpenMP's threads call it: each of its own takes 128 MiB of address space, and
 * tries for ever where a limit of memory refuses them. TensorFlow starts as many as this process may run at a time: it counts the cores of the affinity,
 * whatever share of them a container has. It says four lines of each graph that it loads, unless its log is for warnings alone.
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
    TF_CPP_MIN_LOG_LEVEL: '1',
  };
  const held: string[] = [];
  const release = () => {
    for (const name of held.splice(0)) environment?.remove(name);
  };
  try {
    for (const [name, value] of Object.entries(wishes)) if (environment?.add(name, value) === true) held.push(name);
  } catch (error) {
    release();
    throw error;
  }
  return release;
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
