/**
 * How long does a training step take, beside PyTorch eager on the same cores? LoMaR, MAE and SRMAE at the papers' settings (224 px, patch
 * 16), float32, on micro-batches of noise. Ours is the training loop's step: upload, forward, backward, norms, AdamW. Theirs is
 * `bench/peers/steps/train_step.py`: clear gradients, forward, backward, AdamW, on the threads that suit it best. The sides alternate, and the
 * median of the pairs' ratios is told. Arguments choose: `npm run bench -- train-step torch lomar tiny 16`.
 */
import { setTimeout } from 'node:timers/promises';
import { chooseBackend } from '../src/backends/choose.ts';
import { median } from '../src/balance/tune-micro-batch.ts';
import { PatchstreamError } from '../src/errors.ts';
import { type PythonPeer, startPython } from './peers/python.ts';
import type { Row } from './peers/row.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';
import { microBatches, models, type Plan, planOf, sizes } from './train-step/plans.ts';
import { wasmAgainstProducts } from './train-step/product-rate.ts';
import { openTraining } from './train-step/training.ts';

const backends = ['wasm', 'torch', 'tensorflow'] as const;
/** Threads of PyTorch's own loops, and of OpenBLAS. */
const threads = [1, 2, 4].flatMap((own) => [1, 2, 4].map((blas) => [own, blas] as const));
/** OpenBLAS' threads go on looking for work for a while after a product. */
const restMs = 100;

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, backends, models, sizes, microBatches);
  const rows: Row[] = [];
  const notes: string[] = [];
  if (args.length === 0 || (args.length === 1 && args[0] === 'wasm')) rows.push(await wasmAgainstProducts());
  // Wasm's steps take minutes where the others take seconds: only when asked for.
  const compared = backends.filter(
    (name) => args.includes(name) || (name !== 'wasm' && isWanted(name, backends, args)),
  );
  if (args.length === 1 && args[0] === 'wasm') return { rows, notes };
  const python = await startPython('peers/steps/train_step.py');
  notes.push(`PyTorch eager ${python.hello.torch} (${python.command})${python.hello.openblas ? ' on OpenBLAS' : ''}.`);
  try {
    for (const backend of compared) {
      try {
        await chooseBackend({ backend, device: 'cpu' });
      } catch (error) {
        const missing = error instanceof PatchstreamError && error.code === 'BACKEND_MISSING';
        if (!missing || args.includes(backend)) throw error;
        notes.push(`Without ${backend}, which this machine has not.`);
        continue;
      }
      for (const plan of plans(args)) rows.push(await compare(plan, backend, python));
    }
  } finally {
    python.close();
  }
  return { rows, notes };
}

function plans(args: readonly string[]): Plan[] {
  return models
    .filter((model) => isWanted(model, models, args))
    .flatMap((model) =>
      sizes
        .filter((size) => isWanted(size, sizes, args))
        .flatMap((size) =>
          microBatches.filter((N) => isWanted(N, microBatches, args)).map((N) => planOf(model, size, Number(N))),
        ),
    );
}

async function compare(plan: Plan, backend: string, python: PythonPeer): Promise<Row> {
  const { model, size, N, config, noise } = plan;
  const [own, blas] = await bestThreads(python, { model, config, N, side: noise.side });
  const training = await openTraining(plan);
  try {
    // A step is recorded, compared with a replay, and replayed.
    for (let i = 0; i < 3; i++) await training.step();
    const pairs: [ours: number, theirs: number][] = [];
    for (let i = 0; i < (N === 16 ? 10 : 4); i++) {
      const turns = { ours: () => training.step(), theirs: () => stepOf(python) };
      const order = i % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const);
      const ms = { ours: 0, theirs: 0 };
      for (const side of order) {
        await setTimeout(restMs);
        ms[side] = await turns[side]();
      }
      pairs.push([ms.ours, ms.theirs]);
    }
    return {
      what: `${backend} ${model} ${size} micro-batch ${N} float32 against pytorch eager`,
      ours: median(pairs.map(([ours]) => ours)),
      theirs: median(pairs.map(([, theirs]) => theirs)),
      unit: 'ms',
      ratio: median(pairs.map(([ours, theirs]) => theirs / ours)),
      more: `${training.told()}; pytorch on ${own} + ${blas} threads`,
    };
  } finally {
    training.dispose();
  }
}

/** Opens the training in Python and finds the threads that it is fastest on. It keeps them. */
async function bestThreads(python: PythonPeer, training: object): Promise<readonly [own: number, blas: number]> {
  await python.ask({ open: training });
  const limit = Number(python.hello.cores);
  const candidates = threads.filter(([own, blas]) => own <= limit && blas <= limit);
  let best: { ms: number; threads: readonly [number, number] } | undefined;
  for (const each of candidates) {
    await python.ask({ threads: each });
    await python.ask({ step: 1 });
    const { ms } = await python.ask({ step: 2 });
    if (best === undefined || Number(ms) < best.ms) best = { ms: Number(ms), threads: each };
  }
  if (best === undefined) throw new Error('PyTorch has no thread.');
  await python.ask({ threads: best.threads });
  await python.ask({ step: 1 });
  return best.threads;
}

async function stepOf(python: PythonPeer): Promise<number> {
  return Number((await python.ask({ step: 1 })).ms);
}
