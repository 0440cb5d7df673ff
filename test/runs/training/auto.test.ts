import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { fail } from '../../../src/errors.ts';
import { defineModel, type ModelValue } from '../../../src/models/define.ts';
import { buildModel, classifier, lomar, mae, srmae } from '../../../src/models/index.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { run } from '../../../src/runs/run.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, downsample, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';
import type { Measures } from '../../../src/train/metrics.ts';
import { newestCheckpoint, readModel } from '../../../src/train/weights/checkpoint.ts';
import { pictureFolder } from '../../kit/files/folder.ts';
import { saying } from '../../kit/runs/said.ts';
import { withoutTorch } from '../../kit/training/torch.ts';

const tiny = { width: 32, depth: 2, heads: 2, dropPath: 0.3, target: 'pixels' as const };
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

/** Labelled pictures, mixed in pairs. */
const labelled = (root: string, name: string, microBatch: number | 'auto', change: object = {}) => {
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
const all = {
  ...trainings,
  classifier: labelled,
  'classifier of LoMaR’s encoder': (root: string, name: string, microBatch: number | 'auto') =>
    labelled(root, name, microBatch, { encoder: 'lomar', cutmix: 0 }),
};

/** 30 pictures in the folders of two classes. */
async function photos(root: string) {
  await pictureFolder(join(root, 'photos', 'a'), 15);
  await pictureFolder(join(root, 'photos', 'b'), 15);
}

const rowsOf = <Row>(path: string) =>
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

for (const [model, training] of Object.entries(all)) {
  t.test(`${model}: an epoch with the micro-batch tuned ends with the weights of any fixed one`, async (t) => {
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
    for (const fixed of pairs ? [2, 12] : [1, 12]) {
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
  });
}

t.test('drop path, mixup and cutmix each change what is learned', async (t) => {
  const root = t.testdir();
  await photos(root);
  const plain = { dropPath: 0, mixup: 0, cutmix: 0 };
  const short = async (name: string, change: object) => {
    const { train, ...rest } = labelled(root, name, 4, { ...plain, ...change });
    await run({ ...rest, train: { ...train!, epochs: undefined as never, steps: 6 } });
  };
  await short('plain', {});
  await short('again', {});
  t.equal(await distance(join(root, 'again'), join(root, 'plain')), 0);
  for (const change of [{ dropPath: 0.3 }, { mixup: 0.8 }, { cutmix: 1 }]) {
    const name = Object.keys(change)[0]!;
    await short(name, change);
    const apart = await distance(join(root, name), join(root, 'plain'));
    t.ok(apart > 1e-3, `${name}: ${apart}`);
  }
});

/** LoMaR as a model of one's own, whose passes of more than so many samples find no memory. */
const scarce = (most: number) =>
  defineModel({
    name: 'scarce',
    summary: 'LoMaR on a machine with little memory.',
    options: z.strictObject({}),
    fields: ['picture', 'windows', 'masks'],
    build: async (_, spec) => {
      const model = await buildModel({ name: 'lomar', options: { size: 'nano', ...tiny }, spec });
      return {
        ...model,
        loss: (params, inputs) => {
          const samples = inputs.picture!.shape[0]!;
          if (samples > most) throw fail('BACKEND_MEMORY', { backend: 'test', needed: 'more', memory: 'its memory' });
          return model.loss(params, inputs);
        },
      };
    },
  });

t.test(
  'a run whose micro-batch finds no memory goes on with a smaller one, and ends with the same weights',
  async (t) => {
    const root = t.testdir();
    await pictureFolder(join(root, 'photos'), 30);
    const lines: string[] = [];
    const train = async (name: string, most: number) => {
      const { train, ...rest } = trainings.lomar(root, name, 'auto');
      const onEvent = saying(lines);
      await run({ ...rest, train: { ...train!, model: scarce(most)() } }, { onEvent });
    };
    await train('ample', 12);
    lines.length = 0;
    await train('scarce', 3);
    t.ok(
      lines.some((line) => /no memory for a pass of 12 samples/.test(line)),
      lines.join('\n'),
    );
    const steps = rowsOf<Measures>(join(root, 'scarce', 'metrics.jsonl'));
    t.equal(steps.length, 40);
    t.ok(steps.at(-1)!.microBatch <= 3, `at last ${steps.at(-1)!.microBatch}`);
    const { refused } = steps.at(-1)!;
    t.ok(
      refused === 6 || refused === 4,
      `a pass of 6 was refused when that of 12 was halved, 4 if it was tried: ${refused}`,
    );
    const decisions = rowsOf<{ event: string; why?: string }>(join(root, 'scarce', 'events.jsonl'));
    t.ok(decisions.some(({ event, why }) => event === 'balance' && /found no memory/.test(why ?? '')));
    const apart = await distance(join(root, 'scarce'), join(root, 'ample'));
    t.ok(apart <= 1e-4, `${apart}`);
  },
);

t.test('a pass that finds no memory is parted between pairs, never within one', async (t) => {
  const root = t.testdir();
  await photos(root);
  const passes = new Set<number>();
  const narrow = (most: number) =>
    defineModel({
      name: 'narrow',
      summary: 'A classifier on a machine with little memory.',
      options: z.strictObject({}),
      fields: ['picture', 'label'],
      pairs: () => true,
      build: async (_, spec) => {
        const { train } = labelled(root, 'narrow', 12);
        const model = await buildModel({
          name: 'classifier',
          options: (train!.model as ModelValue).model.options,
          spec,
        });
        return {
          ...model,
          loss: (params, inputs) => {
            const samples = inputs.picture!.shape[0]!;
            if (samples > most) throw fail('BACKEND_MEMORY', { backend: 'test', needed: 'more', memory: 'its memory' });
            passes.add(samples);
            return model.loss(params, inputs);
          },
        };
      },
    });
  const train = async (name: string, most: number) => {
    const { train, ...rest } = labelled(root, name, 6);
    await run({ ...rest, train: { ...train!, model: narrow(most)() } });
  };
  await train('ample', 12);
  passes.clear();
  await train('narrow', 5);
  t.same([...passes].sort(), [2, 4], 'six are two and four, not three and three');
  const apart = await distance(join(root, 'narrow'), join(root, 'ample'));
  t.ok(apart <= 1e-4, `${apart}`);
  await t.rejects(train('none', 1), { code: 'BACKEND_MEMORY' });
});

t.test('with dropLast the micro-batch may change too: steps end with their epoch', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 31);
  const train = async (name: string, microBatch: number | 'auto') => {
    const definition = trainings.lomar(root, name, microBatch);
    await run({ ...definition, train: { ...definition.train!, dropLast: true, epochs: 2 } });
    return rowsOf<Measures>(join(root, name, 'metrics.jsonl')).map(({ step, epoch, keys }) => ({ step, epoch, keys }));
  };
  const fixed = await train('fixed', 3);
  t.equal(fixed.length, 2 * Math.floor((31 * 16) / 12));
  t.same(await train('auto', 'auto'), fixed);
});

t.test('what one run has found, the next begins with', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 30);
  const cache = process.env.PATCHSTREAM_CACHE;
  process.env.PATCHSTREAM_CACHE = join(root, 'cache');
  t.teardown(() => {
    process.env.PATCHSTREAM_CACHE = cache;
  });
  const heard = async (name: string) => {
    const lines: string[] = [];
    const definition = trainings.lomar(root, name, 'auto');
    const long = { ...definition, threads: 1, train: { ...definition.train!, epochs: undefined as never, steps: 140 } };
    await run(long, { onEvent: saying(lines) });
    return lines.filter((line) => line.includes('icro-batch'));
  };
  const [first, second] = [await heard('first'), await heard('second')];
  t.match(first.join('\n'), /Micro-batch \d+ of 12 computes/);
  t.match(second.join('\n'), /Micro-batch \d+ of 12: an earlier run has found it\./);
  t.ok(existsSync(join(root, 'cache', 'balance.json')));
});
