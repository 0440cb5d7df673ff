import t from 'tap';
import { killedAt, killPoints, vectorsKilledAt } from '../kit/runs/kill-points.ts';

t.test('a job that is killed anywhere and begun again gives the same shards, each sample once', (t) =>
  killedAt(t, killPoints),
);

for (const sink of ['parquet', 'npy'] as const)
  t.test(`${sink}: a job that is killed anywhere and begun again gives the same files, each sample once`, (t) =>
    vectorsKilledAt(t, sink, killPoints),
  );
