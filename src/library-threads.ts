import { computeThreads } from './machine.ts';

/** What is set now, and for how many who load. */
const set = new Map<string, string>();
let loading = 0;

/**
 * Says how the threads of libraries behave, to the environment of the process: they read it once, when they are loaded, and only the main thread can change it. So
 * it is called before a worker loads one, too. What the user has set, stays; what is set here goes when the library is loaded, for the process may be another
 * program's.
 *
 * Threads of libtorch's OpenMP sleep soon when they wait for one another: by default they spin for milliseconds, and where other work has a core (the loader of
 * the same run), a training took eight times as long. OpenBLAS starts none, since OpenMP's threads call it: each of its own takes 128 MiB of address space, and
 * tries for ever where a limit of memory refuses them. TensorFlow starts as many as this process may run at a time: it counts the cores of the affinity,
 * whatever share of them a container has.
 *
 * @returns to be called once, when the library is loaded.
 */
export function prepareThreads(): () => void {
  const { env } = process;
  const threads = String(computeThreads());
  const wishes = {
    ...(env.OMP_WAIT_POLICY === undefined && { GOMP_SPINCOUNT: '1000' }),
    OPENBLAS_NUM_THREADS: '1',
    TF_NUM_INTRAOP_THREADS: threads,
    TF_NUM_INTEROP_THREADS: threads,
  };
  loading++;
  for (const [name, value] of Object.entries(wishes)) {
    if (env[name] !== undefined) continue;
    env[name] = value;
    set.set(name, value);
  }
  return () => {
    if (--loading > 0) return;
    for (const [name, value] of set) if (env[name] === value) delete env[name];
    set.clear();
  };
}
