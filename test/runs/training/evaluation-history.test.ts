import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { defineMeasure, type MeasureValue } from '../../../src/measures/define.ts';
import { defineModel } from '../../../src/models/define.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import { definePipeline } from '../../../src/runs/loader/define.ts';
import { EvaluationHistory } from '../../../src/runs/training/evaluation-history.ts';
import type { EvaluationRow } from '../../../src/runs/training/evaluation-row.ts';
import { defineSource } from '../../../src/sources/source.ts';
import type { Failure } from '../../../src/streams/failures.ts';
import { saveCheckpoint } from '../../../src/train/weights/checkpoint.ts';
import { linearModel, linearSample } from '../../kit/training/train.ts';

const line = defineModel({
  name: 'line',
  summary: 'The smallest model.',
  options: z.strictObject({}),
  fields: ['x', 'label'],
  build: linearModel,
});
const few = defineSource({
  name: 'few',
  summary: 'Three samples, the last of which cannot be read.',
  options: z.strictObject({}),
  spec: () => ({ fields: { x: { dtype: 'float32', shape: [3] }, label: { dtype: 'float32', shape: [] } } }),
  open: async () => ({
    count: 3,
    key: String,
    read: (i: number) => {
      if (i === 2) throw new RangeError('unreadable');
      const { x, label } = linearSample(i);
      return { x: Float32Array.from(x), label };
    },
  }),
});

/** What was measured, in its order: which measure, and the bias of the weights. Each waits for `gate`. */
const measured: string[] = [];
let gate: Promise<unknown> = Promise.resolve();

/** A measure whose value is the model's bias, by which weights are told apart. */
const biasOf = (name: string, more: object = {}) =>
  defineMeasure({
    name,
    summary: 'The bias.',
    options: z.strictObject({ n: z.number().optional() }),
    data: [],
    values: { bias: {} },
    ...more,
    async run({ params }) {
      await gate;
      const [bias] = await params.bias!.data();
      measured.push(`${name} ${bias}`);
      if (bias === 13) throw new RangeError('unlucky');
      return { numbers: { bias: bias!, images: 2 }, notes: name === 'early' ? ['a note'] : [] };
    },
  }) as (options?: object) => MeasureValue;
const early = biasOf('early', { atStart: true });
const late = biasOf('late');
const alone = biasOf('alone', { single: true, atStart: true });
const drawn = biasOf('drawn', { picture: { title: 'a picture', alt: '' } });

interface Asked {
  readonly measures?: readonly MeasureValue[];
  readonly fresh?: boolean;
  readonly seed?: number;
  readonly count?: number;
  readonly dropLast?: boolean;
  readonly signal?: AbortSignal;
  readonly every?: object;
  readonly at?: readonly ('start' | 'end')[];
  readonly evaluate?: undefined;
  readonly train?: object;
}

async function history(
  folder: string,
  { measures = [early(), late()], fresh = false, seed = 3, count = 10, dropLast, signal, ...more }: Asked = {},
) {
  const { every, at, train } = more;
  const resolved = soundPipeline(
    definePipeline({
      name: 'n',
      seed,
      source: few(),
      stages: [],
      train: {
        model: line(),
        batch: 4,
        microBatch: 4,
        steps: 9,
        backend: 'wasm',
        ...(dropLast && { dropLast }),
        ...train,
      },
      ...(!('evaluate' in more) && { evaluate: { measures, ...(every && { every }), ...(at && { at }) } }),
      output: folder,
    } as never),
    builtin,
  );
  const lines: string[] = [];
  const failures: Failure[] = [];
  const events: unknown[] = [];
  const opened = await EvaluationHistory.open(resolved, {
    folder,
    count,
    fresh,
    signal: signal ?? new AbortController().signal,
    line: (text) => lines.push(text),
    onFailure: (failure) => failures.push(failure),
    events: {
      emit: (event) => {
        if (event.type !== 'evaluation' || !text(folder)?.includes(`"step":${event.step},`))
          t.fail('emitted before it was written');
        events.push(event);
      },
    },
  });
  return { history: opened, lines, failures, events };
}

const file = (folder: string) => join(folder, 'evaluations.jsonl');
const text = (folder: string) => (existsSync(file(folder)) ? readFileSync(file(folder), 'utf8') : undefined);
const rows = (folder: string) =>
  (text(folder) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EvaluationRow);
const stepsOf = (folder: string) => rows(folder).map(({ step }) => step);

/** A checkpoint after so many steps of four samples, whose bias is the number of steps. */
function checkpoint(folder: string, step: number, bias = step): Promise<string> {
  const state = { step, position: step * 4, updates: step, seed: 3, versions: {}, definition: 'd' };
  const model = new Map([
    ['weight', { shape: [1, 3], data: Float32Array.of(1, 2, 3) }],
    ['bias', { shape: [1], data: Float32Array.of(bias) }],
  ]);
  return saveCheckpoint(join(folder, 'checkpoints'), { state, model, optimizer: new Map() }, 99);
}

