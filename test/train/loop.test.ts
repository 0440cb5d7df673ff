import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { buildModel } from '../../src/models/index.ts';
import { Random } from '../../src/random.ts';
import { type LoopOptions, type Progress, train } from '../../src/train/loop.ts';
import { digestKeys, type Measures } from '../../src/train/metrics.ts';
import { adamw } from '../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../src/train/optimizers/optimizer.ts';
import { Step } from '../../src/train/step.ts';
import { linearFields, linearModel, linearStream, smallDefinition, smallFields } from '../kit/training/train.ts';

const model = linearModel();
const optimizer = adamw(model.decays, {});

function fresh() {
  const params = model.init((name) => new Random(7, 'init', name));
  return { model, params, optimizer, state: optimizer.init(params) };
}

function weightsOf(params: Record<string, tf.Variable>): number[] {
  return Object.values(params).flatMap((variable) => [...variable.dataSync()]);
}

/** Runs from fresh weights and returns the measures, the weights and the end. */
async function run(options: Partial<LoopOptions> & Pick<LoopOptions, 'next'>) {
  const learner = fresh();
  const rows: Measures[] = [];
  try {
    const end = await train({
      ...learner,
      schedule: () => 0.05,
      batch: 16,
      steps: 10,
      count: 40,
      onNotANumber: 'stop',
      onStep: (row) => void rows.push(row),
      ...options,
    });
    return { end, rows, weights: weightsOf(learner.params) };
  } finally {
    tf.dispose(learner.params);
    disposeState(learner.state);
  }
}

t.before(() => prepareWasm());

t.test('it learns, and measures what contracts promise', async (t) => {
  const { rows, end } = await run({ next: linearStream({ end: 10_000, batch: 16, microBatch: 16 }), steps: 200 });
  t.same(end, { step: 200, position: 3200, ended: 'steps', skipped: 0 });
  t.ok(rows.at(-1)!.loss < 0.01 * rows[0]!.loss, `loss ${rows[0]!.loss} to ${rows.at(-1)!.loss}`);
  t.equal(rows[5]!.epoch, (5 * 16) / 40);
  t.equal(rows[1]!.keys, digestKeys(Array.from({ length: 16 }, (_, i) => `sample-${16 + i}`)));
  t.ok(rows.every((row) => row.imagesPerSecond > 0 && row.dataWaitMs >= 0 && row.permitWaitMs === 0));
});

t.test('each row says how long its passes took, and how long they waited for samples', async (t) => {
  const stream = linearStream({ end: 10_000, batch: 16, microBatch: 8 });
  const { rows } = await run({
    next: async () => {
      const asked = performance.now();
      while (performance.now() - asked < 2) await new Promise(setImmediate);
      return stream();
    },
    steps: 5,
  });
  for (const { dataWaitMs, passMs, uploadMs } of rows) {
    t.ok(dataWaitMs >= 2 * 2 - 0.1, `waited ${dataWaitMs} ms`);
    t.ok(passMs > 0, `computed ${passMs} ms`);
    t.ok(uploadMs >= 0);
  }
});

t.test('loss and norms of the first step, against plain arithmetic', async (t) => {
  const learner = fresh();
  const step = new Step(learner);
  const fields = linearFields([0, 1, 2, 3]);
  step.add(fields);
  const measured = await step.measure();
  const [w0, w1, w2, bias] = weightsOf(learner.params) as [number, number, number, number];
  const gradient = [0, 0, 0, 0];
  let loss = 0;
  for (let n = 0; n < 4; n++) {
    const x = [...fields.x!.data.subarray(3 * n, 3 * n + 3), 1];
    const error = x[0]! * w0 + x[1]! * w1 + x[2]! * w2 + bias - fields.label!.data[n]!;
    loss += error ** 2 / 4;
    for (let i = 0; i < 4; i++) gradient[i]! += (2 * error * x[i]!) / 4;
  }
  t.ok(Math.abs(measured.loss - loss) < 1e-5);
  t.ok(Math.abs(measured.gradNorm - Math.hypot(...gradient)) < 1e-5);
  t.ok(Math.abs(measured.paramNorm - Math.hypot(w0, w1, w2, bias)) < 1e-5);
  step.dispose();
  tf.dispose(learner.params);
  disposeState(learner.state);
});

t.test('micro-batches of 1, 4 and 16 make equal updates', async (t) => {
  const [whole, ...cut] = await Promise.all(
    [16, 4, 1].map((microBatch) => run({ next: linearStream({ end: 10_000, batch: 16, microBatch }) })),
  );
  for (const { weights, rows } of cut) {
    const difference = Math.hypot(...weights.map((w, i) => w - whole!.weights[i]!)) / Math.hypot(...whole!.weights);
    t.ok(difference < 1e-5, `relative difference ${difference}`);
    t.same(
      rows.map(({ keys }) => keys),
      whole!.rows.map(({ keys }) => keys),
    );
  }
});

t.test('a short last batch is thrown away', async (t) => {
  const { end, rows } = await run({ next: linearStream({ end: 16 * 3 + 12, batch: 16, microBatch: 4 }) });
  t.same(end, { step: 3, position: 48, ended: 'data', skipped: 0 });
  t.equal(rows.length, 3);
});

