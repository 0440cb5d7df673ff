import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { fail } from '../../../src/errors.ts';
import { encodeSafetensors } from '../../../src/formats/safetensors.ts';
import { defineModel, type ModelDefinition } from '../../../src/models/define.ts';
import { models } from '../../../src/models/index.ts';
import { compareRuns } from '../../../src/runs/compare/compare.ts';
import { readRun } from '../../../src/runs/compare/read.ts';
import { trainedKey, trainedText } from '../../../src/train/weights/trained-on.ts';
import { writeFiles } from '../../kit/files/folder.ts';

interface Written {
  readonly model?: object;
  readonly train?: object;
  readonly stages?: readonly object[];
  readonly measures?: readonly object[];
  /** Steps, each of which takes two seconds. */
  readonly steps?: number;
  readonly evaluations?: readonly object[];
  readonly end?: string;
}

/** The folder of a training as runs write it, of steps of 4 pictures at 2 images/s. */
function folder(root: string, name: string, { model, train, stages, measures, steps = 0, evaluations, end }: Written) {
  const pipeline = {
    name,
    seed: 0,
    source: { 'image-folder': { path: './photos' } },
    stages: stages ?? [{ decode: {} }, { mask: { ratio: 0.75 } }],
    train: { model: model ?? { mae: { size: 'nano', target: 'pixels' } }, batch: 4, steps: 10, ...train },
    ...(measures && { evaluate: { measures } }),
    permits: name.length,
  };
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const rows = Array.from({ length: steps }, (_, step) => ({
    step,
    epoch: 0,
    loss: 1 / (step + 1),
    imagesPerSecond: 2,
  }));
  writeFiles(join(root, name), {
    'pipeline.json': JSON.stringify(pipeline),
    'metrics.jsonl': lines(rows),
    'events.jsonl': lines([{ event: 'start' }, ...(end === undefined ? [] : [{ event: 'end', how: end }])]),
    ...(evaluations && { 'evaluations.jsonl': lines(evaluations) }),
  });
  return join(root, name);
}

const knnAt = (step: number, top1: number, digest = 'd') => ({
  step,
  epoch: step / 10,
  digest,
  features: [{ id: 'knn', kind: 'knn', k: 3, top1, top5: 1, largest: 0.25, resolution: '8×8', images: 12 }],
  reconstruction: { ours: 0.5 - top1 / 10, smoothFill: 0.7 },
});

t.test('what says nothing is no row: that a class is among the first five of five', async (t) => {
  const root = t.testdir({});
  const classifyAt = (modelClasses: number) => ({
    ...knnAt(5, 0.5),
    features: [
      { id: 'classify', kind: 'classify', top1: 0.5, top5: 1, modelClasses, classes: 3, largest: 0.5, images: 4 },
    ],
  });
  const at = (name: string, modelClasses: number) =>
    folder(root, name, { steps: 5, evaluations: [classifyAt(modelClasses)] });
  const rowsOf = async (...folders: string[]) =>
    (await compareRuns(folders)).rows.map(({ title }) => title).filter((title) => title.startsWith('classify'));
  const [five, few, six] = [at('five', 5), at('few', 2), at('six', 6)] as const;
  const chief = ['classify, top-1', 'classify, share of the largest class'];
  t.same(await rowsOf(five, few), chief);
  t.same(await rowsOf(five, six), [chief[0], 'classify, top-5', chief[1]]);
});

