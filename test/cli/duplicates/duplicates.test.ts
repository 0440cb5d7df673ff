import { appendFileSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toJsonl } from '../../../src/sinks/to-jsonl.ts';
import { writeFiles } from '../../kit/files/folder.ts';
import { photosWithCopies } from '../../kit/pictures/near-duplicates.ts';
import { runNumbered } from '../../kit/runs/jobs.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { vectors } from '../../kit/vectors.ts';

t.test('duplicates of a folder: groups, JSON, a page, and again from the output', async (t) => {
  const root = t.testdir({});
  const [photos, output, sheet] = ['photos', 'out', 'sheet.html'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  await photosWithCopies(photos, 6);
  const { code, out } = await patchstream(['duplicates', photos, '--output', output, '--sheet', sheet]);
  t.equal(code, 0);
  t.match(out, /1 failed/);
  t.match(
    out,
    / {2}1 {2}a-01\.jpg\n {5}b-crop\.jpg {2}[01]\.\d\d, a crop of .*\n {5}z-mirror\.jpg {2}[01]\.\d\d, like a-01\.jpg, mirrored\n/,
  );
  t.equal(out.match(/2 groups of near-duplicates, 5 of 9 pictures/g)?.length, 1, 'once');
  const page = readFileSync(sheet, 'utf8');
  t.equal(page.match(/<figure><img [^>]*src="data:image\/jpeg;base64,/g)?.length, 5);
  const again = await patchstream(['duplicates', output, '--json']);
  t.match(JSON.parse(again.out), {
    type: 'duplicates',
    pictures: 9,
    groups: [
      { pictures: [{ key: 'a-01.jpg' }, { key: 'b-crop.jpg' }, { key: 'z-mirror.jpg' }] },
      { pictures: [{}, {}] },
    ],
  });
});

t.test(
  'a job that is done is printed again, and says what has come since; what is passed over does not count',
  async (t) => {
    const root = t.testdir({ photos: { 'notes.txt': 'no picture' }, other: { photos: {} } });
    const [photos, output] = [join(root, 'photos'), join(root, 'out')];
    await photosWithCopies(photos, 6);
    const first = await patchstream(['duplicates', photos, '--output', output]);
    t.match(first, { code: 0, out: /1 passed over/ });
    const again = await patchstream(['duplicates', photos, '--output', output]);
    t.match(again, { code: 0, out: /2 groups of near-duplicates, 5 of 9 pictures/ });
    t.notMatch(again.err, /now, and had/);
    copyFileSync(join(photos, 'a-01.jpg'), join(photos, 'c-copy.jpg'));
    const more = await patchstream(['duplicates', photos, '--output', output]);
    t.match(more.err, /photos has 11 pictures now, and had 10 when .*out was made: --fresh does all of them/);
    await photosWithCopies(join(root, 'other', 'photos'), 6);
    const other = await patchstream(['duplicates', join(root, 'other', 'photos'), '--output', output]);
    t.not(other.code, 0, 'what was made of another folder is refused');
    t.notMatch(other.err, /now, and had/);
  },
);

t.test('duplicates of a list and of a table; a page of them; what has come to the list is said', async (t) => {
  const root = t.testdir({});
  const at = (name: string) => join(root, name);
  await photosWithCopies(at('photos'), 6);
  const rows = ['a-01', 'b-crop', 'z-mirror'].map((name) => `photos/${name}.jpg`);
  for (const [name, text] of [
    ['list.csv', `path\n${rows.join('\n')}\n`],
    ['list.jsonl', rows.map((path) => `${JSON.stringify({ path })}\n`).join('')],
  ] as const) {
    writeFiles(root, { [name]: text });
    const words = ['duplicates', at(name), '--output', at(`${name}-out`), '--sheet', at('sheet.html')];
    const told = await patchstream(words);
    t.match(told, { code: 0, out: /1 group of near-duplicates, 3 of 3 pictures/ }, told.err);
    t.notMatch(told.out, /listed|sets the pace/, 'nothing was lost, and nothing took long');
    t.match(told.out, / {2}1 {2}photos\/a-01\.jpg\n {5}photos\/b-crop\.jpg/);
    t.equal(readFileSync(at('sheet.html'), 'utf8').split('data:image/jpeg').length, 4, name);
    // Of the job's own folder too.
    t.match(await patchstream(['duplicates', at(`${name}-out`), ...words.slice(4)]), { code: 0, err: '' });
    t.equal(readFileSync(at('sheet.html'), 'utf8').split('data:image/jpeg').length, 4, name);
  }
  appendFileSync(at('list.csv'), `${rows[0]}\n`);
  const more = await patchstream(['duplicates', at('list.csv'), '--output', at('list.csv-out')]);
  t.match(more, { code: 0, err: /list\.csv has 4 pictures now, and had 3 when/ });
  const table = join('fixtures', 'parquet', 'test-00000-of-00001.parquet');
  t.match(await patchstream(['duplicates', table, '--output', at('table-out')]), { code: 0, out: / of 4 pictures/ });
  const watched = ['duplicates', at('list.csv'), '--output', at('watched'), '--watch'];
  t.match(await patchstream(watched), { code: 2, err: /^WATCH_SOURCE.*only a folder of pictures.*got manifest/ });
  for (const name of ['none.csv', 'none.jsonl', 'none.parquet'])
    t.match(await patchstream(['duplicates', at(name), '--output', at('none-out')]), {
      code: 2,
      err: new RegExp(name),
    });
});

t.test('what is no number or no folder is refused', async (t) => {
  const root = t.testdir({});
  t.match(await patchstream(['duplicates', root, '--within', 'few', '--output', join(root, 'o')]), { code: 2 });
  t.match(await patchstream(['duplicates', join(root, 'none'), '--output', `${root}-o`]), {
    code: 2,
    err: /FOLDER_MISSING/,
  });
  t.match(await patchstream(['duplicates']), { code: 2, err: /ARGUMENT/ });
});

t.test('duplicates of the vectors that a job has written, by their cosine', async (t) => {
  const root = t.testdir({});
  await runNumbered(join(root, 'job'), toJsonl(), { count: 40, stages: [vectors({ width: 4 })] });
  const { code, out } = await patchstream(['duplicates', join(root, 'job'), '--above', '0.99999', '--json']);
  t.equal(code, 0);
  const { pictures, groups } = JSON.parse(out);
  t.equal(pictures, 40);
  const found = groups.flatMap(
    (group: { pictures: { key: string; nearest: { likeness: number } }[] }) => group.pictures,
  );
  t.ok(found.every(({ nearest }: { nearest: { likeness: number } }) => nearest.likeness >= 0.99999));
  for (const above of ['0', 'much']) {
    t.match(await patchstream(['duplicates', join(root, 'job'), '--above', above]), { code: 2, err: /ARGUMENT/ });
  }
  const file = join(root, 'job/jsonl/job-00000.jsonl');
  t.match(await patchstream(['duplicates', file, '--above', '0.5']), { code: 0, out: / of 40 pictures\n/ });
  // What was compared is kept, and its groups are printed again.
  const kept = ['duplicates', join(root, 'job'), '--above', '0.99999', '--json', '--output', join(root, 'kept')];
  t.equal((await patchstream(kept)).out, out);
  t.equal((await patchstream(kept)).out, out);
  t.equal((await patchstream(['duplicates', join(root, 'kept'), '--json'])).out, out);
  t.match(await patchstream(kept.with(3, '0.9')), { code: 2, err: /COMPARED_OTHER/ });
});
