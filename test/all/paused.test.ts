import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';

const unix = process.platform === 'win32' ? 'no SIGSTOP' : false;
const program = join(process.cwd(), 'bin/patchstream.mjs');
const photos = join(process.cwd(), 'fixtures/photos');
/** Far longer than the time-out of the stage, and than any step here takes. */
const stoodStillMs = 45_000;
const timeoutSeconds = 20;

function started(file: string): {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; text: string }>;
} {
  const child = spawn(process.execPath, [program, 'run', file], {
    env: { ...process.env, OMP_NUM_THREADS: '1', PATCHSTREAM_CACHE: 'off' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream!.on('data', (chunk: Buffer) => (text += chunk));
  const ended = new Promise<{ code: number | null; text: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, text })),
  );
  return { child, ended };
}

/** Waits until something has come to be, or the process has ended. */
async function until(is: () => boolean, child: ChildProcess): Promise<void> {
  while (!is() && child.exitCode === null && child.signalCode === null) await pause(20);
}

async function standStill(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP');
  await pause(stoodStillMs);
  child.kill('SIGCONT');
}

t.test(
  'E3: samples that wait for an answer while the process stands still do not time out',
  { skip: unix },
  async (t) => {
    const root = t.testdir({
      // Answers when the test says so.
      'slow.mjs': `import { existsSync, writeFileSync } from 'node:fs';
      import { defineStage } from 'patchstream';
      import { z } from 'zod';
      export const slow = defineStage({
        name: 'slow', summary: 'Waits.', options: z.strictObject({ folder: z.string() }), needs: [], output: (spec) => spec,
        run: ({ folder }) => async (sample) => {
          writeFileSync(folder + '/waits', '');
          while (!existsSync(folder + '/answer')) await new Promise((resolve) => setTimeout(resolve, 20));
          return sample;
        },
      });`,
      'job.yaml': `name: job
use: [./slow.mjs]
source: { image-folder: { path: ${JSON.stringify(photos)} } }
stages:
  - slow: { folder: ${JSON.stringify(t.testdirName)}, timeout: ${timeoutSeconds}, concurrency: 2 }
  - decode
  - resize: 16
sink: { images: {} }
output: ./out
`,
    });
    const { child, ended } = started(join(root, 'job.yaml'));
    t.teardown(() => child.kill('SIGKILL'));
    await until(() => existsSync(join(root, 'waits')), child);
    await standStill(child);
    writeFileSync(join(root, 'answer'), '');
    const { code, text } = await ended;
    t.equal(code, 0, text);
    t.notMatch(text, /STAGE_|TIMEOUT|failed:/);
  },
);

t.test('E3: no step and no speed of a training counts the time in which it stood still', { skip: unix }, async (t) => {
  const root = t.testdir({
    'nano.yaml': `name: nano
source: { image-folder: { path: ${JSON.stringify(photos)}, repeat: 8 } }
stages:
  - decode
  - random-resized-crop: { size: 64 }
  - mask: { ratio: 0.75, patch: 8 }
train: { model: { mae: { size: nano } }, batch: 16, microBatch: 8, steps: 400 }
output: ./out
`,
  });
  const { child, ended } = started(join(root, 'nano.yaml'));
  t.teardown(() => child.kill('SIGKILL'));
  const path = join(root, 'out/metrics.jsonl');
  const rows = () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []);
  await until(() => rows().length > 5, child);
  await standStill(child);
  const { code, text } = await ended;
  t.equal(code, 0, text);
  const measured = rows().map((row) => JSON.parse(row) as { imagesPerSecond: number; dataWaitMs: number });
  t.equal(measured.length, 400);
  const slowest = Math.max(...measured.map(({ imagesPerSecond }) => 16_000 / imagesPerSecond));
  t.ok(slowest < stoodStillMs, `${Math.round(slowest)} ms for the slowest step`);
  t.ok(Math.max(...measured.map(({ dataWaitMs }) => dataWaitMs)) < stoodStillMs);
});
