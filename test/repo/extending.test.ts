import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { builtin } from '../../src/pipeline/builtin.ts';
import { checkFile } from '../../src/pipeline/check.ts';
import { labelledFolder, pictureFolder } from '../kit/files/folder.ts';

const page = readFileSync('docs/extending.md', 'utf8');
const blocks = [...page.matchAll(/^```(?:ts|yaml)\n(?:\/\/|#) (\S+)\n([\s\S]*?)^```/gm)].map(
  ([, name, text]) => [name!, text!] as const,
);
const files = Object.fromEntries(blocks);
const root = t.testdir({ ...files, node_modules: { patchstream: t.fixture('symlink', resolve('.')) } });

t.before(async () => {
  await pictureFolder(join(root, 'fixtures', 'photos'), 24);
  await pictureFolder(join(root, 'fixtures', 'held-out'), 16);
  const [classes, named] = ['classes', 'named'].map((name) => join(root, 'fixtures', name)) as [string, string];
  await labelledFolder(classes, 24);
  mkdirSync(named);
  for (const name of readdirSync(classes))
    for (const file of readdirSync(join(classes, name)))
      renameSync(join(classes, name, file), join(named, `${name}.${file}`));
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

t.test('each pipeline of the page is sound', async (t) => {
  const names = Object.keys(files).filter((name) => name.endsWith('.yaml'));
  t.same(names, ['named.yaml', 'listed.yaml', 'copy.yaml', 'measured.yaml', 'tracked.yaml']);
  for (const name of names) {
    const { problems } = await checkFile(join(root, name), { registry: builtin });
    t.same(
      problems.map(({ error }) => error.message),
      [],
      name,
    );
  }
});

t.test('a model, a measure and a tracker from files, in one training', (t) => {
  // A run takes seconds, most of them to begin.
  const use = '[./copy.ts, ./held-out-loss.ts, ./best.ts]';
  writeFileSync(join(root, 'all.yaml'), `extends: [./measured.yaml, ./tracked.yaml]\nname: all\nuse: ${use}\n`);
  const { status, said, rows } = ran('all');
  t.equal(status, 0, said);
  t.notMatch(said, /trains in its thread/, 'it trains in the trainer’s thread');
  const losses = rows('metrics.jsonl').map(({ loss }) => loss!);
  t.equal(losses.length, 60);
  t.ok(losses.at(-1)! < losses[0]! / 100, `${losses[0]} ${losses.at(-1)}`);

  t.match(
    said,
    /\nheld-out-loss: loss [\d.e-]+ before, [\d.e-]+ after\n[\s\S]*after step 20: held-out-loss: loss [\d.e-]+\n/,
    'measured before the training, on its way and at its end',
  );
  const measured = rows('evaluations.jsonl').map(
    ({ features }) => (features as unknown as { loss: number; images: number }[])[0]!,
  );
  t.equal(measured.length, 4);
  t.ok(measured.at(-1)!.loss < measured[0]!.loss / 100, JSON.stringify(measured));
  t.ok(measured.every(({ images }) => images === 12));

  const [best] = rows('least.json');
  t.equal(best!.loss, Math.min(...losses), 'the tracker has heard every step');
  t.equal(losses[best!.step!], best!.loss);
  t.match(said, `best: the least loss was ${best!.loss!.toFixed(4)}`);
  t.end();
});

t.test(
  'a source with labels from a file: its classes are learned and told apart on pictures that were held back',
  (t) => {
    const { status, said } = ran('named');
    t.equal(status, 0, said);
    const { classify } = JSON.parse(readFileSync(join(root, 'runs', 'named', 'evaluation.json'), 'utf8'));
    t.ok(classify.images >= 12, said);
    t.ok(classify.top1.end > 0.6, said);
    t.end();
  },
);

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
