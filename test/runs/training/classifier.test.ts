import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RunEvent } from '../../../src/events/events.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { run } from '../../../src/runs/run.ts';
import { evaluateModel } from '../../../src/runs/training/evaluation.ts';
import { microBatchRange } from '../../../src/runs/training/micro-batch-range.ts';
import type { Measures } from '../../../src/train/metrics.ts';
import { labelledFolder, writeFiles } from '../../kit/files/folder.ts';
import { saying } from '../../kit/runs/said.ts';

interface Change {
  readonly model?: string;
  readonly train?: string;
  readonly source?: string;
  readonly evaluate?: string;
  readonly threads?: number;
  readonly output?: string;
}

/** A classifier of 16 px pictures in folders a, b and c, one block 16 wide. */
const text = ({ model = '', train = 'steps: 8', source, evaluate = '', threads = 2, output = 'run' }: Change = {}) => `
seed: 3
threads: ${threads}
source: { image-folder: { path: train, ${source ?? 'labels: true, repeat: 4'} } }
stages: [decode, { random-resized-crop: { size: 16, scale: [0.8, 1] } }, random-flip]
train:
  model: { classifier: { encoder: mae, classes: 3, width: 16, depth: 2, heads: 2, patch: 4${model} } }
  batch: 12
  thread: main
  backend: wasm
  optimizer: { adamw: { lr: 5.0e-3, betas: [0.9, 0.999] } }
  ${train}
evaluate: { ${evaluate || 'classify: { on: test }'} }
output: ${output}
`;

async function sound(root: string, change: Change = {}) {
  writeFiles(root, { 'p.yaml': text(change) });
  const { resolved, problems } = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  return {
    resolved: resolved!,
    texts: problems.map(({ error }) => error.message),
    codes: problems.map(({ error }) => error.code),
  };
}

const mixing = ', mixup: 0.8, cutmix: 1, dropPath: 0.3';

t.test('what cannot be is told before data is opened', async (t) => {
  const root = t.testdir();
  t.same((await sound(root)).texts, []);
  t.same((await sound(root, { model: mixing })).texts, []);
  const codes = async (change: Change) => (await sound(root, change)).codes;
  const odd = await sound(root, { model: mixing, train: 'microBatch: 3\n  steps: 8' });
  t.match(odd.texts, [
    /p\.yaml:\d+:\d+.*microBatch|MICRO_BATCH_PAIRS: .*even number of samples; got 3.*`mixup` and `cutmix` to 0/,
  ]);
  t.same(odd.codes, ['MICRO_BATCH_PAIRS']);
  t.same(await codes({ train: 'microBatch: 3\n  steps: 8' }), [], 'without mixing it may be odd');
  t.same(await codes({ model: ', mixup: 1, mixProbability: 0', train: 'microBatch: 3\n  steps: 8' }), []);
  t.same(await codes({ model: mixing, train: 'microBatch: 5\n  steps: 8' }), ['MICRO_BATCH']);
  writeFiles(root, { 'p.yaml': text({ model: mixing }).replace('batch: 12', 'batch: 15') });
  const { problems } = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  t.match(
    problems.map(({ error }) => error.message),
    [/MICRO_BATCH_PAIRS: .*got 15/],
  );

  const bare = await sound(root, { source: 'labels: false' });
  t.match(bare.texts, [/FIELD_MISSING: .*model classifier.*label.*`labels: true`/]);
  t.same(await codes({ evaluate: 'knn: { on: test }' }), [], 'features of its encoder are measured too');
  t.same(await codes({ evaluate: 'classify: { on: { image-folder: { path: test } } }' }), ['LABELS_MISSING']);
  t.match(await codes({ evaluate: 'reconstruction: { on: test }' }), ['MODEL_RESTORES']);
  t.match((await sound(root, { evaluate: 'classify: { on: test, against: train }' })).codes, ['OPTION_UNKNOWN']);
  t.same(await codes({ evaluate: 'classify: { on: test, stages: [decode, resize: 32] }' }), ['EVALUATE_SHAPE']);
  t.same(await codes({ evaluate: 'classify: { on: test, stages: [decode, random-resized-crop: 16] }' }), [
    'EVALUATE_RANDOM',
  ]);
  const other = text().replace(/classifier: \{.*\} \}/, 'mae: { width: 16, depth: 1, heads: 2 } }');
  writeFiles(root, { 'p.yaml': other.replace('random-flip]', 'mask: { ratio: 0.5, patch: 4 }]') });
  const wrong = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  t.match(
    wrong.problems.map(({ error }) => error.message),
    [/MODEL_CLASSIFIES: .*`classifier`; mae does not/],
  );
});

t.test('only even micro-batches are tried where samples are mixed', async (t) => {
  const root = t.testdir();
  const range = async (model: string, free: number) => {
    const { resolved } = await sound(root, { model });
    return microBatchRange(resolved.train!, resolved, { cellBytes: 1024 }, free);
  };
  t.match(await range(mixing, 2 ** 34), { start: 12, most: 12, even: true });
  t.match(await range(mixing, 1000), { start: 2, most: 2, even: true }, 'a pair is always tried');
  t.match(await range('', 1000), { start: 1, most: 1 });
  t.equal((await range('', 1000)).even, undefined);
});

