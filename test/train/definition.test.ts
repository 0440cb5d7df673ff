import { join } from 'node:path';
import t from 'tap';
import { buildModel } from '../../src/models/index.ts';
import { checkpointRule, decisive, saveRule, scheduleOf, stepsOf } from '../../src/train/definition.ts';
import { epochAt } from '../../src/train/epoch.ts';
import { digestDefinition } from '../../src/train/weights/checkpoint.ts';
import { smallDefinition, smallSpec } from '../kit/training/train.ts';

t.test('the rate follows optimizer and schedule', (t) => {
  const adamw = { weightDecay: 0.05, betas: [0.9, 0.95] as [number, number], eps: 1e-8 };
  const at = (step: number, epoch = 0) => ({ step, epoch });
  const cosine = scheduleOf(smallDefinition(''));
  t.same([cosine(at(0)), cosine(at(1)), cosine(at(2)), cosine(at(8))], [0, 1.5e-3, 3e-3, 0]);
  const constant = scheduleOf(smallDefinition('', { schedule: { constant: { warmupSteps: 4 } } }));
  t.same([constant(at(1)), constant(at(7))], [3e-3 / 4, 3e-3]);
  // models.md's vector: base rate 1.5e-4, batch 4096, 400 epochs, 20 of warm-up.
  const long = scheduleOf(
    smallDefinition('', {
      batch: 4096,
      length: { epochs: 400 },
      optimizer: { adamw: { ...adamw, baseLr: 1.5e-4 } },
      schedule: { cosine: { warmupEpochs: 20, minLr: 0 } },
    }),
  );
  for (const [epoch, rate] of [
    [0, 0],
    [10, 1.2e-3],
    [20, 2.4e-3],
    [210, 1.2e-3],
    [400, 0],
  ] as const) {
    t.ok(Math.abs(long(at(0, epoch)) - rate) < 1e-9, `epoch ${epoch}`);
  }
  t.equal(stepsOf({ length: { epochs: 3 } }), Number.POSITIVE_INFINITY);
  t.end();
});

t.test('checkpoints by steps, by epochs, and by default', (t) => {
  const due = (checkpoint: { everySteps?: number; everyEpochs?: number }, from: number, epochs: number[]) => {
    const rule = checkpointRule({ checkpoint: { ...checkpoint, keep: 1 } }, from);
    return epochs.flatMap((epoch, i) => (rule({ step: i + 1 }, epoch) ? [i + 1] : []));
  };
  t.same(due({ everySteps: 2 }, 0, [0, 0, 0, 0, 0]), [2, 4]);
  t.same(due({ everyEpochs: 1 }, 0, [0.4, 0.8, 1.2, 1.6, 2]), [3, 5]);
  t.same(due({ everyEpochs: 1 }, 1.2, [1.6, 2]), [2], 'a resumed run goes on counting');
  t.same(due({}, 0, new Array(250).fill(0)), [100, 200]);
  const both = saveRule({ checkpoint: { everySteps: 4, keep: 1 }, evaluate: { epochs: 1 } }, 0);
  const saved = [0.4, 0.8, 1.2, 1.6, 2, 2.4].flatMap((epoch, i) => (both({ step: i + 1 }, epoch) ? [i + 1] : []));
  t.same(saved, [3, 4, 5], 'also where the training is to be evaluated');
  t.end();
});

t.test('N1: where epochs end at their last full batch, a step of one of three full batches is a third of it', (t) => {
  const epochs = { count: 40, batch: 12, dropLast: true };
  // Twelve steps: positions 0, 12, 24, then 40, 52, 64, and so on.
  const begins = Array.from({ length: 12 }, (_, i) => 40 * Math.floor(i / 3) + 12 * (i % 3));
  const ends = begins.map((position) => epochAt(position + 12, epochs));
  const rule = checkpointRule({ checkpoint: { everyEpochs: 1, keep: 1 } }, 0);
  t.same(
    ends.flatMap((epoch, i) => (rule({ step: i + 1 }, epoch) ? [i + 1] : [])),
    [3, 6, 9, 12],
  );
  const near = (position: number, expected: number) => t.ok(Math.abs(epochAt(position, epochs) - expected) < 1e-12);
  for (const [i, position] of begins.entries()) near(position, i / 3);
  t.equal(epochAt(38, epochs), 1, 'samples that failed move the last step on');
  t.equal(epochAt(30, { ...epochs, dropLast: false }), 0.75);
  t.equal(epochAt(30, { batch: 12, count: Number.POSITIVE_INFINITY, dropLast: true }), 0);
  t.end();
});

t.test('what decides the weights is in the digest, and nothing else', (t) => {
  const digest = (change: Parameters<typeof smallDefinition>[1]) =>
    digestDefinition(decisive(smallDefinition('', change)));
  t.equal(digest({}), digest({ folder: 'elsewhere', backend: 'auto', checkpoint: { keep: 9 }, fresh: true }));
  t.not(digest({}), digest({ seed: 8 }));
  t.not(digest({}), digest({ data: { stages: [] } }));
  t.end();
});

t.test('models are built by name, the user’s by the module that exports them', async (t) => {
  const built = (name: string, more: object = {}) => buildModel({ name, options: {}, spec: smallSpec, ...more });
  await t.rejects(built('bert'), { code: 'MODEL_UNKNOWN' });
  await t.rejects(built('toString'), { code: 'MODEL_UNKNOWN' });
  await t.rejects(built('lomar', { spec: { fields: {} } }), { code: 'MODEL_PATCH' });
  const folder = t.testdir({
    'mine.ts': `
import { defineModel } from 'patchstream';
import { z } from 'zod';
const none = () => {};
const rest = { fields: [], parameters: [], init: none, inputs: none, loss: none, stored: none, decays: none, dispose: none };
export const mine = defineModel({
  name: 'mine', summary: 'Mine.', options: z.strictObject({ width: z.int().default(3) }), fields: ['picture'],
  build: ({ width }) => ({ name: 'mine', width, ...rest }) as never,
});
`,
  });
  const module = join(folder, 'mine.ts');
  t.match(await built('mine', { module }), { name: 'mine', width: 3 });
  await t.rejects(built('other', { module }), { code: 'MODEL_UNKNOWN', message: /mine/ });
});
