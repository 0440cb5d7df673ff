import fs, { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readWhole } from '../../src/files/files.ts';

const maxBytes = 2 ** 24;

t.test('a file is read whole, whether it takes no piece, one or several', async (t) => {
  const folder = t.testdir();
  for (const size of [0, 1, 2 ** 22, 2 ** 23 + 3]) {
    const path = join(folder, String(size));
    const content = Buffer.alloc(size, 'seven letters or so');
    writeFileSync(path, content);
    const bytes = await readWhole(path, 'a', { maxBytes });
    t.ok(content.equals(bytes), `${size} bytes are the file's`);
    t.ok(bytes.byteOffset === 0 && bytes.buffer.byteLength <= size + 4096, 'in memory of its own');
  }
});

/** Puts another function in the place of one of node:fs until the test ends. */
function replace<K extends 'closeSync' | 'fstatSync' | 'read'>(t: Test, name: K, make: (real: never) => unknown) {
  const real = fs[name];
  const put = (value: unknown) => {
    (fs as Record<string, unknown>)[name] = value;
    syncBuiltinESMExports();
  };
  put(make(real as never));
  t.teardown(() => put(real));
}

t.test('a file of the size it says is one read', async (t) => {
  const path = join(t.testdir({ a: 'x'.repeat(5000) }), 'a');
  let reads = 0;
  replace(t, 'read', (real: (...args: unknown[]) => void) => (...args: unknown[]) => {
    reads++;
    real(...args);
  });
  // By its bytes, which Node alone reads.
  t.equal((await readWhole(Buffer.from(path), 'a', { maxBytes })).length, 5000);
  t.equal(reads, 1);
});

t.test('a file is read to its end, whatever its size was said to be', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'a');
  const size = 2 ** 22 + 3;
  const content = Buffer.alloc(size, 'seven letters or so');
  writeFileSync(path, content);
  let said = 0;
  replace(t, 'fstatSync', () => () => ({ size: said, isFile: () => true }));
  for (said of [0, 1, 4096, 2 ** 22 - 1, 2 ** 22, size - 1, size, size + 1, 2 * size]) {
    t.ok(content.equals(await readWhole(path, 'a', { maxBytes: 2 * size })), `${said} bytes`);
  }
  for (said of [0, 1, size - 1]) {
    t.ok(content.equals(await readWhole(path, 'a', { maxBytes: size })), 'as many as are allowed');
    await t.rejects(readWhole(path, 'a', { maxBytes: size - 1 }), { code: 'FILE_LARGE' }, `one more, of ${said}`);
  }
});

t.test(
  'files of /proc say that they are empty',
  { skip: process.platform !== 'linux' && 'there is no /proc' },
  async (t) => {
    const path = '/proc/self/cmdline';
    t.ok(readFileSync(path).equals(await readWhole(path, 'cmdline', { maxBytes })));
  },
);

t.test('an error of closing takes nothing from what was read, nor the place of another error', async (t) => {
  const path = join(t.testdir({ a: 'letters' }), 'a');
  replace(t, 'closeSync', (real: (file: number) => void) => (file: number) => {
    real(file);
    throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' });
  });
  t.equal(Buffer.from(await readWhole(path, 'a', { maxBytes })).toString(), 'letters');
  await t.rejects(readWhole(path, 'a', { maxBytes: 3 }), { code: 'FILE_LARGE' });
});

t.test('an abort is heard before the file is opened and while it is read', async (t) => {
  const path = join(t.testdir({ a: 'x' }), 'a');
  const reason = new Error('enough');
  await t.rejects(readWhole(path, 'a', { maxBytes, signal: AbortSignal.abort(reason) }), reason);
  const control = new AbortController();
  const reading = readWhole(path, 'a', { maxBytes, signal: control.signal });
  control.abort(reason);
  await t.rejects(reading, reason);
});

t.test(
  'a folder, a missing file and one that is too large are told by name; nothing stays open',
  {
    skip: process.platform !== 'linux' && 'what is open is looked up in /proc',
  },
  async (t) => {
    const folder = t.testdir({ a: '12345' });
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    await t.rejects(readWhole(folder, 'b/c', { maxBytes }), { code: 'FILE_UNREADABLE', message: /b\/c/ });
    await t.rejects(readWhole(join(folder, 'x'), 'x', { maxBytes }), { code: 'FILE_UNREADABLE' });
    await t.rejects(readWhole(join(folder, 'a'), 'a', { maxBytes: 4 }), { code: 'FILE_LARGE' });
    t.equal(open(), before);
  },
);
