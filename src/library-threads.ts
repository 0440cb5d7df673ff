import { computeThreads } from './machine.ts';

/**
 * Says how the threads of libraries behave, to the environment of the process: they read it once, when they are loaded, and only the main thread can change it. So
 * it is called before a worker loads one, too. What the user has set, stays.
 *
 * Threads of libtorch's OpenMP sleep soon when they wait for one another: by default they spin for milliseconds, and where other work has a core (the loader of
 * the same run), a training took eight times as long. OpenBLAS starts none, since OpenMP's threads call it: each of its own takes 128 MiB of address space, and
 * tries for ever where a limit of memory refuses them. TensorFlow starts as many as this process may run at a time: it counts the cores of the affinity,
 * whatever share of them a container has.
 */
export function prepareThreads(): void {
  const { env } = process;
  if (env.OMP_WAIT_POLICY === undefined) env.GOMP_SPINCOUNT ??= '1000';
  env.OPENBLAS_NUM_THREADS ??= '1';
  const threads = String(computeThreads());
  env.TF_NUM_INTRAOP_THREADS ??= threads;
  env.TF_NUM_INTEROP_THREADS ??= threads;
}
