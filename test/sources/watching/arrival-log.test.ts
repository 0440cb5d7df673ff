import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Stamp } from '../../../src/sources/source.ts';
import { type Arrival, ArrivalLog } from '../../../src/sources/watching/arrival-log.ts';

const recipe = 'r';
const stamp = (inode: string, more: Partial<Stamp> = {}): Stamp => ({
  bytes: 3,
  written: '5',
  inode,
  born: '1',
  ...more,
});
const arrival = (key: string, inode = key, more: Partial<Stamp> = {}): Arrival => ({ key, stamp: stamp(inode, more) });
const pathIn = (run: string) => join(run, 'arrivals.jsonl');
const linesIn = (run: string) =>
  readFileSync(pathIn(run), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

async function begun(t: Test, run = t.testdir({}), fresh = false): Promise<{ run: string; log: ArrivalLog }> {
  const log = await ArrivalLog.open(run, recipe, fresh);
  await log.begin();
  t.teardown(() => log.close());
  return { run, log };
}

/** All that can be asked of a list, for the names and files that a test uses. */
function told(log: ArrivalLog, keys: readonly string[], stamps: readonly Stamp[]): unknown {
  const positions = Array.from({ length: log.count }, (_, i) => i);
  return {
    rows: positions.map((i) => [log.key(i), log.isGone(i), stamps.map((one) => log.isAsArrived(i, one))]),
    known: keys.filter((key) => log.has(key)),
    files: stamps.map((one) => log.keyOf(one)),
  };
}

t.test('what is written: a head, a row for each file, moves and positions that are gone', async (t) => {
  const { run, log } = await begun(t);
  t.same(linesIn(run), [{ format: 1, recipe }]);
  await log.add([arrival('a'), arrival('b', '7', { born: '' })], []);
  await log.add([arrival('d')], [arrival('c', 'a')]);
  await log.unread(1);
  t.same(linesIn(run), [
    { format: 1, recipe },
    { key: 'a', file: 'a:3:5:1' },
    { key: 'b', file: '7:3:5' },
    { key: 'd', file: 'd:3:5:1' },
    { key: 'c', moved: 'a:3:5:1' },
    { unread: 1 },
  ]);
  t.same([log.count, log.key(0), log.key(1), log.key(2)], [3, 'a', 'b', 'd']);
  t.same(
    ['a', 'b', 'c', 'd', 'e'].map((key) => log.has(key)),
    [true, false, true, true, false],
  );
  t.same(
    [0, 1, 2].map((i) => log.isGone(i)),
    [false, true, false],
  );
  await log.add([], []);
  t.equal(linesIn(run).length, 6, 'nothing is no row');
});

t.test('a file is known by its disk’s number, bytes and times, and under the name that it has now', async (t) => {
  const { log } = await begun(t);
  await log.add([arrival('a', '9'), arrival('old', '8', { born: '' })], []);
  t.equal(log.keyOf(stamp('9')), 'a');
  for (const other of [{ bytes: 4 }, { written: '6' }, { inode: '1' }, { born: '2' }, { born: '' }])
    t.equal(log.keyOf(stamp('9', other)), undefined, JSON.stringify(other));
  t.equal(log.keyOf(stamp('8', { born: '77' })), 'old', 'a list of earlier did not say when it came to be');
  await log.add([], [arrival('b', '9'), arrival('new', '8', { born: '77' })]);
  t.same([log.keyOf(stamp('9')), log.keyOf(stamp('8'))], ['b', 'new']);
  t.same([log.count, log.has('a'), log.has('b'), log.has('new')], [2, true, true, true]);
  t.same(
    [log.isAsArrived(0, stamp('x')), log.isAsArrived(0, stamp('9', { born: 'x' }))],
    [true, true],
    'whatever its number',
  );
  t.same(
    [log.isAsArrived(0, stamp('9', { bytes: 4 })), log.isAsArrived(0, stamp('9', { written: '6' }))],
    [false, false],
  );
});

t.test('a position that is gone frees its names; a name that another position has stays', async (t) => {
  const { run, log } = await begun(t);
  await log.add([arrival('a'), arrival('b')], []);
  await log.add([], [arrival('moved', 'a')]);
  await log.unread(0);
  t.same(
    ['a', 'moved', 'b'].map((key) => log.has(key)),
    [false, false, true],
  );
  t.equal(log.keyOf(stamp('a')), undefined, 'wherever it is, it is a new one');
  await log.add([arrival('moved', 'a')], []);
  t.same([log.keyOf(stamp('a')), log.key(2)], ['moved', 'moved']);
  await log.unread(0);
  t.same([log.has('moved'), log.keyOf(stamp('a'))], [true, 'moved'], 'once is enough');
  await log.add([arrival('a', 'another')], []);
  await log.unread(0);
  t.ok(log.has('a'), 'a file that came later under its name stays');
  await log.unread(99);
  t.same([log.isGone(99), log.count], [false, 4], 'a position that nobody has');
  // The other was moved to a name that is in use: nothing is known under it beside that.
  await log.add([], [arrival('moved', 'b')]);
  await log.unread(1);
  t.same([log.has('moved'), log.has('b')], [true, false]);
  await log.add([], [arrival('ghost', 'nowhere')]);
  t.notOk(log.has('ghost'), 'a move of what no position has');
  await log.close();
  const again = await ArrivalLog.open(run, recipe, false);
  const keys = ['a', 'b', 'moved', 'ghost'];
  t.same(told(again, keys, [stamp('a'), stamp('b')]), told(log, keys, [stamp('a'), stamp('b')]));
});

t.test('a list of another recipe, of another form, or of none is begun anew; a fresh one too', async (t) => {
  const rows = '{"key":"a","file":"a:3:5:1"}\n';
  for (const head of [
    '{"format":1,"recipe":"other"}\n',
    '{"format":2,"recipe":"r"}\n',
    '{"recipe":"r"}\n',
    '[]\n',
    'null\n',
    '\n',
    'x\n',
    '{"key":"z","file":"z:3:5:1"}\n',
  ]) {
    const run = t.testdir({ 'arrivals.jsonl': head + rows });
    const log = await ArrivalLog.open(run, recipe, false);
    t.equal(log.count, 0, head);
    t.equal(readFileSync(pathIn(run), 'utf8'), head + rows, 'opening changes nothing');
    await log.begin();
    await log.add([arrival('b')], []);
    await log.close();
    t.same(linesIn(run), [
      { format: 1, recipe },
      { key: 'b', file: 'b:3:5:1' },
    ]);
  }
  const whole = t.testdir({ 'arrivals.jsonl': `{"format":1,"recipe":"r"}\n${rows}` });
  t.equal((await ArrivalLog.open(whole, recipe, false)).count, 1);
  const fresh = await begun(t, whole, true);
  t.same([fresh.log.count, linesIn(whole).length], [0, 1]);
});

t.test('what is written is on the disk: the folder once, and what comes together at once', async (t) => {
  const run = t.testdir({});
  const probe = await openFile(join(run, 'probe'), 'w');
  const prototype = Object.getPrototypeOf(probe) as typeof probe;
  await probe.close();
  const { sync } = prototype;
  let syncs = 0;
  prototype.sync = function (this: typeof probe) {
    syncs++;
    return sync.call(this);
  };
  t.teardown(() => Object.assign(prototype, { sync }));
  const log = await ArrivalLog.open(run, recipe, false);
  await log.begin();
  t.equal(syncs, 2, 'the head and the folder');
  await log.add([], []);
  t.equal(syncs, 2, 'nothing is not written');
  const together = [log.add([arrival('a')], []), log.add([arrival('b')], []), log.unread(0)];
  await log.close();
  await Promise.all(together);
  t.equal(syncs, 3);
  t.same([log.count, linesIn(run).length], [2, 4], 'closing waits for what is being written');
});

t.test(
  'writes that come together are written together, in order, and are known when they are on the disk',
  async (t) => {
    const { run, log } = await begun(t);
    const [one, two] = [log.add([arrival('a')], []), log.add([arrival('b')], [])];
    const three = log.unread(0);
    t.same([log.count, log.has('a')], [0, false], 'not before');
    await three;
    t.same([log.count, log.has('a'), log.has('b'), log.isGone(0)], [2, false, true, true]);
    await Promise.all([one, two]);
    t.same(linesIn(run).slice(1), [{ key: 'a', file: 'a:3:5:1' }, { key: 'b', file: 'b:3:5:1' }, { unread: 0 }]);
    await log.add([arrival('c')], []);
    t.equal(log.key(2), 'c');
  },
);

t.test('names and moves count for the most names that a job knows', async (t) => {
  const run = t.testdir({});
  const log = await ArrivalLog.open(run, recipe, false, 3);
  await log.begin();
  t.teardown(() => log.close());
  await log.add([arrival('a')], []);
  await log.add([], [arrival('b', 'a')]);
  await t.rejects(log.add([], [arrival('c', 'a'), arrival('d', 'a')]), { code: 'WATCH_FILES' });
  await log.add([arrival('c')], []);
  await t.rejects(log.add([arrival('d')], []), { code: 'WATCH_FILES' });
  await log.unread(1);
  await log.add([arrival('d')], []);
  t.same([log.count, log.has('c'), log.has('d')], [3, false, true], 'a name that was freed is none');
});

t.test('a disk that fails is said by SINK_WRITE, names nothing, and is heard by those who wait', async (t) => {
  const { run, log } = await begun(t);
  await log.add([arrival('a')], []);
  await log.close();
  await t.rejects(log.add([arrival('b')], []), { code: 'SINK_WRITE', message: /arrivals\.jsonl/ });
  t.same([log.has('b'), log.count], [false, 1]);
  await t.rejects(log.unread(0), { code: 'SINK_WRITE' });
  t.notOk(log.isGone(0));
  await log.close();
  rmSync(run, { recursive: true });
  const none = await ArrivalLog.open(run, recipe, false);
  t.equal(none.count, 0);
  await t.rejects(none.begin(), { code: 'SINK_WRITE', message: /arrivals\.jsonl/ });
  await none.close();
});

/** What may come to be known of a few files under a few names. */
const row = fc.oneof(
  fc.record({ key: fc.constantFrom('a', 'b', 'c', 'é'), file: fc.constantFrom('1', '2', '3') }),
  fc.record({ key: fc.constantFrom('a', 'b', 'm'), moved: fc.constantFrom('1', '2') }),
  fc.record({ unread: fc.nat(5) }),
);

t.test(
  'read again, cut anywhere: the list of the rows that are whole, and what is added stands behind them',
  async (t) => {
    const run = t.testdir({});
    const keys = ['a', 'b', 'c', 'é', 'm', 'next'];
    const stamps = ['1', '2', '3'].map((inode) => stamp(inode));
    const enter = async (log: ArrivalLog, one: { key?: string; file?: string; moved?: string; unread?: number }) => {
      if (one.unread !== undefined) await log.unread(one.unread);
      else if (one.file !== undefined) await log.add([arrival(one.key!, one.file)], []);
      else await log.add([], [arrival(one.key!, one.moved)]);
    };
    const open = async (fresh = false) => {
      const log = await ArrivalLog.open(run, recipe, fresh);
      await log.begin();
      return log;
    };
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 4 }), fc.boolean(), async (rows, everywhere) => {
        const log = await open(true);
        // What was known after each row.
        const states = [told(log, keys, stamps)];
        for (const one of rows) {
          await enter(log, one);
          states.push(told(log, keys, stamps));
        }
        await log.close();
        const whole = readFileSync(pathIn(run));
        const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
        const step = everywhere ? 1 : 7;
        for (let cut = whole.length; cut >= 0; cut -= step, cuts++) {
          writeFileSync(pathIn(run), whole.subarray(0, cut));
          const again = await ArrivalLog.open(run, recipe, false);
          const kept = ends.filter((end) => end <= cut).length;
          t.strictSame(told(again, keys, stamps), states[Math.max(0, kept - 1)]);
          if (cut % 11 > 0) continue;
          await again.begin();
          await again.add([arrival('next', 'n')], []);
          await again.close();
          const lines = whole.subarray(0, kept === 0 ? ends[0] : ends[kept - 1]).toString();
          t.equal(readFileSync(pathIn(run), 'utf8'), `${lines}{"key":"next","file":"n:3:5:1"}\n`);
        }
      }),
      { seed: 6, numRuns: 6 },
    );
    t.ok(cuts > 100, `${cuts} cuts`);
  },
);

