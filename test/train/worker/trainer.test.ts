import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import t from 'tap';
import { presentAddon } from '../../../src/backends/torch/prepare.ts';
import { PatchstreamError } from '../../../src/errors.ts';
import type { TrainDefinition } from '../../../src/train/definition.ts';
import type { LoopEnd } from '../../../src/train/loop.ts';
import { type Measures, readMetrics } from '../../../src/train/metrics.ts';
import { startTrainer, type TrainerOptions } from '../../../src/train/worker/trainer.ts';
import { withoutTorch } from '../../kit/training/torch.ts';
import { linearModel, SmallLoader, smallDefinition } from '../../kit/training/train.ts';

interface Ran {
  readonly end: LoopEnd;
  readonly rows: Measures[];
  readonly notes: string[];
  readonly from: number;
  readonly loader: SmallLoader;
}

/** Trains a definition to its end, or stops it after `stopAfter` steps. */
async function run(
  definition: TrainDefinition,
  {
    thread = 'main',
    microBatch = 4,
    stopAfter = Number.POSITIVE_INFINITY,
    end = 10_000,
  }: { thread?: TrainerOptions['thread']; microBatch?: number; stopAfter?: number; end?: number } = {},
): Promise<Ran> {
  const loader = new SmallLoader();
  const notes: string[] = [];
  const trainer = await startTrainer({
    definition,
    memory: loader.memory,
    layout: loader.layout,
    thread,
    onFreed: loader.freed,
    onStep: ({ step }) => {
      if (step + 1 === stopAfter) trainer.stop();
    },
    onNote: (text) => notes.push(text),
  });
  await loader.feed(trainer, { microBatch, end });
  const ended = await trainer.done;
  const rows = readMetrics(await readFile(join(definition.folder, 'metrics.jsonl'), 'utf8'));
  return { end: ended, rows, notes, from: trainer.ready.step, loader };
}

const losses = ({ rows }: Ran) =>
  rows.map(({ loss, gradNorm, paramNorm, lr, keys }) => [loss, gradNorm, paramNorm, lr, keys]);

async function weights(folder: string): Promise<{ names: string[]; model: Buffer; optimizer: Buffer }> {
  const names = (await readdir(join(folder, 'checkpoints'))).sort();
  const read = (file: string) => readFile(join(folder, 'checkpoints', names.at(-1)!, file));
  return { names, model: await read('model.safetensors'), optimizer: await read('optimizer.safetensors') };
}

const root = t.testdir({ main: {}, worker: {} });
const folders = { main: join(root, 'main'), worker: join(root, 'worker') };
let whole: Ran;

t.test('a run in the calling thread: rows, checkpoints, cells', async (t) => {
  whole = await run(smallDefinition(folders.main));
  t.same(whole.end, { step: 8, position: 32, ended: 'steps', skipped: 0 });
  t.same(
    whole.rows.map(({ step, epoch }) => [step, epoch]),
    Array.from({ length: 8 }, (_, i) => [i, (i * 4) / 10]),
  );
  t.ok(whole.rows.at(-1)!.loss < whole.rows[0]!.loss);
  t.equal(whole.loader.available, 12, 'every cell is free again');
  t.same(
    (await weights(folders.main)).names,
    ['step-00000006', 'step-00000008'],
    'every third step and the last; two are kept',
  );
  const state = JSON.parse(await readFile(join(folders.main, 'checkpoints/step-00000008/state.json'), 'utf8'));
  t.match(state, {
    format: 2,
    step: 8,
    position: 32,
    updates: 8,
    seed: 7,
    versions: { patchstream: String, tfjs: String },
  });
});

t.test('a thread of its own gives equal losses and weights', async (t) => {
  const ran = await run(smallDefinition(folders.worker), { thread: 'worker' });
  t.same(losses(ran), losses(whole));
  t.same(await weights(folders.worker), await weights(folders.main));
  t.equal(ran.loader.available, 12);
});

t.test('micro-batches do not change the run beyond rounding', async (t) => {
  const ran = await run(smallDefinition(t.testdir()), { microBatch: 1 });
  for (const [i, { loss, keys }] of ran.rows.entries()) {
    t.ok(Math.abs(loss - whole.rows[i]!.loss) < 1e-4 * loss, `step ${i}`);
    t.equal(keys, whole.rows[i]!.keys);
  }
});

for (const stopAfter of [1, 3, 5]) {
  t.test(`stopped after step ${stopAfter} and started again: bit for bit the same`, async (t) => {
    const folder = t.testdir();
    const first = await run(smallDefinition(folder), { stopAfter });
    t.match(first.end, { ended: 'stopped' });
    t.ok(first.end.step < 8);
    const second = await run(smallDefinition(folder), { microBatch: 4 });
    t.equal(second.from, first.end.step);
    t.same(losses(second), losses(whole));
    const [found, expected] = [await weights(folder), await weights(folders.main)];
    t.same([found.model, found.optimizer], [expected.model, expected.optimizer]);
  });
}

const withoutBfloat16 =
  withoutTorch || (presentAddon().info().bfloat16 ? false : 'this processor has no products of bfloat16');

