import t from 'tap';
import { mutate } from '../kit/pictures/mutations.ts';

t.test('400 mutated shards and tars: errors of the catalogue, and nothing outside the target', async (t) => {
  const { strange, stray, refused, failed, read } = await mutate(t.testdir({}), 400);
  t.same(strange, []);
  t.same(stray, []);
  t.ok(refused > 40 && failed > 10 && read > 200, `${refused} refused, ${failed} samples failed, ${read} read`);
});
