import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';

const path = fileURLToPath(new URL('../../native/environment/build/environment.node', import.meta.url));
const skip = existsSync(path) ? false : 'native/environment is not built';

interface EnvironmentAddon {
  add(name: string, value: string): boolean;
  remove(name: string, value: string): void;
}

const addon = skip ? undefined : (createRequire(import.meta.url)(path) as EnvironmentAddon);

/** libvips reads variables on its threads with each picture, while the main thread sets so many and takes them out that their array has to grow. */
const program = `
  import { createRequire } from 'node:module';
  import sharp from 'sharp';
  const { add, remove } = createRequire(import.meta.url)(${JSON.stringify(path)});
  sharp.cache(false);
  const pixels = Buffer.alloc(3 * 4 * 4);
  const names = Array.from({ length: 500 }, (_, i) => 'PATCHSTREAM_TEST_' + i);
  let open = 64;
  const render = async () => {
    for (let i = 0; i < 40; i++) await sharp(pixels, { raw: { width: 4, height: 4, channels: 3 } }).resize(2, 2).raw().toBuffer();
    open--;
  };
  for (let i = open; i > 0; i--) render();
  const load = () => {
    for (const name of names) add(name, 'a');
    for (const name of names) remove(name, 'a');
    if (open > 0) setImmediate(load);
  };
  load();
`;

t.test('a variable is set where it is not, and taken out where it still has that value', { skip }, (t) => {
  const before = { ...process.env };
  t.equal(addon!.add('PATCHSTREAM_TEST', 'a'), true);
  t.equal(process.env.PATCHSTREAM_TEST, 'a');
  t.equal(addon!.add('PATCHSTREAM_TEST', 'b'), false);
  t.equal(process.env.PATCHSTREAM_TEST, 'a');
  addon!.remove('PATCHSTREAM_TEST', 'b');
  t.equal(process.env.PATCHSTREAM_TEST, 'a');
  addon!.remove('PATCHSTREAM_TEST', 'a');
  t.same(process.env, before);
  addon!.remove('PATCHSTREAM_TEST', 'a');
  for (const name of ['', 'a=b']) t.throws(() => addon!.add(name, 'a'), { message: /name of a variable/ });
  t.throws(() => addon!.add('a\0b', 'a'), { message: /without 0/ });
  t.throws(() => addon!.add('a', 3 as never), { message: /text/ });
  t.end();
});

t.test('what the program sets itself meanwhile stays, and more variables than there was room for', { skip }, (t) => {
  const before = { ...process.env };
  const names = Array.from({ length: 300 }, (_, i) => `PATCHSTREAM_TEST_${i}`);
  for (const [i, name] of names.entries()) {
    t.ok(addon!.add(name, `${i}`));
    if (i % 50 === 0) process.env.PATCHSTREAM_OWN = `${i}`;
  }
  t.same(process.env, {
    ...before,
    PATCHSTREAM_OWN: '250',
    ...Object.fromEntries(names.map((name, i) => [name, `${i}`])),
  });
  for (const [i, name] of names.entries()) addon!.remove(name, `${i}`);
  t.same(process.env, { ...before, PATCHSTREAM_OWN: '250' });
  delete process.env.PATCHSTREAM_OWN;
  t.end();
});

t.test('the variables of the process are set by a worker too, whose `process.env` is a copy', { skip }, async (t) => {
  const worker = new Worker(
    `const { add } = require(${JSON.stringify(path)}); require('node:worker_threads').parentPort.postMessage(add('PATCHSTREAM_TEST', 'w'))`,
    { eval: true },
  );
  t.same(await once(worker, 'message'), [true]);
  await once(worker, 'exit');
  t.equal(process.env.PATCHSTREAM_TEST, 'w');
  addon!.remove('PATCHSTREAM_TEST', 'w');
  t.equal(process.env.PATCHSTREAM_TEST, undefined);
});

t.test('a thread that reads the environment does not die while others set variables', { skip }, async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.same(await once(child, 'exit'), [0, null]);
});
