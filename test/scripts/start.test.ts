import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

const root = process.cwd();

/** A tree with the start script as it is and a command line that tells what it was given. */
function tree(t: Test, pipeline: string, bin: string) {
  const folder = t.testdir({
    'package.json': JSON.stringify({
      type: 'module',
      scripts: { start: JSON.parse(readFileSync('package.json', 'utf8')).scripts.start },
    }),
    bin: { 'patchstream.mjs': bin },
  });
  cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true });
  mkdirSync(join(folder, 'pipelines'));
  writeFileSync(join(folder, 'pipelines', 'lomar-quickstart.yaml'), pipeline);
  return folder;
}

/** Starts a command and answers with its output and how it ended; `when` sends a signal once that text is there. */
function start(cwd: string, command: string, args: string[], when?: { text: string; signal: NodeJS.Signals }) {
  const child = spawn(command, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: process.platform === 'win32',
  });
  return new Promise<{ output: string; code: number | null }>((resolve) => {
    let output = '';
    let sent = false;
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (when === undefined || sent || !output.includes(when.text)) return;
      sent = true;
      child.kill(when.signal);
    });
    // A signal that is lost must be a failed test, not a run that never ends.
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout.destroy();
    }, 30_000);
    child.on('close', (code) => {
      clearTimeout(late);
      resolve({ output, code });
    });
  });
}

const echo = 'console.log(JSON.stringify(process.argv.slice(2)));';
const given = (output: string) => JSON.parse(output.split('\n').find((line) => line.startsWith('[')) ?? 'null');

t.test('runs the quickstart with the arguments of the user', async (t) => {
  const { output, code } = await start(tree(t, 'name: x\n', echo), process.execPath, ['scripts/start.mjs', '--fresh']);
  t.equal(code, 0);
  t.same(given(output), ['run', 'pipelines/lomar-quickstart.yaml', '--fresh']);
});

t.test('training is shortened where only wasm trains, and the user has the last word', async (t) => {
  const folder = tree(t, 'name: x\ntrain:\n  steps: 900\n', echo);
  const { output } = await start(folder, process.execPath, ['scripts/start.mjs', '--set', 'train.steps=9']);
  t.same(given(output).slice(2), [
    '--set',
    'train.steps=200',
    '--set',
    'output=runs/lomar-quickstart-200-steps',
    '--set',
    'train.steps=9',
  ]);
  mkdirSync(join(folder, 'native', 'torch', 'build'), { recursive: true });
  writeFileSync(join(folder, 'native', 'torch', 'build', 'torch.node'), '');
  t.same(given((await start(folder, process.execPath, ['scripts/start.mjs'])).output).slice(2), []);
});

t.test(
  'a signal to npm reaches the run, and its exit code comes back',
  { skip: process.platform === 'win32' },
  async (t) => {
    const bin = `
    process.on('SIGINT', () => { console.log('finishing'); process.exit(130); });
    console.log('running');
    setTimeout(() => {}, 40_000);
  `;
    const when = { text: 'running', signal: 'SIGINT' as const };
    const { output, code } = await start(tree(t, 'name: x\n', bin), 'npm', ['start'], when);
    t.match(output, 'finishing');
    t.equal(code, 130);
  },
);
