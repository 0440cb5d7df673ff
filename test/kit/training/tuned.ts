import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { classifier, lomar, mae, srmae } from '../../../src/models/index.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { run } from '../../../src/runs/run.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, downsample, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';
import type { Measures } from '../../../src/train/metrics.ts';
import { newestCheckpoint, readModel } from '../../../src/train/weights/checkpoint.ts';
import { pictureFolder } from '../files/folder.ts';
import { saying } from '../runs/said.ts';
import { withoutTorch } from './torch.ts';

export const tiny = { width: 32, depth: 2, heads: 2, dropPath: 0.3, target: 'pixels' as const };
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

export const trainings = {
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

/** Labelled pictures, mixed in pairs. */
export const labelled = (root: string, name: string, microBatch: number | 'auto', change: object = {}) => {
  const { train, ...rest } = common(root, name, microBatch);
  const { target: _, ...encoder } = tiny;
  const model = classifier({ ...encoder, encoder: 'mae', classes: 2, patch: 8, mixup: 0.8, cutmix: 1, ...change });
  return definePipeline({
    ...pipeline(
      imageFolder({ path: join(root, 'photos'), repeat: 16, labels: true }),
      decode(),
      randomResizedCrop({ size: 32 }),
    ),
    ...rest,
    train: { ...train, model },
  });
};

/** Every model, with drop path, and the classifier with mixup and cutmix. */
export const tuned = {
  ...trainings,
  classifier: labelled,
  'classifier of LoMaR’s encoder': (root: string, name: string, microBatch: number | 'auto') =>
    labelled(root, name, microBatch, { encoder: 'lomar', cutmix: 0 }),
};

/** 30 pictures in the folders of two classes. */
export async function photos(root: string) {
  await pictureFolder(join(root, 'photos', 'a'), 15);
  await pictureFolder(join(root, 'photos', 'b'), 15);
}

export const rowsOf = <Row>(path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

async function weightsOf(folder: string) {
  const { model } = (await newestCheckpoint(join(folder, 'checkpoints'), readModel, () => {}))!;
  return new Map(
    [...model.tensors].map(([name, { bytes }]) => [name, new Float32Array(Uint8Array.from(bytes).buffer)]),
  );
}

/** ‖a − b‖ / ‖b‖ over all parameters together. */
export async function distance(a: string, b: string): Promise<number> {
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

/** The same for each tensor, but for the keys' third of a qkv bias: its true gradient is zero, and Adam makes rounding large. The largest, and whose it is. */
async function largestDistance(a: string, b: string): Promise<{ name: string; apart: number }> {
  const [first, second] = [await weightsOf(a), await weightsOf(b)];
  let largest = { name: '', apart: 0 };
  for (const [name, values] of second) {
    const third = values.length / 3;
    let [apart, whole] = [0, 0];
    for (const [i, value] of values.entries()) {
      if (name.endsWith('qkv.bias') && i >= third && i < 2 * third) continue;
      apart += (first.get(name)![i]! - value) ** 2;
      whole += value ** 2;
    }
    const relative = whole > 0 ? Math.sqrt(apart / whole) : Math.sqrt(apart);
    if (relative > largest.apart) largest = { name, apart: relative };
  }
  return largest;
}

/**
 * Expects an epoch with the micro-batch tuned to end with the weights of fixed ones, step by step: of the largest, or of the smallest too.
 */
export async function expectTuned(t: Test, model: keyof typeof tuned, sizes: 'largest' | 'both'): Promise<void> {
  const training = tuned[model];
  const root = t.testdir();
  await photos(root);
  const lines: string[] = [];
  const onEvent = saying(lines);
  await run(training(root, 'auto', 'auto'), { onEvent });
  t.notOk(
    lines.some((line) => /not replayed/.test(line)),
    lines.join('\n'),
  );
  const steps = rowsOf<Measures>(join(root, 'auto', 'metrics.jsonl'));
  const used = new Set(steps.map(({ microBatch }) => microBatch));
  t.equal(steps.length, 40);
  t.ok(used.size > 1, `micro-batches ${[...used].join(', ')}`);
  const pairs = model.startsWith('classifier');
  if (pairs) t.ok(![...used].some((n) => n % 2 === 1), `even micro-batches ${[...used].join(', ')}`);
  for (const fixed of sizes === 'largest' ? [12] : [pairs ? 2 : 1, 12]) {
    await run(training(root, `fixed-${fixed}`, fixed));
    const apart = await distance(join(root, 'auto'), join(root, `fixed-${fixed}`));
    t.ok(apart <= 1e-4, `${fixed}: ${apart}`);
    const largest = await largestDistance(join(root, 'auto'), join(root, `fixed-${fixed}`));
    t.ok(largest.apart <= 1e-4, `${fixed}: ${largest.apart} of ${largest.name}`);
    const rows = (name: string) => rowsOf<Measures>(join(root, name, 'metrics.jsonl'));
    const keys = (name: string) => rows(name).map((row) => row.keys);
    t.same(keys(`fixed-${fixed}`), keys('auto'), 'the same samples in each step');
    // The same coins, λ and boxes: what a step loses would show others, long before the weights do.
    for (const [step, { loss }] of rows(`fixed-${fixed}`).entries())
      t.ok(Math.abs(loss / steps[step]!.loss - 1) < 1e-4, `${fixed}, step ${step}: loss ${loss}`);
  }
}
