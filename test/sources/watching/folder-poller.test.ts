import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Stamp, WatchedSource } from '../../../src/sources/source.ts';
import { ArrivalLog } from '../../../src/sources/watching/arrival-log.ts';
import { FolderPoller } from '../../../src/sources/watching/folder-poller.ts';
import { watchFolder } from '../../../src/sources/watching/watch-folder.ts';

const never = new AbortController().signal;
const options = { maxBytes: 100, signal: never, progress: () => {} };
const keysOf = (arrivals: ArrivalLog) => Array.from({ length: arrivals.count }, (_, i) => arrivals.key(i));

async function watching(t: Test) {
  const root = t.testdir({ photos: {}, run: {} });
  const photos = join(root, 'photos');
  const run = join(root, 'run');
  const open = async () => {
    const arrivals = await ArrivalLog.open(run, 'recipe', false);
    await arrivals.begin();
    t.teardown(() => arrivals.close());
    const newcomers = new FolderPoller(watchFolder(photos, new Set(['.jpg']), options), arrivals);
    return { arrivals, newcomers };
  };
  const write = (name: string, text = 'x') => writeFileSync(join(photos, name), text);
  return { photos, run, open, write, ...(await open()) };
}

t.test('of two links to one file, one that is gone takes nothing from the other', async (t) => {
  const { run, arrivals, open } = await watching(t);
  const stamp = { bytes: 3, written: '5', inode: '9', born: '1' };
  await arrivals.add(
    ['h1', 'h2', 'h3'].map((key) => ({ key, stamp })),
    [],
  );
  await arrivals.unread(0);
  t.same(
    ['h1', 'h2', 'h3'].map((key) => arrivals.has(key)),
    [false, true, true],
  );
  await arrivals.unread(2);
  appendFileSync(join(run, 'arrivals.jsonl'), 'null\n');
  const again = (await open()).arrivals;
  t.same(
    ['h1', 'h2', 'h3'].map((key) => again.has(key)),
    [false, true, false],
    'also after a restart, and a line that is none',
  );
});

t.test('a file arrives when it holds something and stays as it is from one look to the next', async (t) => {
  const { photos, write, arrivals, newcomers } = await watching(t);
  write('b.jpg');
  write('a.jpg');
  write('text.txt');
  write('.hidden.jpg');
  write('empty.jpg', '');
  t.equal(await newcomers.look(), 0);
  appendFileSync(join(photos, 'a.jpg'), 'more');
  write('late.jpg');
  t.equal(await newcomers.look(), 1);
  t.equal(newcomers.waiting, 3, 'a, empty and late');
  // As many bytes as before, and written since.
  utimesSync(join(photos, 'late.jpg'), 1, 1);
  t.equal(await newcomers.look(), 1);
  t.equal(await newcomers.look(), 1);
  t.equal(await newcomers.look(), 0);
  t.same(keysOf(arrivals), ['b.jpg', 'a.jpg', 'late.jpg']);
  write('empty.jpg', 'no more');
  await newcomers.look();
  t.equal(await newcomers.look(), 1);
});

t.test('new folders, files that go, files that are moved in, within and out', async (t) => {
  const { photos, write, arrivals, newcomers } = await watching(t);
  mkdirSync(join(photos, 'deep/er'), { recursive: true });
  write('deep/er/1.jpg');
  write('2.jpg');
  write('gone.jpg');
  await newcomers.look();
  rmSync(join(photos, 'gone.jpg'));
  t.equal(await newcomers.look(), 2);
  renameSync(join(photos, '2.jpg'), join(photos, 'deep/two.jpg'));
  renameSync(join(photos, 'deep'), join(photos, 'deeper'));
  await newcomers.look();
  t.equal(await newcomers.look(), 0, 'they have arrived already');
  // Again, by their names of now.
  renameSync(join(photos, 'deeper/two.jpg'), join(photos, 'three.jpg'));
  await newcomers.look();
  t.equal(await newcomers.look(), 0);
  write('half.part');
  renameSync(join(photos, 'half.part'), join(photos, 'whole.jpg'));
  await newcomers.look();
  t.equal(await newcomers.look(), 1);
  t.same(keysOf(arrivals), ['2.jpg', 'deep/er/1.jpg', 'whole.jpg']);
});

t.test('one that was moved before it was read is a new one', async (t) => {
  const { photos, write, open, arrivals, newcomers } = await watching(t);
  write('a.jpg');
  await newcomers.look();
  await newcomers.look();
  renameSync(join(photos, 'a.jpg'), join(photos, 'b.jpg'));
  await arrivals.unread(0);
  await arrivals.close();
  const again = await open();
  await again.newcomers.look();
  t.equal(await again.newcomers.look(), 1);
  t.same(keysOf(again.arrivals), ['a.jpg', 'b.jpg']);
});

