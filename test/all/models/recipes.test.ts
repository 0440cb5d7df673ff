import { readdirSync } from 'node:fs';
import t from 'tap';
import { recipes } from '../../kit/datasets/recipes.ts';

/** Trainings on data that is published apart, all of them; the others are run elsewhere. */
const names = readdirSync('pipelines')
  .filter((name) => !/quickstart|ablation|mae-cls-tokens/.test(name))
  .map((name) => name.replace(/\.yaml$/, ''));

t.test(
  'every recipe trains two steps of a nano model on a small data set, after those that it begins with',
  async (t) => {
    const all = await recipes(t);
    for (const name of names) await all.train(name);
    t.ok(all.count > 40, `${all.count} trainings`);
  },
);
