import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { withoutTorch } from '../../kit/training/torch.ts';

/** Runs a user's program on the entry `backend-torch` of a clone, in a process of its own, and gives what it printed. */
function run(root: string): string {
  const program = `
    const tf = require('@tensorflow/tfjs');
    (async () => {
      await import(${JSON.stringify(join(root, 'src/backends/torch/register.ts'))});
      try {
        console.log(await tf.setBackend('torch'), tf.getBackend(), ...tf.ones([2, 2]).matMul(tf.ones([2, 1])).dataSync());
      } catch (error) {
        console.log(error.message);
        await tf.setBackend('cpu');
        console.log(tf.getBackend(), ...tf.ones([2]).dataSync());
      }
    })();`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', resolve('scripts/lib/typescript.mjs'), '-e', program],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  return `${stdout}${stderr}`.trim();
}

t.test('the entry makes torch known, and setBackend takes it', { skip: withoutTorch }, (t) => {
  t.equal(run(process.cwd()), 'true torch 2 2');
  t.end();
});

t.test('without the addon setBackend fails with the command that mends it, and other backends serve', (t) => {
  const root = t.testdir({});
  cpSync('src', join(root, 'src'), { recursive: true });
  symlinkSync(join(process.cwd(), 'node_modules'), join(root, 'node_modules'));
  const lines = run(root).split('\n');
  t.match(lines[0], /^BACKEND_MISSING: backend torch .* its addon is not built\. Run `npx patchstream doctor --build`/);
  t.equal(lines[1], 'cpu 1 1');
  t.end();
});