t.test(
  'one whose move was seen before it was to be read is a new one too, and so is one that comes back',
  async (t) => {
    const { photos, write, open, arrivals, newcomers } = await watching(t);
    write('a.jpg');
    write('c.jpg');
    await newcomers.look();
    await newcomers.look();
    renameSync(join(photos, 'a.jpg'), join(photos, 'b.jpg'));
    rmSync(join(photos, 'c.jpg'));
    await newcomers.look();
    t.equal(await newcomers.look(), 0);
    t.ok(arrivals.has('b.jpg'), 'as one that has arrived');
    await arrivals.unread(0);
    await arrivals.unread(1);
    write('c.jpg', 'again');
    await newcomers.look();
    t.equal(await newcomers.look(), 2);
    // Told again by a run that meets the position anew, it takes nothing from the positions that came later.
    await arrivals.unread(0);
    await arrivals.close();
    const again = await open();
    t.same(keysOf(again.arrivals), ['a.jpg', 'c.jpg', 'b.jpg', 'c.jpg']);
    t.same([again.arrivals.isGone(0), again.arrivals.isGone(1), again.arrivals.isGone(2)], [true, true, false]);
    renameSync(join(photos, 'b.jpg'), join(photos, 'd.jpg'));
    await again.newcomers.look();
    t.equal(await again.newcomers.look(), 0);
  },
);

t.test('a name that is in use again does not make a new photo of the one that had it', async (t) => {
  const { photos, write, arrivals, newcomers } = await watching(t);
  write('latest.jpg', 'first');
  await newcomers.look();
  t.equal(await newcomers.look(), 1);
  renameSync(join(photos, 'latest.jpg'), join(photos, 'latest.1.jpg'));
  write('latest.jpg', 'second');
  await newcomers.look();
  t.equal(await newcomers.look(), 0);
  t.same(keysOf(arrivals), ['latest.jpg']);
});

t.test('the list outlives a kill: what was cut counts for nothing, all else is known', async (t) => {
  const { run, write, open, arrivals, newcomers } = await watching(t);
  for (const name of ['a', 'b', 'c']) write(`${name}.jpg`);
  await newcomers.look();
  await newcomers.look();
  await arrivals.close();
  const path = join(run, 'arrivals.jsonl');
  const whole = readFileSync(path);
  for (let cut = whole.length; cut >= 0; cut--) {
    writeFileSync(path, whole.subarray(0, cut));
    const again = await open();
    const lines = whole.subarray(0, cut).toString().split('\n').length - 1;
    t.equal(again.arrivals.count, Math.max(0, lines - 1));
    await again.newcomers.look();
    await again.newcomers.look();
    t.same(keysOf(again.arrivals), ['a.jpg', 'b.jpg', 'c.jpg']);
    await again.arrivals.close();
    t.equal(readFileSync(path, 'utf8'), whole.toString());
  }
  t.equal((await ArrivalLog.open(run, 'another recipe', false)).count, 0);
  t.equal((await ArrivalLog.open(run, 'recipe', true)).count, 0);
  t.equal((await ArrivalLog.open(run, 'recipe', false)).count, 3, 'nothing is changed before it begins');
  await t.rejects((await ArrivalLog.open(join(run, 'missing'), 'recipe', false)).begin(), { code: 'SINK_WRITE' });
});

t.test('more names than a job can know are told, and those that it knows stay', async (t) => {
  const run = t.testdir({});
  const rested = (key: string) => ({ key, stamp: { bytes: 1, written: '1', inode: key, born: '' } });
  const arrivals = await ArrivalLog.open(run, 'recipe', false, 3);
  await arrivals.begin();
  await arrivals.add([rested('a'), rested('b')], []);
  await t.rejects(arrivals.add([rested('c')], [rested('d')]), { code: 'WATCH_FILES', message: /at most 3 files/ });
  await arrivals.add([rested('c')], []);
  await arrivals.close();
  t.same(keysOf(await ArrivalLog.open(run, 'recipe', false, 3)), ['a', 'b', 'c']);
});

t.test('a list that cannot be read is no list of none', async (t) => {
  const run = t.testdir({ 'arrivals.jsonl': {} });
  await t.rejects(ArrivalLog.open(run, 'recipe', false), { code: 'SINK_WRITE', message: /arrivals\.jsonl/ });
});

