/**
 * How long does a training step take on TensorFlow (the user's own tfjs-node, docs/tensorflow.md), compared with the same step on libtorch in the same process? LoMaR, MAE and SRMAE, at the
 * size of the quickstarts and tiny at the papers' settings, float32 on the CPU, on micro-batches of noise. The step is the training loop's: upload, forward, backward, norms, AdamW. The
 * backends take turns, and the median of the pairs' ratios is printed: above 1, TensorFlow is faster. Arguments choose: `npm run bench -- tensorflow lomar quickstart`.
 */
import { setTimeout } from 'node:timers/promises';
import { loadTensorflow, prepareTensorflow, tensorflowPackages } from '../src/backends/tensorflow.ts';
import * as tf from '../src/backends/tf.ts';
import { prepareTorch } from '../src/backends/torch/prepare.ts';
import { median } from '../src/balance/tune-micro-batch.ts';
import type { Row } from './peers/row.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';
import { type Geometry, models, type Plan, paper, planOf } from './train-step/plans.ts';
import { openTraining, type Training } from './train-step/training.ts';

const settings = ['quickstart', 'tiny'] as const;
const backends = ['tensorflow', 'torch'] as const;
/** Threads of both libraries go on looking for work for a moment after a step. */
const restMs = 50;

/** The quickstarts' pictures. */
const quick: Geometry = { side: 64, patch: 8, windows: { K: 5, M: 4 }, decoder: [32, 2, 2] };

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, models, settings);
  await loadTensorflow(tensorflowPackages.cpu);
  await prepareTensorflow();
  const { TF_Version: version } = (tf.backend() as unknown as { binding: { TF_Version: string } }).binding;
  await prepareTorch('cpu');
  const rows: Row[] = [];
  for (const setting of settings.filter((each) => isWanted(each, settings, args))) {
    for (const model of models.filter((each) => isWanted(each, models, args))) {
      const plan =
        setting === 'tiny' ? planOf(model, 'tiny', 16, paper) : planOf(model, 'nano', model === 'mae' ? 32 : 48, quick);
      rows.push(await compare(setting, plan));
    }
  }
  return { rows, notes: [`TensorFlow ${version}.`] };
}

async function compare(setting: (typeof settings)[number], plan: Plan): Promise<Row> {
  const trainings: Partial<Record<(typeof backends)[number], Training>> = {};
  const turn = async (backend: (typeof backends)[number]) => {
    await tf.setBackend(backend);
    trainings[backend] ??= await openTraining(plan);
    await setTimeout(restMs);
    return trainings[backend].step();
  };
  const pairs: { readonly tensorflow: number; readonly torch: number }[] = [];
  // Both record steps, compare one with a replay, and replay.
  for (let i = -5; i < (setting === 'tiny' ? 6 : 20); i++) {
    const ms = { tensorflow: 0, torch: 0 };
    for (const backend of i % 2 === 0 ? backends : backends.toReversed()) ms[backend] = await turn(backend);
    if (i >= 0) pairs.push(ms);
  }
  for (const [backend, training] of Object.entries(trainings)) {
    await tf.setBackend(backend);
    training.dispose();
  }
  return {
    what: `${setting} ${plan.model}, micro-batch ${plan.N}: tensorflow beside torch`,
    ours: median(pairs.map(({ tensorflow }) => tensorflow)),
    theirs: median(pairs.map(({ torch }) => torch)),
    unit: 'ms',
    ratio: median(pairs.map(({ tensorflow, torch }) => torch / tensorflow)),
  };
}
