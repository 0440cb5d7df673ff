import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mostMiB, pack } from '../../scripts/gpu-kit.mjs';
import { run } from '../../scripts/lib/runner.mjs';
import { withoutTorch } from '../kit/training/torch.ts';

const folder = t.testdir({});
const file = join(folder, 'gpu-kit.tar.xz');
const names = {
  a: ['parity', 'kernels', 'graphs', 'suites', 'resume', 'steps'],
  b: ['peers', 'sweep', 'coupled', 'loader'],
};

/** Runs a script of the archive, unpacked in a folder of its own, and answers its exit code, its rows and what it complained of. */
function rehearse(script: 'a' | 'b', args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const there = join(folder, `${script}-${args.length}-${Object.keys(env).join('-')}`);
  mkdirSync(there, { recursive: true });
  const unpacked = run('tar', ['-xJf', file, '-C', there]);
  if (unpacked.status !== 0) throw new Error(unpacked.stderr);
  const command = join(there, 'gpu-kit', `run-${script}.sh`);
  // The python of this machine may have no torch, or one that the addon was not built with: the system's libtorch is taken.
  const surroundings = { PATH: process.env.PATH, HOME: there, LIBTORCH: '', OUT: there, ...env };
  const { status, stderr } = spawnSync(command, args, { cwd: there, env: surroundings, encoding: 'utf8' });
  const rows = readFileSync(join(there, `${script}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .filter(Boolean);
  return { status, stderr, rows: rows.map((row) => JSON.parse(row) as Record<string, unknown>) };
}

t.test('the archive is small enough, and both scripts come to their last row on the cpu', async (t) => {
  const size = await pack(process.cwd(), file, () => {});
  t.ok(size > 20 && size <= mostMiB, `${size.toFixed(1)} MiB`);
  if (withoutTorch !== false) return t.comment(`no rehearsal: ${withoutTorch}`);
  for (const script of ['a', 'b'] as const) {
    // What a busy machine cuts for want of time is in the rows; what fails is not.
    const { status, rows, stderr } = rehearse(script, ['--device', 'cpu', '--tiny', '--shipped', '--seconds', '500']);
    t.match(String(status), /^[01]$/, `${script}: ${stderr}`);
    t.same(
      new Set(rows.map(({ section }) => section)),
      new Set(['machine', 'addon', 'device', ...names[script], 'end']),
    );
    t.same(
      rows.filter(({ ok, cut }) => ok === false && cut === undefined),
      [],
      `${script}: what does not hold`,
    );
  }
});

t.test('without torch, without the device: one line and the exit code', { skip: withoutTorch }, (t) => {
  const none = rehearse('a', ['--device', 'cpu', '--only', 'steps'], { LIBTORCH: '/no/torch' });
  t.match(none, { status: 3, stderr: /^patchstream kit: There is no libtorch: .*\n$/ });
  const noCard = rehearse('a', ['--device', 'cuda:0', '--shipped'], { CUDA_VISIBLE_DEVICES: '' });
  t.match(noCard, { status: 4, stderr: /^patchstream kit: torch \S+ cannot use cuda:0: .*\n$/ });
  t.end();
});
