import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { pictureFolder } from '../kit/folder.ts';

const page = readFileSync('docs/extending.md', 'utf8');
const blocks = [...page.matchAll(/^```(?:ts|yaml)\n(?:\/\/|#) (\S+)\n([\s\S]*?)^```/gm)].map(
  ([, name, text]) => [name!, text!] as const,
);
const files = Object.fromEntries(blocks);
const root = t.testdir({ ...files, node_modules: { patchstream: t.fixture('symlink', resolve('.')) } });

t.before(async () => {
  await pictureFolder(join(root, 'fixtures', 'photos'), 24);
  await pictureFolder(join(root, 'fixtures', 'held-out'), 16);
});

/** Runs one of the pipelines of the page; what it has printed, and the rows of its metrics. */
function ran(name: string) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [resolve('bin/patchstream.mjs'), 'run', `${name}.yaml`],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  const rows = (file: string) =>
    readFileSync(join(root, 'runs', name, file), 'utf8')
      .trim()
      .split('\n')
      .map((row) => JSON.parse(row) as Readonly<Record<string, number>>);
  return { status, said: stdout + stderr, rows };
}

t.test('a model from a file trains in the trainer’s thread', (t) => {
  const { status, said, rows } = ran('copy');
  t.equal(status, 0, said);
  t.notMatch(said, /trains in its thread/);
  const losses = rows('metrics.jsonl').map(({ loss }) => loss!);
  t.equal(losses.length, 60);
  t.ok(losses.at(-1)! < losses[0]! / 100, `${losses[0]} ${losses.at(-1)}`);
  t.end();
});

t.test('a measure from a file is taken before the training, on its way and at its end', (t) => {
  const { status, said, rows } = ran('measured');
  t.equal(status, 0, said);
  t.match(
    said,
    /\nheld-out-loss: loss [\d.e-]+ before, [\d.e-]+ after\n[\s\S]*after step 20: held-out-loss: loss [\d.e-]+\n/,
  );
  const losses = rows('evaluations.jsonl').map(
    ({ features }) => (features as unknown as { loss: number; images: number }[])[0]!,
  );
  t.equal(losses.length, 4);
  t.ok(losses.at(-1)!.loss < losses[0]!.loss / 100, JSON.stringify(losses));
  t.ok(losses.every(({ images }) => images === 12));
  t.end();
});

t.test('a tracker from a file hears every step', (t) => {
  const { status, said, rows } = ran('tracked');
  t.equal(status, 0, said);
  const losses = rows('metrics.jsonl').map(({ loss }) => loss!);
  const [best] = rows('least.json');
  t.equal(losses.length, 60);
  t.equal(best!.loss, Math.min(...losses));
  t.equal(losses[best!.step!], best!.loss);
  t.match(said, `best: the least loss was ${best!.loss!.toFixed(4)}`);
  t.end();
});

t.test('a source and a sink from files: every picture of the list, in its order', (t) => {
  const photos = join(root, 'fixtures', 'photos');
  const names = readdirSync(photos)
    .filter((name) => /\.(jpg|png)$/.test(name))
    .reverse();
  writeFileSync(join(photos, 'list.txt'), ['gone.jpg', ...names, ''].join('\n'));
  const { status, said } = ran('listed');
  t.equal(status, 0, said);
  t.match(said, new RegExp(`listed ${names.length + 1} = ${names.length} delivered \\+ 1 failed`));
  t.match(said, `the means of ${names.length} pictures`);
  const rows = readFileSync(join(root, 'runs', 'listed', 'means.tsv'), 'utf8')
    .trim()
    .split('\n');
  t.same(
    rows.map((row) => row.split('\t')[0]),
    names,
  );
  t.ok(rows.every((row) => Number(row.split('\t')[1]) > 0));
  t.end();
});