function began(t: Test): string {
  measured.length = 0;
  gate = Promise.resolve();
  return t.testdir({});
}

t.test('before the first step: those that say so, once, with a row and a line', async (t) => {
  const folder = began(t);
  const { history: first, events } = await history(folder, { measures: [early(), late(), alone()] });
  t.same(first.rows, []);
  await first.start();
  t.same(measured, ['early 0', 'alone 0']);
  t.strictSame(events, [
    {
      ...{ type: 'evaluation', step: 0, epoch: 0, last: false, numbers: { 'early.bias': 0, 'alone.bias': 0 } },
      lines: ['early: bias 0', 'a note', 'alone: bias 0'],
    },
  ]);
  const [row] = rows(folder);
  t.match(row, {
    step: 0,
    epoch: 0,
    digest: /^[0-9a-f]{16}$/,
    features: [{ id: 'early', kind: 'early', bias: 0, images: 2, notes: ['a note'] }],
    alone: { bias: 0 },
  });
  t.equal(text(folder)?.endsWith('}\n'), true);
  t.same([...first.before], [['early', { bias: 0, images: 2 }]], 'without those that stand alone');
  await first.start();
  t.equal(measured.length, 2, 'it is known');
  const { history: again } = await history(folder, { measures: [early(), late(), alone()] });
  t.same(again.rows, [row]);
  await again.start();
  t.equal(measured.length, 2, 'by the next run too');
  t.same([...again.before.keys()], ['early']);
});

t.test('`at` says when, for all measures', async (t) => {
  const folder = began(t);
  const { history: end } = await history(folder, { at: ['end'] });
  await end.start();
  t.same([measured, existsSync(file(folder))], [[], false]);
  await checkpoint(folder, 5);
  t.same(
    (await end.end({ step: 5, epoch: 2 })).map(({ measure }) => measure.id),
    ['early', 'late'],
  );
  const { history: start } = await history(folder, { at: ['start'] });
  measured.length = 0;
  await start.start();
  t.same(measured, ['early 0', 'late 0']);
  t.same(await start.end({ step: 6, epoch: 2 }), []);
  t.same(measured.length, 2);
  const none = await history(folder, { evaluate: undefined });
  await none.history.start();
  t.same([await none.history.end({ step: 6, epoch: 1 }), none.history.before.size, measured.length], [[], 0, 2]);
});

t.test('checkpoints are measured when a period has passed since the last evaluation', async (t) => {
  const folder = began(t);
  const { history: course, events } = await history(folder, { every: { steps: 3 } });
  for (const step of [1, 2, 3, 4, 5, 7, 8, 9]) {
    await course.saved(await checkpoint(folder, step));
    await course.idle();
  }
  t.same(stepsOf(folder), [3, 7, 9]);
  t.same(measured, ['early 3', 'late 3', 'early 7', 'late 7', 'early 9', 'late 9']);
  t.match(events, [
    { step: 3, epoch: 1.2, last: false, lines: ['early: bias 3', 'a note', 'late: bias 3'] },
    { step: 7, numbers: { 'early.bias': 7, 'late.bias': 7 } },
    { step: 9 },
  ]);
  t.same(
    rows(folder).map(({ epoch }) => epoch),
    [1.2, 2.8, 3.6],
  );

  const epochs = began(t);
  const { history: by } = await history(epochs, { every: { epochs: 1 }, measures: [late()], dropLast: true });
  for (const step of [1, 2, 3, 4, 5]) await by.saved(await checkpoint(epochs, step));
  await by.idle();
  t.same(
    rows(epochs).map(({ step, epoch }) => [step, epoch]),
    [
      [2, 1],
      [5, 2],
    ],
  );
  t.same([by.epochAt(0), by.epochAt(4), by.epochAt(8), by.epochAt(10), by.epochAt(14)], [0, 0.5, 1, 1, 1.5]);

  const never = began(t);
  const { history: without } = await history(never);
  await without.saved(join(never, 'nothing/is/here'));
  await without.idle();
  t.same([measured, text(never)], [[], undefined]);
});

