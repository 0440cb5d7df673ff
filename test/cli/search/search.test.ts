import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toParquet } from '../../../src/sinks/to-parquet.ts';
import { runNumbered } from '../../kit/runs/jobs.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { vectorOf, vectors } from '../../kit/vectors.ts';

const cosine = (a: Float32Array, b: Float32Array) => {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, one, i) => sum + one * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a)) / Math.sqrt(dot(b, b));
};

t.test('by a key of the set: a table, JSON, and a page with the pictures that can be read', async (t) => {
  const output = t.testdir({});
  await runNumbered(join(output, 'job'), toParquet(), { count: 12, stages: [vectors({ width: 4 })] });
  mkdirSync(join(output, 'photos/n'), { recursive: true });
  copyFileSync('fixtures/photos/cat.jpg', join(output, 'photos/n/7.png'));
  const words = ['search', join(output, 'job'), 'key:n/3.png', 'key:n/5.png', '--top', '3'];
  const page = join(output, 'page.html');
  const told = await patchstream([...words, '--sheet', page, '--photos', join(output, 'photos')]);
  t.match(told, {
    code: 0,
    err: /^The page is without 7 pictures that cannot be read: key:n\/3\.png/,
    out: /^key:n\/3\.png\n {4}1 {2}\d\.\d{4} {2}n\/\d+\.png\n/,
  });
  t.match(told.out, /12 vectors of 4 numbers in .*job\n.*page\.html\n$/);
  const { answers, ...about } = JSON.parse((await patchstream([...words, '--json'])).out);
  t.same(about, { type: 'search', vectors: join(output, 'job'), count: 12, width: 4 });
  for (const [i, asked] of [3, 5].entries()) {
    const right = Array.from({ length: 12 }, (_, row) => ({
      row,
      similarity: cosine(vectorOf(asked, 4), vectorOf(row, 4)),
    }))
      .filter(({ row }) => row !== asked)
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, 3);
    t.same(
      answers[i].neighbours.map(({ key, row }: { key: string; row: number }) => [key, row]),
      right.map(({ row }) => [`n/${row}.png`, row]),
    );
    for (const [j, { similarity, distance }] of answers[i].neighbours.entries()) {
      t.ok(Math.abs(similarity - right[j]!.similarity) < 1e-12);
      t.equal(distance, 1 - similarity);
    }
  }
  const html = readFileSync(page, 'utf8');
  const isShown = answers.flatMap(({ neighbours }: { neighbours: { row: number }[] }) => neighbours);
  t.equal(
    html.split('data:image/jpeg;base64,').length - 1,
    isShown.filter(({ row }: { row: number }) => row === 7).length,
  );
  t.ok(html.includes('n/3.png') && html.includes("default-src 'none'"));
});

t.test('what cannot be asked is refused: file, expectation, remedy', async (t) => {
  const output = t.testdir({});
  await runNumbered(join(output, 'job'), toParquet(), { count: 3, stages: [vectors()] });
  const refused = async (words: string[], code: number, err: RegExp) =>
    t.match(await patchstream(['search', ...words]), { code, err, out: '' });
  const job = join(output, 'job');
  await refused([], 2, /^ARGUMENT.*patchstream search <vectors> <photo…>/);
  await refused([job], 2, /^ARGUMENT/);
  await refused([job, 'key:n/0.png', '--top', '0'], 2, /^ARGUMENT.*--top 0.*1 to 10000/);
  await refused([job, 'key:n/9.png'], 2, /^VECTORS_KEY.*job.*n\/9\.png/);
  await refused([join(output, 'nowhere'), 'key:a'], 2, /^VECTORS_NONE.*nowhere/);
  await refused(['fixtures/photos/cat.jpg', 'key:a'], 2, /^VECTORS_NONE.*cat\.jpg/);
  await refused([job, 'fixtures/photos/cat.jpg'], 2, /^TRAINED_MISSING.*runs\/a/);
  await refused(
    [job, 'key:n/0.png', '--field', 'label'],
    2,
    /^VECTORS_NONE.*the field `label`.*no list of numbers in row 0/,
  );
  writeFileSync(join(output, 'plain.jsonl'), '{"key":"a","embedding":[1,2]}\n');
  await refused([join(output, 'plain.jsonl'), 'fixtures/photos/cat.jpg'], 2, /^VECTORS_MODEL.*--from.*key:KEY/);
});
