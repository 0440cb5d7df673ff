import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { recipes } from '../../kit/datasets/recipes.ts';

/** Trainings on data that is published apart, all of them; the others are run elsewhere. */
const names = readdirSync('pipelines')
  .filter((name) => !/quickstart|ablation|mae-photos|mae-cls-tokens/.test(name))
  .map((name) => name.replace(/\.yaml$/, ''));

t.test(
  'every recipe trains two steps of a nano model on a small data set, after those that it begins with',
  async (t) => {
    const all = await recipes(t);
    for (const name of names) await all.train(name);
    t.ok(all.count > 40, `${all.count} trainings`);
  },
);

/** The rows of docs/recipes.md that are a file with `--set`: file and values. */
function variants(): [string, string[]][] {
  const rows = readFileSync('docs/recipes.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '));
  const cells = rows.flatMap((row) => row.split(' | '));
  return cells.flatMap((cell): [string, string[]][] => {
    const [first, ...others] = [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
    const sets = others.filter((code) => code.startsWith('--set ') && !/[A-Z]{3}/.test(code));
    return sets.map((code) => [first!, [...code.matchAll(/--set (?:'([^']*)'|(\S+))/g)].map(([, a, b]) => a ?? b!)]);
  });
}

t.test('so does every row that is a file and `--set`', async (t) => {
  const all = await recipes(t);
  const rows = variants();
  t.ok(rows.length >= 9, JSON.stringify(rows));
  for (const [name, sets] of rows) await all.vary(name, sets);
});
