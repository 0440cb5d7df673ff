import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import t from 'tap';
import { RunLock } from '../../src/datasets/run-lock.ts';

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
  for (const text of ['', 'null', '{', '[]', '"x"']) {
    writeFileSync(path, text);
    await t.rejects(RunLock.take(path, 'here'), { code: 'RUN_BUSY', message: /just beginning/ }, text);
    old(path, 61);
    await (await RunLock.take(path, 'here')).release();
  }
});

t.test('a holder touches its lock, and leaves that of another alone', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const path = join(t.testdir({}), 'a.lock');
  const lock = await RunLock.take(path, 'here');
  old(path, 1000);
  mock.timers.tick(15_000);
  t.ok(Date.now() - statSync(path).mtimeMs < 60_000, 'touched');
  writeFileSync(path, 'theirs');
  await lock.release();
  t.equal(readFileSync(path, 'utf8'), 'theirs');
  old(path, 1000);
  mock.timers.tick(60_000);
  t.ok(Date.now() - statSync(path).mtimeMs > 60_000, 'no longer');
});

t.test('a folder that is not there', async (t) => {
  await t.rejects(RunLock.take(join(t.testdir({}), 'none/a.lock'), 'here'), { code: 'ENOENT' });
  await t.rejects(RunLock.take(join(t.testdir({ 'a.lock': {} }), 'a.lock'), 'here'), { code: 'EISDIR' });
});
