import { Worker, type WorkerOptions } from 'node:worker_threads';
import { fail, messageOf } from './errors.ts';
import { systemCode } from './whole-file.ts';

/** Starts a thread of JavaScript. @param what it is for. @throws THREADS_NONE where the system gives none. */
export function startWorker(what: string, entry: URL, options: WorkerOptions): Worker {
  try {
    return new Worker(entry, options);
  } catch (cause) {
    if (systemCode(cause) !== 'ERR_WORKER_INIT_FAILED') throw cause;
    throw fail('THREADS_NONE', { what, reason: messageOf(cause) }, { cause, ends: true });
  }
}
