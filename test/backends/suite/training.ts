import type { Test } from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { buildModel } from '../../../src/models/index.ts';
import type { HostBatch } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import type { ModelPlan } from '../../../src/train/definition.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { Step } from '../../../src/train/step.ts';
import { sampleMasks } from '../../../src/vision/masks.ts';
import type { Spec } from '../../../src/vision/spec.ts';
import { inBfloat16 } from '../../kit/training/torch.ts';
import { smallFields, smallSpec } from '../../kit/training/train.ts';

const microBatch = 2;
const nano = { size: 'nano', width: 16, depth: 1, heads: 2 } as const;
const decoder = { decoderWidth: 16, decoderDepth: 1, decoderHeads: 2 };
const narrow = { width: 16, depth: 1, heads: 2 };
const classes = { ...nano, patch: 4, classes: 3, labelSmoothing: 0 };
const windowed: Spec = { ...smallSpec, fields: { ...smallSpec.fields, lr: 'picture' }, hidden: 5 };
const whole: Spec = {
  fields: { picture: 'picture', lr: 'picture', masks: { dtype: 'uint8', shape: [16] } },
  size: [16, 16],
  grid: { patch: 4, side: 4 },
};

export interface TrainingPlan extends ModelPlan {
  readonly title: string;
  readonly fields: (positions: readonly number[]) => HostBatch;
}

/** Every model as small as it can be and still be all of it, on the pictures of 16 px that `fieldsOf` makes. */
export const trainingPlans: readonly TrainingPlan[] = [
  { title: 'lomar', name: 'lomar', options: { ...nano, target: 'pixels' }, spec: smallSpec, fields: smallFields },
  ...[{ positions: 'absolute' }, { decoder: narrow }, { maskTokensFrom: 1, depth: 2 }].map((arm) => ({
    title: `lomar ${Object.keys(arm)[0]}`,
    name: 'lomar',
    options: { ...nano, target: 'pixels', ...arm },
    spec: windowed,
    fields: smallFields,
  })),
  {
    title: 'lomar-srmae',
    name: 'lomar-srmae',
    options: { ...nano, decoder: narrow },
    spec: windowed,
    fields: windowedFields,
  },
  {
    title: 'mae with cls tokens',
    name: 'mae',
    options: { ...nano, ...decoder, clsTokens: 2 },
    spec: whole,
    fields: wholeFields,
  },
  { title: 'mae', name: 'mae', options: { ...nano, ...decoder }, spec: whole, fields: wholeFields },
  { title: 'srmae', name: 'srmae', options: { ...nano, ...decoder }, spec: whole, fields: wholeFields },
  {
    title: 'classifier on lomar',
    name: 'classifier',
    options: { ...classes, encoder: 'lomar' },
    spec: whole,
    fields: labelledFields,
  },
  {
    title: 'classifier on mae',
    name: 'classifier',
    options: { ...classes, encoder: 'mae', pool: 'cls' },
    spec: whole,
    fields: labelledFields,
  },
];

/** A model of each kind, for the quick tests; the others train in test/all. */
const quick = ['lomar', 'lomar decoder', 'srmae', 'classifier on mae'];
export const quickPlans = trainingPlans.filter(({ title }) => quick.includes(title));
export const otherPlans = trainingPlans.filter(({ title }) => !quick.includes(title));

/**
 * Trains each model for 20 steps of two micro-batches on the backend that `prepare` makes current, and on the one that `prepareOther` does: from
 * the same weights and pictures, the losses of each step may differ by a thousandth.
 */
export async function testTraining(
  t: Test,
  prepare: () => Promise<unknown>,
  prepareOther: () => Promise<unknown>,
  plans = trainingPlans,
): Promise<void> {
  for (const plan of plans) {
    await t.test(plan.title, async (t) => {
      await prepareOther();
      const expected = await trainPlan(t, plan);
      await prepare();
      const found = await trainPlan(t, plan);
      t.equal(found.length, 20);
      for (const [i, loss] of found.entries())
        t.ok(Math.abs(loss / expected[i]! - 1) <= 1e-3, `step ${i}: loss ${loss}, there ${expected[i]}`);
      t.ok(found.at(-1)! < found[0]!, 'and it learns');
    });
  }
}

/** Trains each model in float32 and in bfloat16 on the backend torch: the loss after 50 steps may differ by a hundredth. */
export async function testBfloat16Training(t: Test, plans: readonly TrainingPlan[]): Promise<void> {
  for (const plan of plans) {
    await t.test(plan.title, async (t) => {
      const wide = await trainPlan(t, plan, 50, 1e-3);
      const narrow = await inBfloat16(() => trainPlan(t, plan, 50, 1e-3));
      t.ok(Math.abs(narrow.at(-1)! / wide.at(-1)! - 1) <= 1e-2, `${narrow.at(-1)}, in float32 ${wide.at(-1)}`);
      t.notSame(narrow, wide, 'and it is another precision');
    });
  }
}

/** The losses of so many steps of two micro-batches on the current backend. Nothing is left behind. */
export async function trainPlan(t: Test, plan: TrainingPlan, steps = 20, lr = 3e-3): Promise<number[]> {
  const before = tf.memory().numTensors;
  const model = await buildModel(plan);
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const step = new Step({ model, params, optimizer, state });
  const losses: number[] = [];
  for (let at = 0; at < steps; at++) {
    for (const half of [0, 1]) {
      // The same eight pictures come again: what is learnt shows within twenty steps.
      const first = ((2 * at + half) % 4) * microBatch;
      step.add(plan.fields(Array.from({ length: microBatch }, (_, i) => first + i)));
    }
    const { loss, finite } = await step.measure();
    t.ok(finite, 'loss and gradient are numbers');
    losses.push(loss);
    step.update(lr);
    step.clear();
  }
  step.dispose();
  tf.dispose(params);
  disposeState(state);
  model.dispose();
  t.equal(tf.memory().numTensors, before, `${plan.name} on ${tf.getBackend()}: tensors after as before`);
  return losses;
}

/** Pictures of `smallFields`, each of one of three classes. */
function labelledFields(positions: readonly number[]): HostBatch {
  const label = Int32Array.from(positions, (position) => position % 3);
  return {
    picture: smallFields(positions).picture!,
    label: { dtype: 'int32', shape: [positions.length], data: label },
  };
}

/** What `smallFields` has, and its pictures half as large. */
function windowedFields(positions: readonly number[]): HostBatch {
  return { ...smallFields(positions), lr: wholeFields(positions).lr! };
}

/** Pictures of `smallFields` with 12 of their 16 patches hidden, and half as large. */
function wholeFields(positions: readonly number[]): HostBatch {
  const N = positions.length;
  const picture = smallFields(positions).picture!;
  const masks = new Uint8Array(N * 16);
  for (const [n, position] of positions.entries())
    masks.set(sampleMasks(1, 16, 12, new Random(7, 'masks', String(position))), n * 16);
  const lr = Uint8Array.from({ length: N * 8 * 8 * 3 }, (_, at) => {
    const [n, row, rest] = [Math.floor(at / 192), Math.floor((at % 192) / 24), at % 24];
    return picture.data[(n * 16 + 2 * row) * 48 + 6 * Math.floor(rest / 3) + (rest % 3)]!;
  });
  return {
    picture,
    lr: { dtype: 'uint8', shape: [N, 8, 8, 3], data: lr },
    masks: { dtype: 'uint8', shape: [N, 16], data: masks },
  };
}
