import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { imageFolder } from '../../src/datasets/index.ts';
import { definePipeline, pipeline } from '../../src/pipeline/define.ts';
import { lomar, mae, srmae } from '../../src/pipeline/models.ts';
import { run } from '../../src/pipeline/run.ts';
import { decode, downsample, mask, randomResizedCrop, windows } from '../../src/stages/index.ts';
import { newestCheckpoint } from '../../src/train/checkpoint.ts';
import type { Measures } from '../../src/train/metrics.ts';
import { pictureFolder } from '../kit/folder.ts';
import { withoutTorch } from '../kit/torch.ts';

const tiny = { width: 32, depth: 2, heads: 2, target: 'pixels' as const };
const decoder = { decoderWidth: 32, decoderDepth: 1, decoderHeads: 2 };

/** What is the same in the trainings of all models: an epoch of 40 steps, long enough for several micro-batches to be tried. */
function common(root: string, name: string, microBatch: number | 'auto') {
  return {
    name,
    seed: 5,
    train: {
      batch: 12,
      microBatch,
      epochs: 1,
      thread: 'main' as const,
      backend: withoutTorch ? ('wasm' as const) : ('torch' as const),
      optimizer: { adamw: { lr: 1e-3 } },
    },
    output: join(root, name),
  };
}

const source = (root: string) => imageFolder({ path: join(root, 'photos'), repeat: 16 });

const trainings = {
  lomar: (root: string, name: string, microBatch: number | 'auto') => {
    const { train, ...rest } = common(root, name, microBatch);
    return definePipeline({
      ...pipeline(
        source(root),
        decode(),
        randomResizedCrop({ size: 32 }),
        windows({ patch: 8, size: 3, views: 2 }),
        mask(0.5),
      ),
      ...rest,
      train: { ...train, model: lomar(tiny) },
    });
  },
  mae: (root: string, name: string, microBatch: number | 'auto') => {
    const { train, ...rest } = common(root, name, microBatch);
    return definePipeline({
      ...pipeline(source(root), decode(), randomResizedCrop({ size: 32 }), mask({ ratio: 0.75, patch: 8 })),
      ...rest,
      train: { ...train, model: mae({ ...tiny, ...decoder }) },
    });
  },
  srmae: (root: string, name: string, microBatch: number | 'auto') => {
    const { train, ...rest } = common(root, name, microBatch);
    return definePipeline({
      ...pipeline(
        source(root),
        decode(),
        randomResizedCrop({ size: 32 }),
        downsample({ factor: 4 }),
        mask({ ratio: 0.75, patch: 8 }),
      ),
      ...rest,
      train: { ...train, model: srmae({ ...tiny, ...decoder }) },
    });
  },
};

const lines = <Row>(path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

async function weightsOf(folder: string) {
  const { model } = (await newestCheckpoint(join(folder, 'checkpoints'), () => {}))!;
  return new Map(
    [...model.tensors].map(([name, { bytes }]) => [name, new Float32Array(Uint8Array.from(bytes).buffer)]),
  );
}

/** ‖a − b‖ / ‖b‖ over all parameters together. */
async function distance(a: string, b: string): Promise<number> {
  const [first, second] = [await weightsOf(a), await weightsOf(b)];
  let [apart, whole] = [0, 0];
  for (const [name, values] of second) {
    const other = first.get(name)!;
    for (const [i, value] of values.entries()) {
      apart += (other[i]! - value) ** 2;
      whole += value ** 2;
    }
  }
  return Math.sqrt(apart / whole);
}

for (const [model, training] of Object.entries(trainings)) {
  t.test(`${model}: an epoch with the micro-batch tuned ends with the weights of any fixed one`, async (t) => {
    const root = t.testdir();
    await pictureFolder(join(root, 'photos'), 30);
    await run(training(root, 'auto', 'auto'));
    const steps = lines<Measures>(join(root, 'auto', 'metrics.jsonl'));
    const used = new Set(steps.map(({ microBatch }) => microBatch));
    t.equal(steps.length, 40);
    t.ok(used.size > 1, `micro-batches ${[...used].join(', ')}`);
    for (const fixed of [1, 4, 12]) {
      await run(training(root, `fixed-${fixed}`, fixed));
      const apart = await distance(join(root, 'auto'), join(root, `fixed-${fixed}`));
      t.ok(apart <= 1e-4, `${fixed}: ${apart}`);
      const keys = (name: string) => lines<Measures>(join(root, name, 'metrics.jsonl')).map((row) => row.keys);
      t.same(keys(`fixed-${fixed}`), keys('auto'), 'the same samples in each step');
    }
  });
}