t.test('a row that is none ends the list there, also far behind the first piece that is read', async (t) => {
  const long = 'x'.repeat(100);
  const rows = Array.from({ length: 2600 }, (_, i) => `{"key":"${long}${i}","file":"${i}:3:5:1"}\n`);
  const run = t.testdir({ 'arrivals.jsonl': `{"format":1,"recipe":"r"}\n${rows.join('')}` });
  const bytes = readFileSync(pathIn(run));
  const whole = await ArrivalLog.open(run, recipe, false);
  t.same([whole.count, whole.key(2599)], [2600, `${long}2599`]);
  for (const bad of ['{"key":', 'null', '3', '']) {
    writeFileSync(pathIn(run), `${bytes}${bad}\n{"key":"later","file":"l:3:5:1"}\n`);
    const { log } = await begun(t, run);
    t.equal(log.count, 2600, `cut at ${bad}`);
    t.equal(readFileSync(pathIn(run)).length, bytes.length, 'what does not count is taken out');
    await log.close();
  }
});

t.test('names of more bytes than letters', async (t) => {
  const { run, log } = await begun(t);
  await log.add([arrival('é猫'), arrival('b')], []);
  await log.close();
  const whole = readFileSync(pathIn(run), 'utf8');
  const again = await begun(t, run);
  t.same([again.log.count, again.log.key(0)], [2, 'é猫']);
  t.equal(readFileSync(pathIn(run), 'utf8'), whole);
});

t.test('a row of which a piece that is read ends with the first byte', async (t) => {
  const head = '{"format":1,"recipe":"r"}\n';
  const row = (key: string) => `{"key":"${key}","file":"f:3:5:1"}\n`;
  // Pieces of 256 KiB.
  const first = row('x'.repeat(2 ** 18 - 1 - head.length - row('').length));
  t.equal(head.length + first.length, 2 ** 18 - 1);
  const run = t.testdir({ 'arrivals.jsonl': head + first + row('second') });
  const log = await ArrivalLog.open(run, recipe, false);
  t.same([log.count, log.has('second')], [2, true]);
});
