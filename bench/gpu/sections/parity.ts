/**
 * Does the device compute what the CPU does? Loss, pixels and every gradient of small models with random parameters, then twenty steps of each model. On the CPU
 * itself, for a rehearsal, the reference is wasm.
 */
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { buildModel } from '../../../src/models/index.ts';
import { Random } from '../../../src/random.ts';
import { adamw, disposeState } from '../../../src/train/optimizer.ts';
import { Step } from '../../../src/train/step.ts';
import { answerOf, noisyParameters, relativeError } from '../../parity/answers.ts';
import { type ParityCase, parityCases } from '../../parity/cases.ts';
import { digits, kit, row, useTorch, whileTime } from '../child.ts';
import { compareAnswers, tolerances } from '../differences.ts';

const steps = 20;
const reference = kit.device === 'cpu' ? 'wasm' : 'torch on the cpu';
const useReference = () => (kit.device === 'cpu' ? prepareWasm(() => {}) : useTorch('cpu'));

async function answersOf(each: ParityCase): Promise<Map<string, Float32Array>> {
  const model = await buildModel({ name: each.model, options: each.options, spec: each.spec });
  const params = noisyParameters(model);
  try {
    return await answerOf(model, params, each.batch);
  } finally {
    tf.dispose(params);
    model.dispose();
  }
}

/** The losses of twenty steps on one micro-batch. */
async function lossesOf(each: ParityCase): Promise<number[]> {
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
  const expected = await lossesOf(each);
  await useTorch(kit.device);
  const found = await lossesOf(each);
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

const wanted = parityCases.filter(({ size }) => size === 'nano' || !kit.tiny);
const size = kit.tiny ? 'nano' : 'tiny';
const trained = ['lomar', 'mae', 'srmae'].map(
  (name) => wanted.find((each) => each.model === name && each.size === size)!,
);
await whileTime(wanted, { name: ({ what }) => what, seconds: 2 }, compareOnce);
await whileTime(trained, { name: ({ what }) => `${steps} steps of ${what}`, seconds: 5 }, compareSteps);
process.exit();
