import t from 'tap';
import { killedAt, killPoints } from '../kit/runs/kill-points.ts';

t.test('a job that is killed anywhere and begun again gives the same shards, each sample once', (t) =>
  killedAt(t, killPoints),
);