t.test('a run is read as it stands: steps, time, ends, and what was measured on the way', async (t) => {
  const root = t.testdir({});
  const measures = [{ knn: { k: 3, on: { 'image-folder': { path: 'a' } } } }, { reconstruction: {} }];
  const path = folder(root, 'a', {
    steps: 5,
    measures,
    end: 'cancelled',
    evaluations: [knnAt(0, 0.9, 'of another pipeline'), knnAt(0, 0.25), knnAt(3, 0.5), knnAt(5, 0.75)],
  });
  const run = await readRun(path);
  t.match(run, {
    folder: path,
    model: 'mae',
    total: 10,
    ended: 'cancelled',
    imagesPerSecond: 2,
    parameters: undefined,
  });
  t.same(run.seconds, [2, 4, 6, 8, 10]);
  t.same(
    run.evaluations.map(({ step, seconds, found }) => [step, seconds, found.get('knn')?.numbers.top1]),
    [
      [0, 0, 0.25],
      [3, 6, 0.5],
      [5, 10, 0.75],
    ],
    'rows of the pipeline that was measured last',
  );
  t.same(run.evaluations[1]?.found.get('reconstruction'), {
    kind: 'reconstruction',
    numbers: { ours: 0.45, smoothFill: 0.7 },
  });
  t.equal(run.options.get('model.size'), 'nano');
  t.equal(run.options.get('stages.mask.ratio'), '0.75');
  t.equal(run.options.get('stages.decode'), 'yes');
  t.same(
    [...run.options.keys()].filter((key) => /permits|name/.test(key)),
    [],
    'what decides nothing is left out',
  );
  t.equal(run.measures.get('knn')?.get('on.image-folder.path'), 'a');
});

t.test('the table: options that differ, and the measures with the share of the largest class', async (t) => {
  const root = t.testdir({});
  const a = folder(root, 'a', { steps: 4, end: 'completed', evaluations: [knnAt(0, 0.25), knnAt(4, 0.5)] });
  const b = folder(root, 'b', {
    model: { lomar: { size: 'tiny', target: 'pixels' } },
    stages: [{ decode: {} }, { 'random-flip': {} }, { mask: { ratio: 0.8 } }],
    steps: 2,
    evaluations: [knnAt(0, 0.3)],
  });
  const { names, rows, notes, charts } = await compareRuns([a, b]);
  t.same(names, ['a', 'b']);
  const table = Object.fromEntries(rows.map(({ title, cells }) => [title, cells]));
  t.match(table, {
    model: ['mae', 'lomar'],
    state: ['completed', 'running, or killed'],
    steps: ['4 of 10', '2 of 10'],
    time: ['8 s', '4 s'],
    'images/s, median': ['2', '2'],
    parameters: ['–', '–'],
    'model.size': ['nano', 'tiny'],
    'stages.mask.ratio': ['0.75', '0.8'],
    'stages.random-flip': ['–', 'yes'],
    'knn, top-1': ['50.0 %', '30.0 %'],
    'knn, share of the largest class': ['25.0 %', '25.0 %'],
    'reconstruction, This model': ['0.4500', '0.4700'],
  });
  t.notOk('train.batch' in table, 'what is alike is left out');
  t.match(notes, [/The losses are of different models/]);
  t.same(
    charts.map(({ title, lines }) => [title, lines.map(({ at }) => at)]),
    [
      [
        'Loss against steps, running mean',
        [
          [0, 1, 2, 3],
          [0, 1],
        ],
      ],
      [
        'Loss against seconds, running mean',
        [
          [2, 4, 6, 8],
          [2, 4],
        ],
      ],
      ['knn, top-1, against seconds', [[0, 8], [0]]],
      ['reconstruction error, against seconds', [[0, 8], [0]]],
    ],
  );
  t.equal(charts[2]?.textOf?.(0.5), '50.0 %');
});

