import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { prepareThreads } from '../../src/library-threads.ts';

const path = fileURLToPath(new URL('../../native/environment/build/environment.node', import.meta.url));
const skip = existsSync(path) ? false : 'native/environment is not built';

interface EnvironmentAddon {
  add(name: string, value: string): boolean;
  remove(name: string): void;
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
    for (const name of names) remove(name);
    if (open > 0) setImmediate(load);
  };
  load();
`;

t.test('a variable is set where it is not, and taken out where it still has that value', { skip }, (t) => {
  const before = { ...process.env };
  t.equal(addon!.add('PATCHSTREAM_TEST', 'a'), true);
  t.equal(process.env.PATCHSTREAM_TEST, 'a');
  t.equal(addon!.add('PATCHSTREAM_TEST', 'b'), true, 'held once more');
  t.equal(process.env.PATCHSTREAM_TEST, 'a');
  addon!.remove('PATCHSTREAM_TEST');
  t.equal(process.env.PATCHSTREAM_TEST, 'a');
  addon!.remove('PATCHSTREAM_TEST');
  t.same(process.env, before);
  addon!.remove('PATCHSTREAM_TEST');
  process.env.PATCHSTREAM_TEST = 'own';
  t.equal(addon!.add('PATCHSTREAM_TEST', 'a'), false);
  addon!.remove('PATCHSTREAM_TEST');
  t.equal(process.env.PATCHSTREAM_TEST, 'own', 'what others have set stays');
  delete process.env.PATCHSTREAM_TEST;
  for (const name of ['', 'a=b']) t.throws(() => addon!.add(name, 'a'), { message: /name of a variable/ });
  t.throws(() => addon!.add('a\0b', 'a'), { message: /without 0/ });
  t.throws(() => addon!.add('a', 3 as never), { message: /text/ });
  t.end();
});

// Elsewhere the two cannot be told apart.
const shared = process.platform === 'linux' ? skip : skip || 'needs Linux';

t.test('what the program sets meanwhile stays, also where it is the value that is held', { skip: shared }, (t) => {
  t.equal(addon!.add('PATCHSTREAM_TEST', 'a'), true);
  process.env.PATCHSTREAM_TEST = 'a';
  t.equal(addon!.add('PATCHSTREAM_TEST', 'a'), false, 'it is the program’s now');
  addon!.remove('PATCHSTREAM_TEST');
  t.equal(process.env.PATCHSTREAM_TEST, 'a');
  addon!.remove('PATCHSTREAM_TEST');
  t.equal(process.env.PATCHSTREAM_TEST, 'a', 'removed more often than added');
  delete process.env.PATCHSTREAM_TEST;
  t.equal(addon!.add('PATCHSTREAM_TEST', 'a'), true);
  addon!.remove('PATCHSTREAM_TEST');
  t.equal(process.env.PATCHSTREAM_TEST, undefined);
  t.end();
});

t.test('where a variable cannot be set, those set before it for the same library are taken out', { skip }, (t) => {
  const before = { ...process.env };
  const { add } = addon!;
  const added: string[] = [];
  t.teardown(() => Object.assign(addon!, { add }));
  addon!.add = (name, value) => {
    if (added.length === 2) throw new Error('no memory');
    added.push(name);
    return add(name, value);
  };
  t.throws(prepareThreads, { message: 'no memory' });
  t.equal(added.length, 2);
  t.same(process.env, before);
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
  for (const name of names) addon!.remove(name);
  t.same(process.env, { ...before, PATCHSTREAM_OWN: '250' });
  delete process.env.PATCHSTREAM_OWN;
  t.end();
});

/** A worker that does what it is told and answers. */
function workerThat(): { ask(call: string): Promise<unknown>; end(): Promise<unknown> } {
  const text = `
    const { parentPort } = require('node:worker_threads');
    const addon = require(${JSON.stringify(path)});
    parentPort.on('message', ([call, ...given]) => parentPort.postMessage(addon[call](...given)));
  `;
  const worker = new Worker(text, { eval: true });
  return {
    async ask(call) {
      worker.postMessage([call, 'PATCHSTREAM_TEST', 'w']);
      return (await once(worker, 'message'))[0];
    },
    end: () => worker.terminate(),
  };
}

t.test('the variables of the process are set by a worker too, whose `process.env` is a copy', { skip }, async (t) => {
  const worker = workerThat();
  t.equal(await worker.ask('add'), true);
  t.equal(process.env.PATCHSTREAM_TEST, 'w');
  addon!.remove('PATCHSTREAM_TEST');
  t.equal(process.env.PATCHSTREAM_TEST, 'w', 'another thread holds it');
  await worker.ask('remove');
  t.equal(process.env.PATCHSTREAM_TEST, undefined);
  await worker.end();
});

t.test(
  'a variable that threads want at a time is there until the last gives it back, or has ended',
  { skip },
  async (t) => {
    const [first, second] = [workerThat(), workerThat()];
    t.equal(await first.ask('add'), true);
    t.equal(await second.ask('add'), true);
    t.equal(addon!.add('PATCHSTREAM_TEST', 'other'), true);
    await first.ask('remove');
    t.equal(process.env.PATCHSTREAM_TEST, 'w', 'two still load');
    addon!.remove('PATCHSTREAM_TEST');
    t.equal(process.env.PATCHSTREAM_TEST, 'w', 'one still loads');
    t.equal(await first.ask('add'), true);
    await second.end();
    t.equal(process.env.PATCHSTREAM_TEST, 'w');
    await first.end();
    t.equal(process.env.PATCHSTREAM_TEST, undefined, 'it was ended while it loaded');
  },
);

t.test('a thread that reads the environment does not die while others set variables', { skip }, async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.same(await once(child, 'exit'), [0, null]);
});
