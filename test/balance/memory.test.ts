import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BalanceMemory } from '../../src/balance/memory.ts';

const found = { microBatch: 32, threads: 4, busyMs: 12.5 };

function memory(environment: Record<string, string>, home = '/nowhere') {
  const lines: string[] = [];
  return { lines, memory: new BalanceMemory((text) => void lines.push(text), environment, home) };
}

t.test('what was found is found again, for the very same thing alone', (t) => {
  const PATCHSTREAM_CACHE = join(t.testdir(), 'cache');
  const { memory: first, lines } = memory({ PATCHSTREAM_CACHE });
  t.equal(first.get({ model: 'a' }), undefined);
  first.put({ model: 'a' }, found);
  const { memory: second } = memory({ PATCHSTREAM_CACHE });
  t.match(second.get({ model: 'a' }), found);
  t.equal(second.get({ model: 'b' }), undefined);
  second.put({ model: 'b' }, { ...found, threads: 1 });
  t.match(second.get({ model: 'a' }), found, 'both are kept');
  t.same(lines, []);
  t.end();
});

t.test("it lies in the user's cache folder, and nowhere when it is off", (t) => {
  const root = t.testdir();
  memory({ XDG_CACHE_HOME: join(root, 'xdg') }).memory.put('a', found);
  t.ok(existsSync(join(root, 'xdg', 'patchstream', 'balance.json')));
  memory({}, root).memory.put('a', found);
  t.ok(existsSync(join(root, '.cache', 'patchstream', 'balance.json')));
  const off = memory({ PATCHSTREAM_CACHE: 'off' }, join(root, 'off'));
  off.memory.put('a', found);
  t.equal(off.memory.get('a'), undefined);
  t.notOk(existsSync(join(root, 'off')));
  t.end();
});

t.test('a file that is broken, foreign or of another version is passed over with one line, and written anew', (t) => {
  const root = t.testdir();
  const good = { microBatch: 1, threads: 1, busyMs: 1, at: 'x' };
  for (const [name, text] of Object.entries({
    empty: '',
    cut: '{"format":1,"fo',
    binary: '\u0000\u0001',
    array: '[]',
    version: '{"format":2,"found":{}}',
    lies: JSON.stringify({ format: 1, found: { a: { ...good, microBatch: 1e12 } } }),
    text: JSON.stringify({ format: 1, found: { a: { ...good, threads: '4' } } }),
    large: JSON.stringify({ format: 1, found: {}, filler: 'x'.repeat(2 << 20) }),
  })) {
    const PATCHSTREAM_CACHE = join(root, name);
    mkdirSync(PATCHSTREAM_CACHE);
    writeFileSync(join(PATCHSTREAM_CACHE, 'balance.json'), text);
    const { memory: broken, lines } = memory({ PATCHSTREAM_CACHE });
    t.equal(broken.get('a'), undefined, name);
    t.match(lines, [/balance\.json is passed over/], name);
    broken.put('a', found);
    t.match(memory({ PATCHSTREAM_CACHE }).memory.get('a'), found, name);
  }
  t.end();
});

t.test('where nothing can be written a run goes on, and says so', (t) => {
  const root = t.testdir({ file: 'not a folder' });
  const { memory: blocked, lines } = memory({ PATCHSTREAM_CACHE: join(root, 'file') });
  blocked.put('a', found);
  t.match(lines.at(-1), /What was tuned is not remembered/);
  chmodSync(join(root, 'file'), 0o600);
  t.end();
});

t.test(
  'nor does it wait without end where a file system has no place for a folder',
  { skip: process.platform === 'linux' ? false : 'there is no /proc' },
  (t) => {
    const { memory: nowhere, lines } = memory({ PATCHSTREAM_CACHE: '/proc/none/a' });
    nowhere.put('a', found);
    t.match(lines, [/What was tuned is not remembered: nothing of this name/]);
    t.end();
  },
);

t.test('the oldest entries go', (t) => {
  const PATCHSTREAM_CACHE = join(t.testdir(), 'cache');
  const { memory: full } = memory({ PATCHSTREAM_CACHE });
  const old = Array.from({ length: 64 }, (_, i) => [
    `old-${i}`,
    { ...found, at: `2020-01-01T00:00:${String(i).padStart(2, '0')}Z` },
  ]);
  mkdirSync(PATCHSTREAM_CACHE);
  const path = join(PATCHSTREAM_CACHE, 'balance.json');
  writeFileSync(path, JSON.stringify({ format: 1, found: Object.fromEntries(old) }));
  full.put('new', found);
  const { found: kept } = JSON.parse(readFileSync(path, 'utf8')) as { found: Record<string, unknown> };
  t.equal(Object.keys(kept).length, 64);
  t.notOk('old-0' in kept);
  t.match(full.get('new'), found);
  t.end();
});
