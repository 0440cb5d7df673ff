import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readWhole } from '../../src/datasets/files.ts';

const maxBytes = 2 ** 24;

t.test('a file is read whole, whether it takes no piece, one or several', async (t) => {
  const folder = t.testdir();
  for (const size of [0, 1, 2 ** 22, 2 ** 23 + 3]) {
    const path = join(folder, String(size));
    const content = Buffer.alloc(size, 'seven letters or so');
    writeFileSync(path, content);
    const bytes = await readWhole(path, 'a', { maxBytes });
    t.ok(content.equals(bytes), `${size} bytes are the file's`);
    t.equal(bytes.buffer.byteLength, size, 'in memory of its own');
  }
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
