import t from 'tap';
import { mutateDataset } from '../kit/datasets/mutate.ts';
import { subjects } from '../kit/datasets/subjects.ts';
import { tryNames } from '../kit/files/names.ts';
import { manifestSeeds, parquetSeeds } from '../kit/files/tables.ts';
import { mutate } from '../kit/pictures/mutations.ts';
import { mutateTables } from '../kit/table-mutations.ts';
import { mutateVectors } from '../kit/vector-mutations.ts';

t.test(
  '10,000 mutated shards and tars: errors of the catalogue, bounded memory, nothing outside the target',
  async (t) => {
    const { strange, stray, refused, failed, read, grown } = await mutate(t.testdir({}), 10_000);
    t.same(strange, []);
    t.same(stray, []);
    t.ok(grown < 150, `${Math.round(grown)} MiB more`);
    t.comment(`${refused} refused, ${failed} samples failed, ${read} read, ${Math.round(grown)} MiB more`);
    t.ok(refused > 1000 && failed > 250 && read > 5000);
  },
);

t.test(
  'L5, L9: of 10,000 strange names in folders and in tars none vanishes, and none does harm',
  { skip: process.platform !== 'linux' && 'names of any bytes are made on Linux alone' },
  async (t) => {
    const { read, passedOver, wrong } = await tryNames(t.testdir({}), 10_000, 12);
    t.same(wrong.slice(0, 20), []);
    t.comment(`${read} read, ${passedOver} passed over`);
    t.ok(read > 5000 && passedOver > 5000);
  },
);

t.test(
  '10,000 mutated files of vectors: errors of the catalogue, or vectors that are whole; bounded memory',
  async (t) => {
    const { strange, refused, read, grown } = await mutateVectors(t.testdir({}), 10_000);
    t.same(strange, []);
    t.comment(`${refused} refused, ${read} read, ${Math.round(grown)} MiB more`);
    t.ok(refused > 2000 && read > 1000);
    t.ok(grown < 300, `${Math.round(grown)} MiB more`);
  },
);

for (const [name, subject] of Object.entries(subjects))
  t.test(`10,000 mutations of ${name}: an error of the catalogue, or the labels as they are`, async (t) => {
    const { refused, read, wrong } = await mutateDataset(t.testdir({}), await subject(), 10_000);
    t.same(wrong.slice(0, 20), []);
    t.comment(`${refused} refused, ${read} read`);
    t.ok(refused > 2000 && read > 2000);
  });

for (const [what, seeds] of [
  ['lists of pictures', manifestSeeds],
  ['tables of Parquet', parquetSeeds],
] as const)
  t.test(
    `10,000 mutated ${what}: errors of the catalogue, or samples whose class is known; bounded memory`,
    async (t) => {
      const { strange, refused, failed, read, grown } = await mutateTables(t.testdir({}), seeds(), 10_000);
      t.same(strange, []);
      t.comment(`${refused} refused, ${failed} samples failed, ${read} read, ${Math.round(grown)} MiB more`);
      t.ok(refused > 1000 && read > 5000);
      t.ok(grown < 300, `${Math.round(grown)} MiB more`);
    },
  );