const rows = (folder: string) =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row) as Measures);
const course = (folder: string) =>
  rows(folder).map(({ step, loss, gradNorm, keys }) => ({ step, loss, gradNorm, keys }));
const weights = (folder: string) => {
  const last = readdirSync(join(folder, 'checkpoints')).sort().at(-1)!;
  return readFileSync(join(folder, 'checkpoints', last, 'model.safetensors'));
};

t.test('threads, the trainer’s place and an interruption change no bit', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 8);
  await labelledFolder(join(root, 'test'), 2);
  const train = 'microBatch: 4\n  steps: 10\n  checkpoint: { everySteps: 3 }';
  const ran = async (output: string, { threads, main = true }: { threads: number; main?: boolean }) => {
    const { resolved } = await sound(root, { model: mixing, train, threads, output });
    const { definition } = resolved;
    const { train: own } = definition;
    return { ...definition, train: { ...own!, thread: main ? ('main' as const) : ('worker' as const) } };
  };
  await run(await ran('one', { threads: 1 }));
  await run(await ran('four', { threads: 4 }));
  await run(await ran('worker', { threads: 2, main: false }));
  const stopped = await ran('stopped', { threads: 3 });
  const abort = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.type === 'progress' && event.done >= 1) abort.abort('SIGTERM');
  };
  await t.rejects(run(stopped, { signal: abort.signal, onEvent }), { code: 'RUN_CANCELLED' });
  t.ok(rows(join(root, 'stopped')).length < 10, 'it was stopped on the way');
  await run(stopped);
  for (const name of ['four', 'worker', 'stopped']) {
    t.strictSame(course(join(root, name)), course(join(root, 'one')), name);
    t.ok(weights(join(root, name)).equals(weights(join(root, 'one'))), `${name}: the same weights`);
  }
});

t.test('it learns to tell classes apart, and is measured on pictures that it has not seen', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 12);
  await labelledFolder(join(root, 'test'), 6);
  const { resolved, texts } = await sound(root, {
    model: ', labelSmoothing: 0.1',
    train: 'steps: 60',
    evaluate: 'every: { steps: 20 }, classify: { on: test }',
  });
  t.same(texts, []);
  const lines: string[] = [];
  const summary = await run(resolved.definition, {
    onEvent: saying(lines),
  });
  t.match(
    lines.join('\n'),
    /after step 20: Accuracy at 16×16: [\d.]+ %; the largest class has 33\.3 % \(18 pictures\)/,
  );
  t.match(summary.lines.join('\n'), /Accuracy at 16×16: [\d.]+ %; the largest class has 33\.3 % \(18 pictures\)/);
  const json = JSON.parse(readFileSync(join(root, 'run/evaluation.json'), 'utf8')) as Record<string, unknown>;
  t.match(json.classify, { resolution: '16×16', classes: 3, modelClasses: 3, images: 18, of: 18 });
  t.notOk('top5' in (json.classify as object), 'among three classes all are among the first five');
  const { top1 } = json.classify as { top1: { end: number } };
  t.ok(top1.end > 0.9, `${top1.end}`);
  t.match(readFileSync(join(root, 'run/report.html'), 'utf8'), /Classes[\s\S]*Accuracy at 16×16[\s\S]*On the way/);
  t.notMatch(readFileSync(join(root, 'run/report.html'), 'utf8'), /top-5|first five/);
  const evaluated = await evaluateModel(resolved);
  t.equal(evaluated.results[0]!.numbers.top1, top1.end, 'the verb measures what the run did');
  const few = await sound(root, { train: 'steps: 60', evaluate: 'classify: { on: test, limit: 6 }' });
  const { results, sums } = await evaluateModel(few.resolved);
  t.match(results, [{ numbers: { images: 6, of: 18 } }]);
  t.match(sums, [{ sum: { listed: 18, delivered: 6, notAsked: 12, notReached: 0 } }], 'the rest was not asked for');
  const features = await sound(root, { train: 'steps: 60', evaluate: 'knn: { on: test, k: 3 }' });
  const [alike] = (await evaluateModel(features.resolved)).results;
  t.ok(Number(alike!.numbers.top1) > 0.9, `what its head reads lies together by classes: ${alike!.numbers.top1}`);
});