t.test('stopped in bfloat16 and started again: bit for bit the same', { skip: withoutBfloat16 }, async (t) => {
  const inBfloat16 = (folder: string) =>
    smallDefinition(folder, { backend: 'torch', device: 'cpu', precision: 'bfloat16' });
  const [once, twice] = [t.testdir(), t.testdir({ twice: {} })];
  const [left, right] = [join(once, 'once'), join(twice, 'twice')];
  const undisturbed = await run(inBfloat16(left));
  const first = await run(inBfloat16(right), { stopAfter: 3 });
  t.match(first.end, { ended: 'stopped' });
  const second = await run(inBfloat16(right));
  t.equal(second.from, first.end.step);
  t.same(losses(second), losses(undisturbed));
  const [found, expected] = [await weights(right), await weights(left)];
  t.same([found.model, found.optimizer], [expected.model, expected.optimizer]);
});

t.test('killed without a word between checkpoints: rows after the checkpoint are cut and made again', async (t) => {
  const folder = t.testdir();
  // The data ends in the middle; what a kill would lose is then taken away by hand.
  await run(smallDefinition(folder), { end: 20 });
  await rm(join(folder, 'checkpoints/step-00000005'), { recursive: true });
  t.equal(readMetrics(await readFile(join(folder, 'metrics.jsonl'), 'utf8')).length, 5);
  const again = await run(smallDefinition(folder));
  t.equal(again.from, 3);
  t.same(losses(again), losses(whole));
  t.same((await weights(folder)).model, (await weights(folders.main)).model);
});

t.test('a finished run is done at once; a fresh one begins anew', async (t) => {
  const folder = t.testdir();
  const definition = smallDefinition(folder, { length: { steps: 2 } });
  await run(definition);
  t.match(await run(definition), { from: 2, end: { step: 2, ended: 'steps' } });
  t.match(await run({ ...definition, fresh: true }), { from: 0, end: { step: 2 } });
  await t.rejects(run({ ...definition, seed: 8 }), {
    code: 'CHECKPOINT_MISMATCH',
    message: /pipeline; seed is 7 in it and 8 in the pipeline\. Give/,
  });
  t.match(
    await run({ ...definition, device: 'cpu', checkpoint: { keep: 1 } }),
    { from: 2 },
    'the place of computing may change',
  );
});

t.test('weights can come from a file', async (t) => {
  const init = join(folders.main, 'checkpoints/step-00000008');
  const ran = await run(smallDefinition(t.testdir(), { init, length: { steps: 1 } }));
  t.not(ran.rows[0]!.paramNorm, whole.rows[0]!.paramNorm);
  await t.rejects(run(smallDefinition(t.testdir({ sub: {} }), { init: '/nowhere' })), { code: 'WEIGHTS_MISSING' });
});

t.test('errors cross threads with code and message', async (t) => {
  const wrong = smallDefinition(t.testdir(), { model: { ...smallDefinition('').model, name: 'lomarr' } });
  for (const thread of ['main', 'worker'] as const) {
    const error = (await run(wrong, { thread }).catch((error: unknown) => error)) as PatchstreamError;
    t.ok(error instanceof PatchstreamError);
    t.equal(error.code, 'MODEL_UNKNOWN');
    t.match(error.message, /^MODEL_UNKNOWN: the model must be one of lomar, .*; got lomarr\. Did you mean lomar\?$/);
  }
});

t.test('an error in the middle of a run ends the feeding', async (t) => {
  const definition = smallDefinition(t.testdir(), {
    optimizer: { adamw: { lr: 1e30, weightDecay: 0, betas: [0.9, 0.95], eps: 1e-8 } },
    schedule: { constant: {} },
  });
  await t.rejects(run(definition), { code: 'LOSS_NOT_A_NUMBER' });
});

t.test('a thread that dies is a clear error', async (t) => {
  const loader = new SmallLoader();
  const started = new Promise<Worker>((resolve) => process.once('worker', resolve));
  const trainer = await startTrainer({
    definition: smallDefinition(t.testdir()),
    memory: loader.memory,
    layout: loader.layout,
    thread: 'worker',
    onFreed: loader.freed,
  });
  void (await started).terminate();
  await loader.feed(trainer, { microBatch: 4, end: 10_000 });
  await t.rejects(trainer.done, { code: 'TRAINER_DIED', message: /exit code 1/ });
});

t.test('a model of the running program trains in the calling thread', async (t) => {
  const loader = new SmallLoader();
  const model = linearModel();
  const memory = new ArrayBuffer(2 * 128);
  new Float32Array(memory).fill(0.5);
  const trainer = await startTrainer({
    definition: smallDefinition(t.testdir(), { batch: 2, length: { steps: 2 } }),
    model,
    memory,
    layout: {
      cellBytes: 128,
      fields: [
        { name: 'x', dtype: 'float32', shape: [3], offset: 0 },
        { name: 'label', dtype: 'float32', shape: [], offset: 64 },
      ],
    },
    thread: 'worker',
    onFreed: loader.freed,
  });
  for (let i = 0; i < 3; i++) {
    await trainer.send({ cells: Uint32Array.of(0, 1), keys: ['a', 'b'], positions: [2 * i, 2 * i + 1], batchIndex: 0 });
  }
  t.match(await trainer.done, { step: 2, ended: 'steps' });
});
