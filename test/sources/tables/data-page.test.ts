import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { gradient, jpeg } from '../../kit/pictures/pictures.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

const page = readFileSync('docs/data.md', 'utf8');
/** The text of a block that holds `mark`. */
const block = (language: string, mark: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].find(([, text]) =>
    text!.includes(mark),
  )![1]!;

t.test('the list of docs/data.md is read as the page says', async (t) => {
  const root = t.testdir({});
  mkdirSync(join(root, 'photos'));
  for (const name of ['a.jpg', 'b, cropped.jpg'])
    writeFileSync(join(root, 'photos', name), await jpeg(gradient(640, 320)));
  writeFileSync(join(root, 'faces.csv'), block('csv', 'emotion'));
  writeFileSync(join(root, 'faces.yaml'), block('yaml', 'manifest').replace('sink: shards', 'sink: jsonl'));
  const ran = await patchstream(['run', join(root, 'faces.yaml'), '--set', `output=${join(root, 'run')}`]);
  t.equal(ran.code, 0, ran.err);
  const rows = readFileSync(join(root, 'run/jsonl/faces-00000.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(rows, [
    { key: 'photos/a.jpg', label: 0, box: [120, 80, 200, 200], age: 31, person: 'ann' },
    { key: 'photos/a.jpg#2', label: 1, box: [410, 95, 180, 190], age: 28, person: 'ben' },
  ]);
  t.equal(rows.length, 2);
});

t.test('the tables of docs/data.md are read as the page says', async (t) => {
  const root = t.testdir({ svhn: { cropped_digits: {} } });
  for (const name of readdirSync('fixtures/parquet'))
    copyFileSync(join('fixtures/parquet', name), join(root, 'svhn/cropped_digits', name));
  writeFileSync(join(root, 'digits.yaml'), block('yaml', 'parquet').replace('sink: shards', 'sink: jsonl'));
  const ran = await patchstream(['run', join(root, 'digits.yaml'), '--set', `output=${join(root, 'run')}`]);
  t.equal(ran.code, 0, ran.err);
  const rows = readFileSync(join(root, 'run/jsonl/digits-00000.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.same(
    rows.map(({ label }) => label),
    Array.from({ length: 20 }, (_, i) => (7 * i) % 3),
  );
});
