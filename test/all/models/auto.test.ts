import t from 'tap';
import { expectTuned, tuned } from '../../kit/training/tuned.ts';

for (const model of Object.keys(tuned) as (keyof typeof tuned)[]) {
  t.test(`${model}: an epoch with the micro-batch tuned ends with the weights of the smallest and the largest`, (t) =>
    expectTuned(t, model, 'both'),
  );
}