t.test(
  'measures that differ, or that a run has not taken, are said; a run without steps is shown without',
  async (t) => {
    const root = t.testdir({});
    const knn = (k: number) => [{ knn: { k } }];
    const a = folder(root, 'a', { steps: 1, measures: knn(3), evaluations: [knnAt(1, 0.5)] });
    const b = folder(root, 'b', { steps: 1, measures: knn(20), evaluations: [knnAt(1, 0.6)] });
    const own = { id: 'mine', kind: 'mine', notes: ['x'], red: 0.123456, images: 3 };
    const c = folder(root, 'c', { evaluations: [{ step: 0, epoch: 0, digest: 'd', features: [own] }] });
    const { notes, rows } = await compareRuns([a, b, c]);
    t.same(notes.slice(0, 5), [
      'c has done no step yet.',
      'knn was not measured in c.',
      'knn was not measured alike in a, b: k is 3, 20. Its values say little of each other.',
      'reconstruction was not measured in c.',
      'mine was not measured in a, b.',
    ]);
    const cells = (title: string) => rows.find((row) => row.title === title)?.cells;
    t.same(cells('time'), ['2 s', '2 s', '–']);
    t.same(cells('mine, red'), ['–', '–', '0.1235'], "a user's own measure, all its numbers");
  },
);

t.test('folders of one name go by their paths', async (t) => {
  const root = t.testdir({});
  const folders = ['x', 'y'].map((name) => folder(join(root, name), 'run', { steps: 1 }));
  t.same((await compareRuns(folders)).names, folders);
});

t.test('what is no run is refused, and rows that cannot be read', async (t) => {
  const root = t.testdir({
    job: { 'pipeline.json': '{"name":"job","sink":{"images":{}}}' },
    broken: { 'pipeline.json': '{"na' },
  });
  mkdirSync(join(root, 'empty'));
  const a = folder(root, 'a', { steps: 1 });
  await t.rejects(compareRuns([a, join(root, 'empty')]), {
    code: 'COMPARE_RUN',
    message: /empty: .*nothing of this name/,
  });
  await t.rejects(compareRuns([a, join(root, 'job')]), { code: 'COMPARE_RUN', message: /describes no training/ });
  await t.rejects(compareRuns([join(root, 'broken')]), { code: 'COMPARE_RUN' });
  await t.rejects(compareRuns([folder(root, 'fresh', {})]), { code: 'COMPARE_ROWS', message: /fresh/ });
  const cut = folder(root, 'cut', { steps: 2 });
  writeFiles(cut, { 'metrics.jsonl': '{"step":0,"loss":1}\n{"st\n{"step":2}\n' });
  await t.rejects(compareRuns([a, cut]), { code: 'METRICS_BROKEN', message: /cut\/metrics\.jsonl: line 2/ });
});

t.test('what a model counts is unknown where its checkpoint is broken, and told where its code is', async (t) => {
  const path = folder(t.testdir({}), 'a', { steps: 1 });
  const checkpointOf = (name: string) => {
    const trained = trainedText({ model: { name, options: {}, spec: { fields: {} } }, stages: [] });
    const bytes = Buffer.concat(encodeSafetensors(new Map(), { [trainedKey]: trained }));
    mkdirSync(join(path, 'checkpoints/step-00000001'), { recursive: true });
    writeFileSync(join(path, 'checkpoints/step-00000001/model.safetensors'), bytes);
  };
  const known = models as ModelDefinition[];
  const counting = (name: string, cost: () => { parameters: number; macs: number }) => {
    const options = z.strictObject({});
    const made = defineModel({ name, summary: '', options, fields: [], cost, build: () => ({}) as never });
    known.push(made.definition as ModelDefinition);
    t.teardown(() => known.splice(known.indexOf(made.definition as ModelDefinition), 1));
    checkpointOf(name);
  };
  counting('counted', () => ({ parameters: 7, macs: 9 }));
  t.match(await readRun(path), { parameters: 7, macs: 9 });
  counting('unlike', () => {
    throw fail('CHECKPOINT_BROKEN', { found: 'half of it' });
  });
  t.equal((await readRun(path)).parameters, undefined);
  counting('faulty', () => {
    throw new TypeError('mine');
  });
  await t.rejects(readRun(path), { code: 'STAGE_BROKEN', message: /model faulty .* its `cost` .*mine/ });
});
