import t from 'tap';
import { pipelineDifference } from '../../src/pipeline/difference.ts';

const before = { name: 'a', train: { batch: 8, stop: { patience: 2 }, checkpoint: { keep: 2 }, microBatch: 'auto' } };

t.test('what decides the speed of a pipeline, or how often it is saved, makes no other one', async (t) => {
  const { train } = before;
  const faster = {
    ...before,
    threads: 8,
    permits: 64,
    reads: 4,
    track: [],
    train: { ...train, microBatch: 4, thread: 'main' },
  };
  t.equal(pipelineDifference(before, faster), undefined);
  t.equal(pipelineDifference(before, { ...before, train: { ...train, checkpoint: { everySteps: 5 } } }), undefined);
  t.match(
    pipelineDifference(before, { ...before, train: { ...train, batch: 4 } }),
    /^train\.batch is 8 in it and 4 in/,
  );
  t.match(
    pipelineDifference(before, { ...before, train: { ...train, stop: { patience: 3 } } }),
    /train\.stop\.patience/,
  );
  t.match(pipelineDifference(before, { ...before, watch: true }), /^it was run without --watch$/);
  const job = { name: 'a', sink: { jsonl: {} } };
  t.equal(pipelineDifference(job, { ...job, threads: 2 }), undefined);
});

t.test('a model that was trained anew is told where nothing else differs', async (t) => {
  const [one, other] = ['1', '2'].map((digest) => ({ name: 'a', models: { embed: digest } }));
  t.match(pipelineDifference(one!, other!), /the model of `embed` was trained or written anew/);
  t.match(pipelineDifference(one!, { ...other, name: 'b' }), /^name is 'a' in it and 'b' in the pipeline$/);
});