t.test('a step that begins anew throws away what the unfinished one had gathered', async (t) => {
  const before = tf.memory().numTensors;
  const cut = linearStream({ end: 8, batch: 16, microBatch: 4 });
  const rest = linearStream({ start: 8, end: 10_000, batch: 16, microBatch: 4 });
  const joined = await run({ next: async () => (await cut()) ?? rest(), steps: 2 });
  const plain = await run({ next: linearStream({ start: 8, end: 10_000, batch: 16, microBatch: 4 }), steps: 2 });
  t.same(joined.weights, plain.weights);
  t.equal(joined.end.position, 40);
  t.equal(tf.memory().numTensors, before);
});

t.test('loss that is not a number stops the run, or is skipped and counted', async (t) => {
  const broken = () =>
    linearStream({ end: 80, batch: 16, microBatch: 8 }, (fields, positions) =>
      positions.includes(35)
        ? { ...fields, label: { ...fields.label!, data: new Float32Array(8).fill(Number.NaN) } }
        : fields,
    );
  const before = tf.memory().numTensors;
  const error = (await run({ next: broken() }).catch((error: unknown) => error)) as Error;
  t.match(error, { code: 'LOSS_NOT_A_NUMBER' });
  t.match(error.message, /step 2 .*NaN.*sample-32, sample-33.* and 8 more/);
  t.equal(tf.memory().numTensors, before, 'the failed step left nothing behind');
  const { end, rows, weights } = await run({ next: broken(), onNotANumber: 'skip' });
  t.match(end, { step: 5, skipped: 1 });
  t.same(
    rows.map(({ skipped }) => skipped ?? false),
    [false, false, true, false, false],
  );
  t.ok(weights.every(Number.isFinite));
});

t.test('a hundred skipped steps in a row end the run, ninety-nine do not', async (t) => {
  const broken = (from: number, to: number) =>
    linearStream({ end: 110 * 8, batch: 8, microBatch: 8 }, (fields, [first = 0]) =>
      first >= 8 * from && first < 8 * to
        ? { ...fields, label: { ...fields.label!, data: new Float32Array(8).fill(Number.NaN) } }
        : fields,
    );
  const options = { batch: 8, steps: 110, onNotANumber: 'skip' } as const;
  t.match((await run({ next: broken(1, 100), ...options })).end, { step: 110, skipped: 99 });
  const lost = { code: 'LOSS_LOST', message: /the last 100 steps up to step 102 were all skipped/ };
  await t.rejects(run({ next: broken(3, 110), ...options }), lost);
});

t.test('micro-batches that do not add up to the batch are an error', async (t) => {
  const next = linearStream({ end: 100, batch: 30, microBatch: 10 });
  await t.rejects(run({ next }), { code: 'MICRO_BATCH_SIZE' });
});

t.test('checkpoints when due and at the end; stopping ends between steps', async (t) => {
  const saves: Progress[] = [];
  const save = async (at: Progress) => void saves.push(at);
  const next = () => linearStream({ end: 10_000, batch: 16, microBatch: 4 });
  await run({ next: next(), save, due: ({ step }) => step % 4 === 0 });
  t.same(
    saves.map(({ step, position }) => [step, position]),
    [
      [4, 64],
      [8, 128],
      [10, 160],
    ],
  );

  saves.length = 0;
  await run({ next: next(), save, due: (_, epoch) => epoch === 2 });
  t.same(
    saves.map(({ step }) => step),
    [5, 10],
    'an epoch is told where the step ends',
  );

  saves.length = 0;
  let asked = 0;
  const { end } = await run({ next: next(), save, stopping: () => ++asked > 3 });
  t.same(end, { step: 3, position: 48, ended: 'stopped', skipped: 0 });
  t.same(
    saves.map(({ step }) => step),
    [3],
  );
});

t.test('300 steps leave no tensor behind', async (t) => {
  const counts = new Set<number>();
  const onStep = () => void counts.add(tf.memory().numTensors);
  await run({ next: linearStream({ end: 10_000, batch: 8, microBatch: 4 }), batch: 8, steps: 300, onStep });
  t.equal(counts.size, 1, [...counts].join());
});

t.test('300 steps of LoMaR in micro-batches leave no tensor behind', async (t) => {
  const lomar = await buildModel(smallDefinition('').model);
  const adam = adamw(lomar.decays);
  const params = lomar.init((name) => new Random(7, 'init', name));
  const stream = linearStream({ end: 1200, batch: 4, microBatch: 2 });
  const counts = new Set<number>();
  const learner = { model: lomar, params, optimizer: adam, state: adam.init(params) };
  const { step } = await train({
    ...learner,
    next: async () => {
      const micro = await stream();
      return micro && { ...micro, fields: smallFields(micro.positions) };
    },
    schedule: () => 1e-3,
    batch: 4,
    steps: 300,
    onNotANumber: 'stop',
    onStep: () => void counts.add(tf.memory().numTensors),
  });
  t.equal(step, 300);
  t.equal(counts.size, 1, [...counts].join());
  tf.dispose(params);
  disposeState(learner.state);
  lomar.dispose();
});
