import t from 'tap';
import { manifestSeeds, parquetSeeds } from '../kit/files/tables.ts';
import { mutate } from '../kit/pictures/mutations.ts';
import { mutateTables } from '../kit/table-mutations.ts';
import { mutateVectors } from '../kit/vector-mutations.ts';

t.test('400 mutated shards and tars: errors of the catalogue, and nothing outside the target', async (t) => {
  const { strange, stray, refused, failed, read } = await mutate(t.testdir({}), 400);
  t.same(strange, []);
  t.same(stray, []);
  t.ok(refused > 40 && failed > 10 && read > 200, `${refused} refused, ${failed} samples failed, ${read} read`);
});

t.test('250 mutated files of vectors: errors of the catalogue, or vectors that are whole', async (t) => {
  const { strange, refused, read } = await mutateVectors(t.testdir({}), 250);
  t.same(strange, []);
  t.ok(refused > 50 && read > 20, `${refused} refused, ${read} read`);
});

t.test('300 mutated lists of pictures: errors of the catalogue, or samples whose class is in the list', async (t) => {
  const { strange, refused, read } = await mutateTables(t.testdir({}), manifestSeeds(), 300);
  t.same(strange, []);
  t.ok(refused > 50 && read > 200, `${refused} refused, ${read} read`);
});

t.test('400 mutated tables of Parquet: errors of the catalogue, or samples with a class', async (t) => {
  const { strange, refused, failed, read } = await mutateTables(t.testdir({}), parquetSeeds(), 400);
  t.same(strange, []);
  t.ok(refused > 50 && failed > 50 && read > 500, `${refused} refused, ${failed} failed, ${read} read`);
});
