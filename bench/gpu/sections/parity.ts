/**
 * Does the device compute what the CPU does? Loss, pixels and every gradient of small models with random parameters, then twenty steps of each model. On the CPU
 * itself, for a rehearsal, the reference is wasm.
 */
import * as tf from '../../../src/backends/tf.ts';
import type { Precision } from '../../../src/backends/torch/precision.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { buildModel } from '../../../src/models/index.ts';
import { Random } from '../../../src/random.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { Step } from '../../../src/train/step.ts';
import { answerOf, noisyParameters, relativeError } from '../../parity/answers.ts';
import { type ParityCase, parityCases } from '../../parity/cases.ts';
import { digits, kit, row, useTorch, whileTime } from '../child.ts';
import { compareAnswers, tolerances } from '../differences.ts';
import { precisions } from '../settings.ts';

const steps = 20;
/** What a lower precision may do to the loss. */
const bound = { steps: 50, apart: 0.01 };
const reference = kit.device === 'cpu' ? 'wasm' : 'torch on the cpu';
const useReference = () => (kit.device === 'cpu' ? prepareWasm(() => {}) : useTorch('cpu'));

async function answersOf(each: ParityCase): Promise<Map<string, Float32Array>> {
  const model = await buildModel({ name: each.model, options: each.options, spec: each.spec });
  const params = noisyParameters(model);
  try {
    return await answerOf(model, params, model.inputs(each.batch, each.chance));
  } finally {
    tf.dispose(params);
    model.dispose();
  }
}

/** The losses of so many steps on one micro-batch. */
async function lossesOf(each: ParityCase, steps: number): Promise<number[]> {
  const model = await buildModel({ name: each.model, options: each.options, spec: each.spec });
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const step = new Step({ model, params, optimizer, state });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    step.add(each.batch);
    losses.push((await step.measure()).loss);
    step.update(1e-4);
    step.clear();
  }
  step.dispose();
  tf.dispose(params);
  disposeState(state);
  model.dispose();
  return losses;
}

async function compareOnce(each: ParityCase): Promise<void> {
  await useReference();
  const expected = await answersOf(each);
  await useTorch(kit.device);
  row({ what: each.what, reference, ...compareAnswers(await answersOf(each), expected) });
}

async function compareSteps(each: ParityCase): Promise<void> {
  await useReference();
  const expected = await lossesOf(each, steps);
  await useTorch(kit.device);
  const found = await lossesOf(each, steps);
  const worst = Math.max(
    ...found.map((loss, i) => relativeError(Float32Array.of(loss), Float32Array.of(expected[i]!))),
  );
  row({
    what: `${steps} steps of ${each.what}`,
    reference,
    first: found[0],
    last: found.at(-1),
    lastThere: expected.at(-1),
    worst: digits(worst, 2),
    ok: worst <= tolerances.loss && found.at(-1)! < found[0]!,
  });
}

/** Fifty steps in a lower precision beside those in float32, on the device itself. */
async function compareBound(each: ParityCase, precision: Precision): Promise<void> {
  if ((await useTorch(kit.device, precision)).precision !== precision) return;
  const found = await lossesOf(each, bound.steps);
  await useTorch(kit.device);
  const expected = await lossesOf(each, bound.steps);
  const apart = Math.abs(found.at(-1)! / expected.at(-1)! - 1);
  row({
    what: `${bound.steps} steps of ${each.what} in ${precision}`,
    reference: 'float32',
    last: found.at(-1),
    lastThere: expected.at(-1),
    worst: digits(apart, 2),
    ok: apart <= bound.apart,
  });
}

const wanted = parityCases.filter(({ size }) => size === 'nano' || !kit.tiny);
const size = kit.tiny ? 'nano' : 'tiny';
const trained = ['lomar', 'mae', 'srmae'].map(
  (name) => wanted.find((each) => each.model === name && each.size === size)!,
);
await whileTime(wanted, { name: ({ what }) => what, seconds: 2 }, compareOnce);
await whileTime(trained, { name: ({ what }) => `${steps} steps of ${what}`, seconds: 5 }, compareSteps);
const lower = trained.flatMap((each) =>
  precisions.filter((name) => name !== 'float32').map((precision) => ({ each, precision })),
);
await whileTime(
  lower,
  { name: ({ each, precision }) => `${bound.steps} steps of ${each.what} in ${precision}`, seconds: 5 },
  ({ each, precision }) => compareBound(each, precision),
);
process.exit();
