// Loads a library (its path is the argument) that has OpenMP start two threads, as another addon of a program may before us, then sets the threads of the backend torch, and prints as JSON
// how many threads it has started, how many of them got interrupts before and how many get them after; and how many libraries of OpenMP there are in the process: a libtorch of PyPI brings
// one of its own, which does not know these threads.
import { readdirSync, readFileSync } from 'node:fs';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../../src/backends/torch/torch.ts';

const threads = () => readdirSync('/proc/self/task');
const getsInterrupt = (id: string) => {
  const [, held] = /^SigBlk:\s*(\S+)$/m.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8'))!;
  return (BigInt(`0x${held}`) & (1n << 1n)) === 0n;
};

await prepareTorch('cpu');
const { addon } = tf.backend() as TorchBackend;
const without = new Set(threads());
try {
  process.dlopen({ exports: {} }, process.argv[2]!);
} catch (error) {
  // It is no addon: that it was loaded is all.
  if (!/did not self-register/.test(String(error))) throw error;
}
const started = threads().filter((id) => !without.has(id));
const before = started.filter(getsInterrupt);
addon.setThreads(3);
const after = started.filter(getsInterrupt);
const libraries = new Set(readFileSync('/proc/self/maps', 'utf8').match(/\/\S*lib[gi]?omp\S*\.so\S*/g));
process.stdout.write(
  JSON.stringify({ started: started.length, before: before.length, after: after.length, libraries: libraries.size }),
);
