import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { PatchstreamError } from '../../../src/errors.ts';
import { RunFolder } from '../../../src/runs/folder/folder.ts';

const open = (path: string) => RunFolder.open(path, { name: 'job' }, { name: 'job' });
const failure = (position: number) => ({
  stage: 'decode',
  key: `${position}.jpg`,
  position,
  epoch: 0,
  error: 'broken',
});
const summary = { lines: [], done: 1, failures: 0, drops: 0, seconds: 1 };

t.test('issue 16: a result that cannot be looked at is not taken for one that is gone', async (t) => {
  const root = t.testdir({ result: 'a' });
  const folder = await open(root);
  await folder.finish({ ...summary, files: [join(root, 'result')] });
  t.match(await folder.finished(), { done: 1 });
  await folder.finish({ ...summary, files: [join(root, 'gone')] });
  t.equal(await folder.finished(), undefined);
  symlinkSync('loop', join(root, 'loop'));
  await folder.finish({ ...summary, files: [join(root, 'loop')] });
  await t.rejects(folder.finished(), { code: 'OUTPUT_FOLDER', message: /links that lead in a circle/ });
});

t.test('issue 16: lines of the quarantine that cannot be read stay, and are counted', async (t) => {
  const root = t.testdir();
  const folder = await open(root);
  await folder.begin({ resumed: false });
  for (const position of [1, 4, 9]) folder.quarantine(failure(position));
  const path = join(root, 'quarantine.jsonl');
  const text = readFileSync(path, 'utf8');
  // A row that was changed, and one that a kill has cut: the job goes on in front of it.
  writeFileSync(path, `${text.replace('"position":4', '"position":')}{"stage":"deco`);
  const again = await open(root);
  const { counts, failed, unreadable } = await again.forgetFailures(6);
  t.same([[...counts], failed, unreadable], [[['decode', 1]], 1, 1]);
  t.same(readFileSync(path, 'utf8').split('\n').length - 1, 2);
});

t.test('issue 16: what is entered behind a line that was cut is a line of its own', async (t) => {
  const root = t.testdir({ 'events.jsonl': '{"event":"start"}\n{"event":"pro' });
  const folder = await open(root);
  await folder.begin({ resumed: true });
  folder.record('machine', {});
  const lines = readFileSync(join(root, 'events.jsonl'), 'utf8').trim().split('\n');
  t.match(
    lines.map((line) => line.replace(/"time":"[^"]*",/, '').slice(0, 18)),
    ['{"event":"start"}', '{"event":"pro', '{"event":"start","', '{"event":"machine"'],
  );
});

const full = process.platform === 'linux' ? false : 'there is no /dev/full';

t.test('S5: behind what a full disk has cut, the next is a line of its own', { skip: full }, async (t) => {
  const root = t.testdir();
  const folder = await open(root);
  await folder.begin({ resumed: false });
  const path = join(root, 'quarantine.jsonl');
  symlinkSync('/dev/full', path);
  folder.quarantine(failure(1));
  t.match(folder.error, { code: 'FILE_WRITE' });
  rmSync(path);
  writeFileSync(path, '{"stage":"deco');
  folder.quarantine(failure(2));
  folder.quarantine(failure(3));
  const lines = readFileSync(path, 'utf8').split('\n');
  t.match(lines, ['{"stage":"deco', /"position":2,/, /"position":3,/, '']);
});

t.test('a start that never began takes away the folder that it has made, and no other start misses it', async (t) => {
  const root = t.testdir();
  const path = join(root, 'new/run');
  const [first, second] = [await open(path), await open(path)];
  await first.lock();
  await first.unlock();
  t.notOk(existsSync(join(root, 'new')));
  await second.lock();
  await second.begin({ resumed: false });
  await second.unlock();
  t.equal(second.error, undefined);
  t.ok(existsSync(join(path, 'pipeline.json')));
});

t.test(
  'property: of starts in folders within another, at the same time, each has its folder or hears who has it',
  async (t) => {
    const places = ['new', 'new/run', 'new/run/part', 'new/other'];
    const root = t.testdir();
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ place: fc.nat(places.length - 1), begins: fc.boolean() }), {
          minLength: 2,
          maxLength: 30,
        }),
        async (starts) => {
          const base = join(root, String(round++));
          const began = await Promise.all(
            starts.map(async ({ place, begins }) => {
              const folder = await open(join(base, places[place]!));
              try {
                await folder.lock();
                if (begins) await folder.begin({ resumed: false });
                await folder.unlock();
                return begins ? [folder] : [];
              } catch (error) {
                if (error instanceof PatchstreamError && error.code === 'RUN_BUSY') return [];
                throw error;
              }
            }),
          );
          for (const { path, error } of began.flat()) {
            t.equal(error, undefined);
            t.ok(existsSync(join(path, 'pipeline.json')), path);
          }
        },
      ),
      { numRuns: 60 },
    );
  },
);
