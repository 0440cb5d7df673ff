import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { mock } from 'node:test';
import t from 'tap';
import { RunLock } from '../../src/files/run-lock.ts';

type Row = Record<string, string | number>;

/** A lock as this process writes it, changed by `more`. */
async function written(path: string, more: Row = {}): Promise<Row> {
  rmSync(path, { force: true });
  const lock = await RunLock.take(path, 'here');
  const row = { ...(JSON.parse(readFileSync(path, 'utf8')) as Row), ...more };
  await lock.release();
  writeFileSync(path, JSON.stringify(row));
  return row;
}

const old = (path: string, seconds: number) =>
  utimesSync(path, new Date(Date.now() - seconds * 1000), new Date(Date.now() - seconds * 1000));

t.test('one has it at a time, and gives it back', async (t) => {
  const path = join(t.testdir({}), 'a.lock');
  const lock = await RunLock.take(path, 'here');
  await t.rejects(RunLock.take(path, 'here'), {
    code: 'RUN_BUSY',
    message: new RegExp(`here: .*process ${process.pid} of .*remove .*a\\.lock`),
  });
  await lock.release();
  t.same(readdirSync(t.testdirName), []);
  await (await RunLock.take(path, 'here')).release();
});

t.test('many that find a dead lock at once: one takes it', async (t) => {
  const path = join(t.testdir({ 'a.lock': '2147483646' }), 'a.lock');
  const taken = await Promise.allSettled(Array.from({ length: 8 }, () => RunLock.take(path, 'here')));
  const locks = taken.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  t.equal(locks.length, 1);
  await locks[0]!.release();
  t.same(readdirSync(t.testdirName), []);
});

t.test('a lock that a killed run left behind is taken over, one of a run that lives is not', async (t) => {
  const path = join(t.testdir({}), 'a.lock');
  const { started, boot } = await written(path);
  const onLinux = started !== undefined && boot !== undefined;
  const busy = (what: string) => t.rejects(RunLock.take(path, 'here'), { code: 'RUN_BUSY' }, what);
  const free = async (what: string) => {
    const lock = await RunLock.take(path, 'here').catch((error: Error) => error.message);
    t.ok(lock instanceof RunLock, `${what}: ${lock}`);
    if (lock instanceof RunLock) await lock.release();
  };
  await free('the number of this process, from before a restart of the container');
  await written(path, { pid: 2147483646 });
  await free('a process that is gone');
  const row = await written(path, { pid: 2147483646 });
  const { namespace, ...earlier } = row;
  if (onLinux) t.match(namespace, /^pid:\[\d+\]$/);
  writeFileSync(path, JSON.stringify(earlier));
  await free('the same, by an earlier version');
  await written(path, { pid: process.ppid, started: '1' });
  if (onLinux) await free('the number of another process that began later');
  const parent = onLinux ? readFileSync(`/proc/${process.ppid}/stat`, 'utf8').replace(/^.*\)/s, '').split(' ')[20] : '';
  await written(path, { pid: process.ppid, started: parent! });
  if (onLinux) await busy('a process that lives');
  for (const more of [{ host: 'elsewhere' }, { boot: 'another' }, { namespace: 'pid:[1]' }] as Row[]) {
    await written(path, more);
    await busy('another machine, a moment ago');
    old(path, 50);
    await busy('another machine, within the minute');
    old(path, 61);
    await free('another machine, long ago');
    await written(path, { ...more, pid: process.ppid });
    old(path, 61);
    await free('another machine, where the number is one that lives here');
  }
});

t.test('locks of earlier versions, and broken ones', async (t) => {
  const path = join(t.testdir({}), 'a.lock');
  writeFileSync(path, String(process.ppid));
  await t.rejects(RunLock.take(path, 'here'), { code: 'RUN_BUSY' });
  for (const text of [String(process.pid), '2147483646', '0', '-1', '1.5']) {
    writeFileSync(path, text);
    await (await RunLock.take(path, 'here')).release();
    t.notOk(existsSync(path), text);
  }
  for (const text of ['null', '{', '[]', '"x"', 'notes', '{"pid":"1"}']) {
    writeFileSync(path, text);
    await t.rejects(RunLock.take(path, 'here'), { code: 'RUN_LOCK', message: /something else/ }, text);
    t.equal(readFileSync(path, 'utf8'), text, 'what is none of ours stays');
  }
});

t.test('S2: a lock that was cut, or never came to the disk, is taken over', async (t) => {
  const path = join(t.testdir({}), 'a.lock');
  for (const text of ['', '\0\0\0\0', '\n', '{"pid":12,"ho']) {
    writeFileSync(path, text);
    await (await RunLock.take(path, 'here')).release();
    t.same(readdirSync(t.testdirName), [], JSON.stringify(text));
  }
});