t.test('an encoder that was pre-trained is taken from its run', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 2);
  writeFiles(root, {
    'before.yaml': `
source: { image-folder: { path: train } }
stages: [decode, { resize: 16 }, { windows: { patch: 4, size: 3, views: 2 } }, { mask: 0.5 }]
train: { model: { lomar: { width: 16, depth: 2, heads: 2 } }, batch: 4, steps: 2, thread: main, backend: wasm }
output: before
`,
  });
  const { resolved } = await checkFile(join(root, 'before.yaml'), { registry: builtin });
  await run(resolved!.definition);
  const lines: string[] = [];
  const train = 'steps: 2\n  init: before';
  writeFiles(root, { 'p.yaml': text({ train }).replace('encoder: mae', 'encoder: lomar') });
  const fine = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  t.same(fine.problems, []);
  await run(fine.resolved!.definition, { onEvent: saying(lines) });
  t.match(
    lines.join('\n'),
    /before holds an encoder: it is taken; 4 other parameters stay fresh, from fc_norm\.weight on/,
  );
  writeFiles(root, { 'p.yaml': text({ train: 'steps: 2\n  init: nowhere', output: 'other' }) });
  const none = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  await t.rejects(run(none.resolved!.definition), /WEIGHTS_MISSING: .*nothing is at .*nowhere/);
});

t.test('classes that the source and the model do not share', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 2);
  writeFiles(root, { 'p.yaml': text({ train: 'steps: 2' }).replace('classes: 3', 'classes: 2') });
  const { resolved } = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  await t.rejects(
    run(resolved!.definition),
    /LABEL_CLASSES: .*a class for each of the 3 of the source; it has 2.*`classes` of the model to 3/,
  );
  const lines: string[] = [];
  writeFiles(root, {
    'p.yaml': text({ train: 'steps: 1', evaluate: 'classify: { on: train }' }).replace('classes: 3', 'classes: 5'),
  });
  mkdirSync(join(root, 'train', 'empty'));
  const wide = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  await run(wide.resolved!.definition, { fresh: true, onEvent: saying(lines) });
  t.match(
    lines.join('\n'),
    /distinguishes 5 classes, of which the source has 4: a, b, c, empty\..*`classes` of the model to 4/,
  );
  t.match(lines.join('\n'), /No picture of the source is of empty, which/);
  rmSync(join(root, 'train', 'empty'), { recursive: true });
  await labelledFolder(join(root, 'other', 'z'), 1);
  const elsewhere = await sound(root, { train: 'steps: 2', evaluate: 'classify: { on: other }' });
  await t.rejects(run(elsewhere.resolved.definition), { code: 'CLASSES_DIFFER' });
});

t.test(
  'L10, L12: a classifier goes on with no other classes than it was trained on, nor is it measured on them',
  async (t) => {
    const root = t.testdir();
    await labelledFolder(join(root, 'train'), 4);
    await labelledFolder(join(root, 'test'), 2);
    const train = 'steps: 4\n  checkpoint: { everySteps: 2, keep: 3 }';
    const { resolved } = await sound(root, { train });
    const { definition } = resolved;
    await run(definition);
    const kill = () => {
      rmSync(join(root, 'run/finished.json'), { force: true });
      rmSync(join(root, 'run/checkpoints/step-00000004'), { recursive: true, force: true });
    };
    const checkpoint = join(root, 'run/checkpoints/step-00000002');
    const state = () => JSON.parse(readFileSync(join(checkpoint, 'state.json'), 'utf8')) as Record<string, unknown>;
    t.same(state().classNames, ['a', 'b', 'c']);
    kill();
    for (const folder of ['train', 'test']) renameSync(join(root, folder, 'a'), join(root, folder, 'z'));
    await t.rejects(run(definition), {
      code: 'CHECKPOINT_MISMATCH',
      message: /step-00000002.*only there: z; classes that are missing: a/,
    });
    for (const what of [{}, { checkpoint }, { checkpoint: join(root, 'run') }])
      await t.rejects(evaluateModel(resolved, what), { code: 'CLASSES_DIFFER', message: /only there: z/ });
    const { evaluate: _evaluate, ...without } = definition;
    for (const folder of ['train', 'test']) renameSync(join(root, folder, 'z'), join(root, folder, 'a'));
    renameSync(join(root, 'train/a'), join(root, 'train/d'));
    renameSync(join(root, 'train/b'), join(root, 'train/a'));
    await t.rejects(run(without), { code: 'CHECKPOINT_MISMATCH' });
    renameSync(join(root, 'train/a'), join(root, 'train/b'));
    renameSync(join(root, 'train/d'), join(root, 'train/a'));
    t.match(await run(definition), { done: 4 }, 'the same classes again');

    const second = {
      ...without,
      output: join(root, 'second'),
      train: { ...without.train!, init: join(root, 'run'), steps: 2 },
    };
    t.match(await run(second), { done: 2 }, 'begins with the head of the same classes');
    renameSync(join(root, 'train/a'), join(root, 'train/z'));
    await t.rejects(run(second, { fresh: true }), {
      code: 'WEIGHTS_CLASSES',
      message: /run: .*the source has classes that are only there: z; classes that are missing: a.*--encoder/,
    });
    renameSync(join(root, 'train/z'), join(root, 'train/a'));

    // As of an earlier version, which named none.
    kill();
    const { classNames: _, digest: _digest, ...rest } = state();
    writeFileSync(join(checkpoint, 'state.json'), JSON.stringify({ ...rest, format: 1 }));
    t.match(await run(definition), { done: 4 });
  },
);
