import { type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { withoutTorch } from '../kit/training/torch.ts';

const base = '/sys/fs/cgroup';
const program = join(process.cwd(), 'bin/patchstream.mjs');
const photos = join(process.cwd(), 'fixtures/photos');

/** Of each controller: where groups of it are made, and the files that limit one. */
const versions = [
  {
    folders: [join(base, 'memory'), join(base, 'cpu')],
    limits: (memory: number, share: number) => [
      ['memory', 'memory.limit_in_bytes', `${memory}`],
      ['cpu', 'cpu.cfs_period_us', '100000'],
      ['cpu', 'cpu.cfs_quota_us', `${100_000 * share}`],
    ],
  },
  {
    folders: [base],
    limits: (memory: number, share: number) => [
      ['', 'memory.max', `${memory}`],
      ['', 'cpu.max', `${100_000 * share} 100000`],
    ],
  },
] as const;

const version = versions.find(({ folders }) => folders.every(isOurs));

function isOurs(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    // Not there, or not ours to write to.
    return false;
  }
  if (folder !== base) return true;
  const controllers = join(base, 'cgroup.subtree_control');
  return existsSync(controllers) && /\bcpu\b.*\bmemory\b/.test(readFileSync(controllers, 'utf8'));
}

function reasonToSkip(): string | false {
  if (process.platform !== 'linux') return 'control groups are of Linux';
  if (process.getuid?.() !== 0) return 'groups are made by root';
  if (version === undefined) return `no control groups that can be written to in ${base}`;
  return withoutTorch;
}

/** A group of so many bytes and that share of a core. Answers how a program is started in it. */
function group(t: Test, memory: number, share: number): (args: readonly string[]) => Run {
  const { folders, limits } = version!;
  const name = `patchstream-test-${process.pid}`;
  const groups = folders.map((folder) => join(folder, name));
  for (const folder of groups) mkdirSync(folder);
  for (const [controller, file, value] of limits(memory, share))
    writeFileSync(join(base, controller, name, file), value);
  t.teardown(async () => {
    // A group is busy for a moment after its last process has ended.
    for (const folder of groups) {
      for (let tries = 0; tries < 200; tries++) {
        try {
          rmdirSync(folder);
          break;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
          await pause(50);
        }
      }
    }
  });
  const enter = groups.map((folder) => `echo $$ > ${folder}/cgroup.procs`).join(' && ');
  return (args) => {
    const child = spawn('sh', ['-c', `${enter} && exec "$@"`, 'sh', process.execPath, program, ...args], {
      env: { ...process.env, OMP_NUM_THREADS: undefined, PATCHSTREAM_CACHE: 'off' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk));
    const ended = new Promise<Ended>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, text })));
    return { child, ended };
  };
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly text: string;
}

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

const file = (size: string, microBatch: number | string, batch = 2) => `name: mae
seed: 7
source: { image-folder: { path: ${JSON.stringify(photos)}, repeat: 8 } }
stages:
  - decode
  - random-resized-crop: { size: 224 }
  - mask: { ratio: 0.75, patch: 16 }
train:
  model: { mae: { size: ${size} } }
  batch: ${batch}
  microBatch: ${microBatch}
  steps: 3
  checkpoint: { everySteps: 1 }
output: ./out
`;

const GiB = 2 ** 30;

t.test(
  'C1, C2, C3: in 1.3 GiB and half a core MAE small trains, saves, is killed and goes on',
  { skip: reasonToSkip() },
  async (t) => {
    const root = t.testdir({
      'small.yaml': file('small', 2),
      'base.yaml': file('base', 2),
      'large-passes.yaml': file('small', 64, 64),
    });
    const start = group(t, Math.floor(1.3 * GiB), 0.5);
    const refused = await start(['run', join(root, 'base.yaml')]).ended;
    t.equal(refused.code, 2, refused.text);
    t.match(refused.text, /TRAIN_MEMORY: .* this container has 1\.30 GiB; this one takes .* Set `size: small`/);
    const tooMany = await start(['run', join(root, 'large-passes.yaml')]).ended;
    t.match(tooMany.text, /TRAIN_MEMORY: .* Set `microBatch: \d+` or less/);
    t.match((await start(['doctor']).ended).text, /1 core, .* of 1\.3 GiB free, in a container/);

    const first = start(['run', join(root, 'small.yaml')]);
    const checkpoints = join(root, 'out/checkpoints');
    const saved = () => existsSync(checkpoints) && readdirSync(checkpoints).some((name) => /^step-\d+$/.test(name));
    while (!saved() && first.child.exitCode === null && first.child.signalCode === null) await pause(20);
    first.child.kill('SIGKILL');
    const killed = await first.ended;
    t.equal(killed.signal, 'SIGKILL', killed.text);
    t.ok(saved(), 'not by the kernel before it has saved');
    const second = await start(['run', join(root, 'small.yaml')]).ended;
    t.equal(second.code, 0, second.text);
    t.match(second.text, /Resuming after step \d/);
    t.equal(readFileSync(join(root, 'out/metrics.jsonl'), 'utf8').trim().split('\n').length, 3);
  },
);

t.test('C1: a pass that a group has no memory for is computed in parts', { skip: reasonToSkip() }, async (t) => {
  const root = t.testdir({ 'small.yaml': file('small', 8, 8).replace('steps: 3', 'steps: 1') });
  const start = group(t, Math.floor(1.45 * GiB), 2);
  const { code, signal, text } = await start(['run', join(root, 'small.yaml')]).ended;
  t.same({ code, signal }, { code: 0, signal: null }, text);
  t.match(text, /There is no memory for a pass of 8 samples: it is computed in parts/);
});