t.test('a checkpoint may go once it is read; what waits for all of it is `idle`', async (t) => {
  const folder = began(t);
  const { history: course } = await history(folder, { every: { steps: 1 }, measures: [late()] });
  let open = () => {};
  gate = new Promise<void>((resolve) => (open = resolve));
  const [one, two] = [await checkpoint(folder, 1), await checkpoint(folder, 2)];
  await course.saved(one);
  rmSync(one, { recursive: true });
  t.same(measured, [], 'it is not measured yet');
  let isRead = false;
  let isIdle = false;
  const second = course.saved(two).then(() => (isRead = true));
  const idle = course.idle().then(() => (isIdle = true));
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.same([isRead, isIdle], [false, false], 'the next one waits for the first');
  open();
  await second;
  await idle;
  await course.idle();
  t.same(measured, ['late 1', 'late 2']);
  gate = new Promise<void>((resolve) => (open = resolve));
  await course.saved(await checkpoint(folder, 3));
  const end = course.end({ step: 3, epoch: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  open();
  t.same(
    (await end).map(({ numbers }) => numbers.bias),
    [3],
  );
  t.same(measured, ['late 1', 'late 2', 'late 3'], 'the end waits for it, and has its numbers');
  t.same(stepsOf(folder), [1, 2, 3]);
});

t.test('what goes wrong is heard by those who wait for it; a checkpoint that is gone is a line', async (t) => {
  const folder = began(t);
  const { history: course, lines } = await history(folder, { every: { steps: 1 }, measures: [late()] });
  const gone = join(folder, 'checkpoints/step-00000001');
  await course.saved(gone);
  await course.idle();
  t.same(lines, [`${gone} is gone before it was measured, and is passed over.`]);
  await course.saved(await checkpoint(folder, 2, 13));
  // Nobody waits for it yet, which is no error that nobody handles.
  for (let turn = 0; turn < 20; turn += measured.length) await new Promise((resolve) => setImmediate(resolve));
  await t.rejects(course.idle(), { message: 'unlucky' });
  t.same(stepsOf(folder), []);
  await t.rejects(course.end({ step: 2, epoch: 1 }), { message: 'unlucky' }, 'the end waits too');

  const { history: other } = await history(folder, { every: { steps: 1 }, measures: [late()] });
  const broken = await checkpoint(folder, 3);
  writeFileSync(join(broken, 'state.json'), '{');
  await other.saved(broken);
  await t.rejects(other.idle(), { code: 'CHECKPOINT_BROKEN' });
  t.equal(lines.length, 1);
});

t.test('the end: what its last checkpoint has measured is known, but for pictures', async (t) => {
  const folder = began(t);
  const all = { every: { steps: 2 }, measures: [drawn(), early(), late({ n: 1 }), late({ n: 2 })] };
  const { history: course, events } = await history(folder, all);
  await course.saved(await checkpoint(folder, 2));
  await course.idle();
  t.same(measured, ['drawn 2', 'early 2', 'late 2', 'late 2']);
  measured.length = 0;
  const results = await course.end({ step: 2, epoch: 0.8 });
  t.same(measured, ['drawn 2']);
  t.same(
    results.map(({ measure }) => measure.id),
    ['drawn', 'early', 'late', 'late#2'],
  );
  t.same(
    results.map(({ numbers }) => numbers),
    Array(4).fill({ bias: 2, images: 2 }),
  );
  t.same(results[1]!.notes, ['a note']);
  t.match(events, [
    { step: 2, last: false },
    { step: 2, epoch: 0.8, last: true, numbers: { 'late#2.bias': 2 } },
  ]);
  t.same(stepsOf(folder), [2], 'one row of a step');
  t.same(
    rows(folder)[0]!.features.map(({ id }) => id),
    ['drawn', 'early', 'late', 'late#2'],
  );
  measured.length = 0;
  await checkpoint(folder, 3);
  await course.end({ step: 3, epoch: 1.2 });
  t.same(
    measured,
    ['drawn 3', 'early 3', 'late 3', 'late 3'],
    'of another step all are measured, of the newest weights',
  );
  t.same(
    rows(folder).map(({ step, epoch }) => [step, epoch]),
    [
      [2, 0.8],
      [3, 1.2],
    ],
  );
});

t.test('a training that goes on forgets what was measured of later steps', async (t) => {
  const folder = began(t);
  const { history: course } = await history(folder, { every: { steps: 1 }, measures: [late()] });
  for (const step of [1, 2, 3]) await course.saved(await checkpoint(folder, step));
  await course.idle();
  await course.goOn({ step: 2 });
  t.same(
    [stepsOf(folder), course.rows.map(({ step }) => step)],
    [
      [1, 2],
      [1, 2],
    ],
  );
  await course.goOn({ step: 0 });
  t.equal(text(folder), undefined, 'a list of none is no file');
  await course.goOn({ step: 0 });
  const none = await history(folder, { evaluate: undefined });
  writeFileSync(file(folder), 'mine\n');
  await none.history.goOn({ step: 0 });
  t.equal(text(folder), 'mine\n', 'a pipeline that measures nothing has no list');
});

t.test('lines of other pipelines and lines that are none stay in front; a fresh run begins its own anew', async (t) => {
  const folder = began(t);
  const { history: first } = await history(folder);
  await first.start();
  const own = text(folder)!;
  const { history: second } = await history(folder, { seed: 4 });
  await second.start();
  const both = text(folder)!;
  t.equal(both, own + both.slice(own.length));
  t.equal(rows(folder).length, 2);
  t.not(rows(folder)[0]!.digest, rows(folder)[1]!.digest);
  writeFileSync(file(folder), `cut {\n\n3\nnull\nx\n${both}[`);
  const { history: third, lines } = await history(folder);
  t.same(lines, ['evaluations.jsonl: lines that cannot be read stay and are passed over (4).']);
  t.equal(third.rows.length, 1);
  t.equal(text(folder), `cut {\n\n3\nnull\nx\n${both}[`, 'opening changes nothing');
  await third.goOn({ step: 0 });
  t.equal(text(folder), `cut {\n3\nnull\nx\n${both.slice(own.length)}[\n${own}`);
  const { history: fresh } = await history(folder, { fresh: true });
  t.same(fresh.rows, []);
  measured.length = 0;
  await fresh.start();
  t.equal(measured.length, 1);
  t.equal(text(folder), `cut {\n3\nnull\nx\n${both.slice(own.length)}[\n${own}`, 'in its place');
  t.equal((await history(folder, { every: { steps: 7 } })).history.rows.length, 1, 'how often decides nothing');
  t.equal(
    (await history(folder, { measures: [early({ n: 1 }), late()] })).history.rows.length,
    0,
    'what is measured does',
  );
  rmSync(file(folder));
  t.same((await history(folder)).lines, []);
  t.testdir({ 'evaluations.jsonl': {} });
  await t.rejects(history(folder), { code: 'OUTPUT_FOLDER', cause: { code: 'EISDIR' } });
});

t.test('how each source that was read has ended, by place; failures say that they are of an evaluation', async (t) => {
  const folder = began(t);
  const reading = defineMeasure({
    name: 'reading',
    summary: 'Samples.',
    options: z.strictObject({}),
    data: ['on'],
    fields: ['x'],
    values: { samples: {} },
    atStart: true,
    async run({ data }) {
      let samples = 0;
      for await (const { keys } of (await data.on!.open({ size: 2 })).batches) samples += keys.length;
      return { numbers: { samples } };
    },
  });
  const { history: course, failures } = await history(folder, { measures: [reading({ on: few() } as never), early()] });
  t.same(course.sums, []);
  await course.start();
  await checkpoint(folder, 1);
  await course.end({ step: 1, epoch: 0 });
  t.same(
    rows(folder).map(({ features }) => features[0]!.samples),
    [2, 2],
  );
  t.same(
    course.sums.map(({ place }) => place),
    ['evaluate.reading.on'],
  );
  t.match(failures, [
    { stage: /^evaluate\/\w/, key: '2' },
    { stage: /^evaluate\/\w/, key: '2' },
  ]);
});

t.test('a run that is cancelled measures no more', async (t) => {
  const folder = began(t);
  const abort = new AbortController();
  const { history: course } = await history(folder, { signal: abort.signal });
  abort.abort('SIGINT');
  await t.rejects(course.start(), { code: 'RUN_CANCELLED' });
  t.equal(text(folder), undefined);
});

t.test('the best checkpoint that is there, by what was measured, and when it is over', async (t) => {
  const folder = began(t);
  const by = { measure: 'late.bias', better: 'higher' };
  const train = { checkpoint: { best: by }, stop: { ...by, patience: 2 } };
  const { history: course } = await history(folder, { every: { steps: 1 }, train });
  t.same([course.best, course.stop], [undefined, undefined]);
  const biases = [3, 7, 6, 7];
  const judgedAt: unknown[] = [];
  for (const [i, bias] of biases.entries()) {
    await course.saved(await checkpoint(folder, i + 1, bias));
    // No waiting: what became of a checkpoint is known when it may go.
    judgedAt.push([course.best?.step, course.stop?.evaluations]);
  }
  t.same(judgedAt, [
    [1, undefined],
    [2, undefined],
    [2, undefined],
    [2, 2],
  ]);
  t.match(course.best, { step: 2, value: 7, measure: 'late.bias', path: join(folder, 'checkpoints/step-00000002') });
  const { history: again } = await history(folder, { every: { steps: 1 }, train });
  t.same([again.best, again.stop], [course.best, course.stop], 'the next run knows it');
  await again.goOn({ step: 3 });
  t.same([again.best?.step, again.stop], [2, undefined], 'later evaluations are forgotten');
  rmSync(join(folder, 'checkpoints/step-00000002'), { recursive: true });
  t.same(again.best?.step, 3, 'one that is gone is not the best');
  const { history: plain } = await history(folder, { every: { steps: 1 } });
  t.same([plain.best, plain.stop], [undefined, undefined]);
});
