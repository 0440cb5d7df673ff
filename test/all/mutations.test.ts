import t from 'tap';
import { mutate } from '../kit/mutations.ts';

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
