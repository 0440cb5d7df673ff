import t from 'tap';
import { recipes } from '../kit/datasets/recipes.ts';

t.test(
  'recipes of small pictures train two steps from fresh weights; test/all has all of them, one after the other',
  async (t) => {
    const some = await recipes(t, { fresh: true });
    for (const name of ['svhn-8x8', 'ck-plus-100', 'raf-db-100', 'expw-100']) await some.train(name);
    t.equal(some.count, 5, 'and the faces');
  },
);