t.test('a folder that is missing, a file instead', async (t) => {
  const { photos, write } = await watching(t);
  write('file.jpg');
  const look = async (path: string) => watchFolder(path, new Set(['.jpg']), options).look(() => false);
  await t.rejects(look(join(photos, 'none')), { code: 'FOLDER_MISSING' });
  await t.rejects(look(join(photos, 'file.jpg')), { code: 'FOLDER_FILE' });
});

/** What happens in a folder. Names are never used twice. */
type Event =
  | { readonly kind: 'create' | 'restart' | 'look' }
  | { readonly kind: 'write' | 'move' | 'remove'; readonly which: number };

const happening: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('look' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('create' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('write', 'move', 'remove'), which: fc.nat(30) }),
  },
);

t.test('whatever happens: each file arrives once, at rest, and none is forgotten', async (t) => {
  const run = t.testdir();
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 60, size: 'max' }), fc.boolean(), async (events, isBirthTold) => {
      const files = new Map<string, Stamp>();
      let clock = 0;
      /** A disk that tells when a file came to be has few numbers and a clock of no use; the other tells files apart by their numbers. */
      const made = (): Pick<Stamp, 'inode' | 'born' | 'written'> => {
        if (!isBirthTold) return { inode: String(clock), born: '', written: String(clock) };
        const used = new Set([...files.values()].map(({ inode }) => inode));
        let inode = 0;
        while (used.has(String(inode))) inode++;
        return { inode: String(inode), born: String(clock), written: 'long ago' };
      };
      const idOf = ({ inode, born }: Stamp) => `${inode} ${born}`;
      let changed = new Set<string>();
      const source: Pick<WatchedSource, 'look' | 'stamp'> = {
        look: async (known) => new Map([...files].filter(([key]) => !known(key))),
        stamp: async (key) => files.get(key),
      };
      let arrivals = await ArrivalLog.open(run, 'recipe', true);
      await arrivals.begin();
      let newcomers = new FolderPoller(source, arrivals);
      const taken: string[] = [];
      const look = async () => {
        const before = arrivals.count;
        await newcomers.look();
        for (let i = before; i < arrivals.count; i++) {
          const key = arrivals.key(i);
          if (changed.has(key)) throw new Error(`${key} was not at rest`);
          taken.push(idOf(files.get(key)!));
        }
        changed = new Set();
      };
      for (const event of events) {
        const name = [...files.keys()][('which' in event ? event.which : 0) % Math.max(1, files.size)];
        if (event.kind === 'look') await look();
        else if (event.kind === 'create') {
          const key = `file-${clock}`;
          files.set(key, { bytes: clock % 2, ...made() });
          changed.add(key);
        } else if (event.kind === 'restart') {
          await arrivals.close();
          arrivals = await ArrivalLog.open(run, 'recipe', false);
          await arrivals.begin();
          newcomers = new FolderPoller(source, arrivals);
        } else if (name !== undefined) {
          const stamp = files.get(name)!;
          if (event.kind !== 'write') files.delete(name);
          if (event.kind === 'move') files.set(`moved-${clock}`, stamp);
          // Nobody writes on what has arrived.
          if (event.kind === 'write' && !taken.includes(idOf(stamp))) {
            files.set(name, { ...stamp, bytes: stamp.bytes + 1, ...(!isBirthTold && { written: String(clock) }) });
            changed.add(name);
          }
        }
        clock++;
      }
      await look();
      await look();
      await arrivals.close();
      if (new Set(taken).size !== taken.length) throw new Error('twice');
      for (const stamp of files.values()) {
        if (stamp.bytes > 0 !== taken.includes(idOf(stamp))) throw new Error(`${idOf(stamp)} of ${stamp.bytes} bytes`);
      }
    }),
    { seed: 11, numRuns: 300 },
  );
});

t.test('a source may answer at once: a file that was moved has arrived already', async (t) => {
  const { arrivals } = await watching(t);
  const stamp: Stamp = { bytes: 3, written: '5', inode: '9', born: '1' };
  let name = 'a.jpg';
  const source = {
    look: (known: (key: string) => boolean) => new Map(known(name) ? [] : [[name, stamp]]),
    stamp: (key: string) => (key === name ? stamp : undefined),
  };
  const newcomers = new FolderPoller(source, arrivals);
  t.same([await newcomers.look(), await newcomers.look()], [0, 1]);
  name = 'b.jpg';
  t.same([await newcomers.look(), await newcomers.look()], [0, 0], 'under another name it is the same');
  t.same(keysOf(arrivals), ['a.jpg']);
});