t.test('S2: what is no file, and one that is too large, is told and stays', async (t) => {
  const root = t.testdir({ folder: {}, link: t.fixture('symlink', 'nowhere'), lock: '2147483646' });
  symlinkSync('lock', join(root, 'to-a-lock'));
  writeFileSync(join(root, 'huge'), '');
  truncateSync(join(root, 'huge'), 2 ** 40);
  const kinds: Record<string, RegExp> = {
    folder: /a folder/,
    link: /a symbolic link/,
    'to-a-lock': /a symbolic link/,
    huge: /a file of 1,099,511,627,776 bytes/,
  };
  if (spawnSync('mkfifo', [join(root, 'pipe')]).status === 0) kinds.pipe = /a named pipe/;
  const before = readdirSync(root);
  for (const [name, message] of Object.entries(kinds)) {
    await t.rejects(RunLock.take(join(root, name), 'here'), { code: 'RUN_LOCK', message }, name);
  }
  t.same(readdirSync(root), before);
});

t.test('S2: a lock of another machine with a time in the future is dead', async (t) => {
  const path = join(t.testdir({}), 'a.lock');
  await written(path, { host: 'elsewhere' });
  old(path, -7200);
  await (await RunLock.take(path, 'here')).release();
  await written(path, { host: 'elsewhere' });
  old(path, -30);
  await t.rejects(RunLock.take(path, 'here'), { code: 'RUN_BUSY' }, 'clocks that differ by less');
});

t.test('S2: who was killed while a dead lock was taken over leaves nothing, and keeps nobody out', async (t) => {
  const root = t.testdir({});
  const path = join(root, 'a.lock');
  const dead = JSON.stringify(await written(path, { pid: 2147483646 }));
  const { ino, dev, mtimeNs } = statSync(path, { bigint: true });
  const claim = createHash('sha256').update(`${dev}:${ino}:${mtimeNs}:${dead}`).digest('hex').slice(0, 16);
  const token = '00000000-0000-4000-8000-000000000000';
  // Of the own lock under its first name, of the lock of the dead lock, and of an earlier version that had put the dead one aside.
  const left = [`a.lock.${token}`, `a.lock.${claim}`, `a.lock.${claim}.${token}`, `a.lock.${token.replace('4', '5')}`];
  for (const name of left) writeFileSync(join(root, name), dead);
  writeFileSync(join(root, 'a.lock.0123456789abcdef'), 'somebody else');
  writeFileSync(join(root, 'a.lock.txt'), 'mine');
  const lock = await RunLock.take(path, 'here');
  t.same(readdirSync(root).sort(), ['a.lock', 'a.lock.0123456789abcdef', 'a.lock.txt']);
  await lock.release();
  // Somebody who lives is just taking it over.
  writeFileSync(path, dead);
  const again = statSync(path, { bigint: true });
  const text = `${again.dev}:${again.ino}:${again.mtimeNs}:${dead}`;
  const other = `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  const living = await RunLock.take(other, 'here');
  await t.rejects(RunLock.take(path, 'here'), { code: 'RUN_BUSY' });
  await living.release();
  await (await RunLock.take(path, 'here')).release();
});

t.test('a holder touches its lock, and leaves that of another alone', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const path = join(t.testdir({}), 'a.lock');
  let lost = 0;
  const lock = await RunLock.take(path, 'here', { onLost: () => lost++ });
  old(path, 1000);
  mock.timers.tick(15_000);
  t.ok(Date.now() - statSync(path).mtimeMs < 60_000, 'touched');
  t.equal(lost, 0);
  writeFileSync(path, 'theirs');
  mock.timers.tick(15_000);
  t.equal(lost, 1, 'told');
  await lock.release();
  t.equal(readFileSync(path, 'utf8'), 'theirs');
  old(path, 1000);
  mock.timers.tick(60_000);
  t.ok(Date.now() - statSync(path).mtimeMs > 60_000, 'no longer');
});

t.test('a folder that is gone is made; where none can be, that is said', async (t) => {
  const root = t.testdir({ nowhere: t.fixture('symlink', 'gone/far') });
  const lock = await RunLock.take(join(root, 'none/at/a.lock'), 'here');
  t.same(readdirSync(join(root, 'none/at')), ['a.lock']);
  await lock.release();
  await t.rejects(RunLock.take(join(root, 'nowhere/a.lock'), 'here'), { code: 'EEXIST' });
});

t.test('S2: a lock that seemed to be of the future is judged again by the time of the claim', async (t) => {
  const path = join(t.testdir({}), 'a.lock');
  await written(path, { host: 'elsewhere' });
  old(path, -90);
  const text = readFileSync(path, 'utf8');
  // The process stands still for a minute between its first look and its claim.
  const { stat } = promises;
  let looks = 0;
  const later = (async (...given: Parameters<typeof stat>) => {
    const found = await stat(...given);
    if (++looks > 1) found.mtimeMs = Number(found.mtimeMs) + 60_000;
    return found;
  }) as typeof stat;
  Object.assign(promises, { stat: later });
  syncBuiltinESMExports();
  t.teardown(() => {
    Object.assign(promises, { stat });
    syncBuiltinESMExports();
  });
  await t.rejects(RunLock.take(path, 'here'), { code: 'RUN_BUSY', message: /process \d+ of elsewhere/ });
  t.ok(looks > 1, 'the claim was made');
  t.equal(readFileSync(path, 'utf8'), text, 'it is still the lock of who lives');
  t.same(readdirSync(t.testdirName), ['a.lock'], 'and nothing else is left');
});
