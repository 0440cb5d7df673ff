import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../../src/backends/torch/torch.ts';
import { wavy, withoutTorch } from '../../kit/training/torch.ts';

const skip = { skip: withoutTorch };

/** A process that multiplies on two threads while it gets signals, and how it ended. */
async function signalled(means: 'profiler' | 'process', signals: number) {
  const program = new URL('../../kit/training/signalled.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [...process.execArgv, program, means, String(signals)], {
    env: { ...process.env, OMP_NUM_THREADS: '2' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  const ended = once(child, 'close');
  while (means === 'process' && child.exitCode === null && child.signalCode === null && !out.includes('done')) {
    if (out.includes('ready')) child.kill('SIGUSR2');
    await setImmediate();
  }
  child.stdin.end();
  const [code, signal] = await ended;
  return { code, signal, err };
}

t.test(
  'a profiler, which sends signals to the thread that computes, spoils neither memory nor numbers',
  skip,
  async (t) => {
    t.same(await signalled('profiler', 100), { code: 0, signal: null, err: '' });
  },
);

t.test('nor do signals that the process gets, whichever thread takes them', skip, async (t) => {
  t.same(await signalled('process', 100), { code: 0, signal: null, err: '' });
});

/** Of each thread of this process, whether SIGINT waits outside of it. */
function threadsThatHold(): ReadonlyMap<string, boolean> {
  const interrupt = 1n << 1n;
  return new Map(
    readdirSync('/proc/self/task').map((id) => {
      const [, held] = /^SigBlk:\s*(\S+)$/m.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8'))!;
      return [id, (BigInt(`0x${held}`) & interrupt) !== 0n];
    }),
  );
}

t.test(
  'threads that compute get no signals, JavaScript’s gets them again after each call',
  { skip: withoutTorch || process.platform !== 'linux' },
  async (t) => {
    const before = threadsThatHold();
    await prepareTorch('cpu');
    const { addon } = tf.backend() as TorchBackend;
    addon.setThreads(3);
    tf.tidy(() => tf.matMul(wavy([2048, 256]), wavy([256, 64], 1)).dataSync());
    const after = [...threadsThatHold()].filter(([id]) => !before.has(id));
    t.ok(after.length >= 2, `${after.length} new threads`);
    t.ok(after.every(([, holds]) => holds));
    t.equal(threadsThatHold().get(String(process.pid)), false);
    addon.setThreads(1);
  },
);

/** A library that has OpenMP start two more threads of the one that loads it. */
const starting = `#include <omp.h>
__attribute__((constructor)) static void start() {
  omp_set_num_threads(3);
#pragma omp parallel
  {
    volatile int own = omp_get_thread_num();
    (void)own;
  }
}
`;
const compiler = process.env.CXX ?? 'g++';
const withoutCompiler = spawnSync(compiler, ['--version']).status === 0 ? false : `there is no ${compiler}`;

t.test(
  'nor do threads of the same OpenMP that another library has started before',
  { skip: withoutTorch || process.platform !== 'linux' || withoutCompiler },
  (t) => {
    const folder = t.testdir({ 'starting.cc': starting });
    const library = join(folder, 'starting.so');
    const flags = ['-x', 'c++', '-shared', '-fPIC', '-fopenmp', join(folder, 'starting.cc'), '-o', library];
    t.equal(spawnSync(compiler, flags, { encoding: 'utf8' }).stderr, '');
    const program = new URL('../../kit/training/started-threads.ts', import.meta.url).pathname;
    const { stdout, stderr, status } = spawnSync(process.execPath, [...process.execArgv, program, library], {
      encoding: 'utf8',
      env: { ...process.env, OMP_NUM_THREADS: '1' },
    });
    t.equal(status, 0, stderr);
    const { libraries, ...threads } = JSON.parse(stdout);
    if (libraries === 1) t.same(threads, { started: 2, before: 2, after: 0 });
    else t.pass(`${libraries} libraries of OpenMP`);
    t.end();
  },
);
