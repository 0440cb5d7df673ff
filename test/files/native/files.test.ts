import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BufferPool } from '../../../src/files/buffer-pool.ts';
import { readWhole } from '../../../src/files/files.ts';
import { isShort, nativeFiles } from '../../../src/files/native/files.ts';
import { Trials, trials } from '../../../src/files/native/trials.ts';
import { isAbsent } from '../../../src/native.ts';
import { nativePool } from '../../../src/native-pool.ts';

const maxBytes = 2 ** 26;
const skip = nativeFiles() === undefined && 'native/image is not built';

const content = (size: number, seed = size) => Buffer.alloc(size, `letters of file ${seed}, `);

t.test('files are read into memory that is lent, many at a time, of all sizes', { skip }, async (t) => {
  const folder = t.testdir();
  const sizes = [1, 65_535, 65_536, 65_537, 5, 2 ** 20, 2 ** 22 - 1, 2 ** 22, 2 ** 22 + 1, 7, ...Array(100).fill(3000)];
  const paths = sizes.map((size, i) => {
    const path = join(folder, `${i} ü`);
    writeFileSync(path, content(size, i));
    return path;
  });
  for (let pass = 0; pass < 3; pass++) {
    const memory = new BufferPool();
    const files = await Promise.all(paths.map((path) => readWhole(path, 'a', { maxBytes, memory })));
    for (const [i, bytes] of files.entries()) {
      if (!content(sizes[i]!, i).equals(bytes)) t.fail(`${sizes[i]} bytes`);
    }
    const last = files.at(-1)!;
    memory.giveBack(last);
    const again = await readWhole(paths[0]!, 'a', { maxBytes, memory });
    // Rooms have grown to the usual size in the first pass.
    if (pass > 0) t.equal(again.buffer, last.buffer, 'what comes back is used again');
  }
});

t.test('what cannot be read fails as it does without lent memory', { skip }, async (t) => {
  const folder = t.testdir({ a: 'some letters', empty: '', d: {} });
  symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
  mkdirSync(join(folder, 'x'.repeat(200)));
  const long = join(folder, ...Array(30).fill('x'.repeat(200)));
  const memory = new BufferPool();
  const failing = [
    ['none', { maxBytes }],
    ['d', { maxBytes }],
    ['link', { maxBytes }],
    ['a', { maxBytes: 11 }],
    ['a', { maxBytes, signal: AbortSignal.abort(new Error('stop')) }],
    ['a\0', { maxBytes }],
    ['\ud800', { maxBytes }],
    [long.slice(folder.length + 1), { maxBytes }],
  ] as const;
  for (const [name, options] of failing) {
    const path = `${folder}/${name}`;
    const messages = [undefined, memory].map(async (memory) => {
      const error = await readWhole(path, 'a', { ...options, memory }).then(
        () => undefined,
        (error: Error) => error,
      );
      return error?.message;
    });
    const [alone, lent] = await Promise.all(messages);
    t.type(alone, 'string');
    t.equal(lent, alone);
  }
  t.equal((await readWhole(join(folder, 'empty'), 'a', { maxBytes, memory })).length, 0);
  if (process.platform === 'linux') {
    t.ok(readFileSync('/proc/self/cmdline').equals(await readWhole('/proc/self/cmdline', 'a', { maxBytes, memory })));
  }
});

t.test('a run that ends while a file is read hears of it', { skip }, async (t) => {
  const path = join(t.testdir({ a: 'some letters' }), 'a');
  const control = new AbortController();
  const reason = new Error('stop');
  const memory = new BufferPool();
  // Others may have failed before, after which not each is tried natively.
  for (let i = 0; i < 40; i++) await readWhole(path, 'a', { maxBytes, memory });
  const reading = readWhole(path, 'a', { maxBytes, memory, signal: control.signal });
  control.abort(reason);
  await t.rejects(reading, reason);
});

t.test('after files that must be read another way, others are read natively again', { skip }, async (t) => {
  const folder = t.testdir({ a: 'some letters' });
  const memory = new BufferPool();
  for (let i = 0; i < 20; i++) await t.rejects(readWhole(join(folder, 'none'), 'a', { maxBytes, memory }));
  let natively = 0;
  const otherwise = () => Promise.reject(new Error('not read natively'));
  // It is tried again after some files that had nothing to wait for; the system may drop one from its memory meanwhile.
  for (let i = 0; i < 10_000 && natively < 5; i++) {
    const bytes = await nativeFiles()!
      .read(join(folder, 'a'), { maxBytes }, memory, otherwise)
      ?.catch(() => undefined);
    if (bytes === undefined) {
      memory.giveBack(await readWhole(join(folder, 'a'), 'a', { maxBytes, memory }));
      continue;
    }
    t.equal(String(Buffer.from(bytes)), 'some letters');
    memory.giveBack(bytes);
    natively++;
  }
  t.equal(natively, 5);
});

t.test('a file system of memory alone, which does not know reading without waiting, is read natively', async (t) => {
  const memory = '/dev/shm';
  if (nativeFiles() === undefined || !existsSync(memory)) return t.pass('not on this machine');
  const folder = mkdtempSync(join(memory, 'patchstream-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const size of [1, 3000, 70_000]) {
    const path = join(folder, String(size));
    writeFileSync(path, content(size));
    const lent = new BufferPool();
    const otherwise = () => Promise.reject(new Error('not read natively'));
    // Another test of this process may have left it untried.
    while (!trials.files.isDue()) trials.files.heard(true);
    const reading = nativeFiles()!.read(path, { maxBytes }, lent, otherwise)!;
    t.ok(content(size).equals(await reading), `${size} bytes`);
  }
});

t.test('a read that would wait ends trying, until others have had nothing to wait for eight times in a row', (t) => {
  const trials = new Trials();
  t.ok(trials.isDue());
  trials.failed();
  const heard = [...Array(7).fill(true), false, ...Array(7).fill(true)];
  for (const atOnce of heard) {
    trials.heard(atOnce);
    t.notOk(trials.isDue());
  }
  trials.heard(true);
  t.ok(trials.isDue());
  trials.heard(false);
  t.ok(trials.isDue(), 'what others wait for says nothing of those that are read at once');
  t.end();
});

t.test('issue 16: only want of memory and of threads is left to the other way of reading', (t) => {
  const thrown = (code: string) => Object.assign(new Error('of the addon'), { code });
  t.ok(isShort(thrown('OUT_OF_MEMORY')));
  t.ok(isShort(thrown('NO_THREAD')));
  t.notOk(isShort(thrown('RENDER')), 'a mistake of ours');
  const pool = nativePool();
  if (!isAbsent(pool)) {
    try {
      pool.addon.readFiles(Int32Array.of(0), ['a', 'b'], []);
      t.fail('lists of other lengths');
    } catch (error) {
      t.notOk(isShort(error), String(error));
    }
  }
  t.end();
});
