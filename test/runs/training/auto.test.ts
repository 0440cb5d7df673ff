import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { fail } from '../../../src/errors.ts';
import { defineModel, type ModelValue } from '../../../src/models/define.ts';
import { buildModel } from '../../../src/models/index.ts';
import { run } from '../../../src/runs/run.ts';
import type { Measures } from '../../../src/train/metrics.ts';
import { pictureFolder } from '../../kit/files/folder.ts';
import { saying } from '../../kit/runs/said.ts';
import { distance, expectTuned, labelled, photos, rowsOf, tiny, trainings, tuned } from '../../kit/training/tuned.ts';

// With the smallest too, which takes a pass for each sample, for all: test/all/models/auto.test.ts.
for (const model of Object.keys(tuned) as (keyof typeof tuned)[]) {
  t.test(`${model}: an epoch with the micro-batch tuned ends with the weights of any fixed one`, (t) =>
    expectTuned(t, model, model === 'lomar' ? 'both' : 'largest'),
  );
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
