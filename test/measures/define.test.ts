import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { classify, knn, reconstruction } from '../../src/measures/index.ts';
import { builtin } from '../../src/pipeline/builtin.ts';
import { checkFile } from '../../src/pipeline/check.ts';
import { createRegistry } from '../../src/pipeline/registry.ts';
import { run } from '../../src/runs/run.ts';
import { evaluateModel } from '../../src/runs/training/evaluation.ts';
import { writeFiles } from '../kit/files/folder.ts';
import { png } from '../kit/pictures/pictures.ts';
import { saying } from '../kit/runs/said.ts';
import { patchstream } from '../kit/runs/terminal.ts';

// As a user writes it, through the public names alone.
const meanColour = `
import { defineMeasure, fail } from 'patchstream';
import { z } from 'zod';

export const meanColour = defineMeasure({
  name: 'mean-colour',
  summary: 'The mean colour of held-out pictures, and how far it lies from that of others.',
  options: z.strictObject({ white: z.number().positive().default(255).describe('What counts as one.') }),
  data: ['on', 'reference'],
  fields: ['picture'],
  values: { red: {}, green: { title: 'verde', text: (value) => value.toFixed(1) }, blue: {} },
  picture: { title: 'the colour', alt: 'A colour' },
  atStart: true,
  check: ({ white }, { data }) =>
    white > 1000 && data.on.spec.fields.picture ? [{ option: 'white', error: fail('OPTION_VALUE', { option: 'white', expected: 'dark', found: white, advice: '' }) }] : [],
  async run({ options, data, model, params, tf, upload, seed }) {
    if (options.white === 8) {
      await data.reference.open();
      for await (const batch of (await data.on.open({ size: 1 })).batches) return { numbers: { red: batch.keys.length } };
    }
    const mean = async (data) => {
      const { batches, count, of } = await data.open({ size: 2 });
      let sum = tf.zeros([3]);
      for await (const { fields } of batches) {
        const next = tf.tidy(() => upload(fields).picture.sum([0, 1, 2]).add(sum));
        sum.dispose();
        sum = next;
      }
      const values = await sum.data();
      sum.dispose();
      return { values: [...values].map((value) => value / (count * 64 * options.white)), count, of };
    };
    const [on, reference] = [await mean(data.on), await mean(data.reference)];
    const [red, green, blue] = on.values;
    const numbers = { red, green, blue, images: on.count, of: on.of, others: reference.values[0], seed, model: model.name, parameters: Object.keys(params).length };
    if (options.white === 7) numbers.red = NaN;
    if (options.white === 6) numbers.id = 3;
    return { numbers, notes: ['seen through a glass'], draw: () => Uint8Array.of(1, 2, 3) };
  },
});
`;
const pipeline = (evaluate: string, more = '') => `
name: tiny
use: ./mean-colour.ts
seed: 3
threads: 2
source: { image-folder: { path: train } }
stages: [decode, { random-resized-crop: { size: 8 } }, random-flip, { windows: { patch: 2, size: 3, views: 1 } }, { mask: 0.5 }]
train:
  model: { lomar: { width: 16, depth: 1, heads: 2, target: pixels } }
  batch: 2
  steps: 4
  backend: wasm
  thread: worker
evaluate: ${evaluate}
output: run
${more}`;

/** Flat pictures of one colour. */
async function colours(root: string, ...all: readonly (readonly [number, number, number])[]): Promise<void> {
  for (const [i, colour] of all.entries()) {
    const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => colour[at % 3]!);
    writeFiles(root, { [`${i}.png`]: await png({ width: 8, height: 8, data }) });
  }
}

async function placed(root: string, evaluate: string) {
  writeFiles(root, { 'mean-colour.ts': meanColour, 'p.yaml': pipeline(evaluate) });
  await colours(join(root, 'train'), [51, 0, 0], [51, 0, 0]);
  await colours(join(root, 'test'), [255, 0, 51], [0, 102, 51], [0, 0, 51]);
  return join(root, 'p.yaml');
}

t.test(
  'a measure from a file is taken in a training, with all that is written and said, and by evaluate',
  async (t) => {
    const root = t.testdir();
    const file = await placed(root, '{ every: { steps: 2 }, mean-colour: { on: test, limit: { on: 2 } } }');
    const { resolved, problems } = await checkFile(file, { registry: builtin });
    t.same(problems, []);
    const told: string[] = [];
    // Without the registry: the definition knows what its names stand for.
    const { lines, files } = await run(resolved!.definition, {
      onEvent: saying(told),
    });
    const line =
      /^mean-colour: red 0\.5 before, 0\.5 after; verde 0\.2 before, 0\.2 after; blue 0\.2 before, 0\.2 after$/;
    t.match(lines, [/steps/, line, 'seen through a glass', /^the colour: .*mean-colour\.png$/]);
    t.match(told.join('\n'), /before the training: mean-colour: red 0\.5; verde 0\.2; blue 0\.2\n/);
    t.match(told.join('\n'), /after step 2: mean-colour: red 0\.5;/);
    const near = (value: number) => (found: unknown) => Math.abs(Number(found) - value) < 1e-6;
    const read = (name: string) => readFileSync(join(root, 'run', name), 'utf8');
    const rows = read('evaluations.jsonl').trim().split('\n');
    t.same(
      rows.map((row) => JSON.parse(row).step),
      [0, 2, 4],
    );
    const [found] = JSON.parse(rows[2]!).features as Record<string, unknown>[];
    t.match(found, { id: 'mean-colour', kind: 'mean-colour', images: 2, of: 3, seed: 3, model: 'lomar' });
    t.ok(
      [near(0.5)(found!.red), near(0.2)(found!.green), near(0.2)(found!.blue), near(0.2)(found!.others)].every(Boolean),
    );
    t.same(found!.notes, ['seen through a glass']);
    const json = JSON.parse(read('evaluation.json'))['mean-colour'] as Record<string, unknown>;
    t.match(json, { images: 2, of: 3, red: { start: Number, end: Number }, notes: ['seen through a glass'] });
    const report = read('report.html');
    t.match(
      report,
      /<h2>mean-colour<\/h2>\n.*red before.*verde after[\s\S]*On the way[\s\S]*mean-colour, red[\s\S]*a glass/,
    );
    t.match(report, /alt="A colour" src="data:image\/png;base64,AQID"/);
    t.ok(existsSync(join(root, 'run/mean-colour.png')) && files.includes(join(root, 'run/mean-colour.png')));
    t.match(read('events.jsonl'), /"event":"start".*mean-colour\.png/, 'the picture is a file of the run');

    const evaluated = await patchstream(['evaluate', file, '--set', 'evaluate.mean-colour.white=510']);
    t.match(evaluated, { code: 0, out: 'mean-colour: red 0.25; verde 0.1; blue 0.1\nseen through a glass\n' });
    const other = await patchstream(['evaluate', file, '--json', '--on', join(root, 'train')]);
    t.match(JSON.parse(other.out), { 'mean-colour': { images: 2, of: 2, green: 0 }, sums: [{}, {}] });
    const described = await patchstream(['describe', file]);
    t.match(described.out, /mean-colour +\{"white":255,"limit":\{"on":2\},"on":\{"image-folder"/);
  },
);

t.test('its options, data and numbers are checked as those of ours', async (t) => {
  const root = t.testdir();
  const texts = async (evaluate: string) => {
    const { problems } = await checkFile(await placed(root, evaluate), { registry: builtin });
    return problems.map(({ error }) => error.message.replace(/^.*p\.yaml:/, '')).join('\n');
  };
  t.match(
    await texts('{ mean-color: { on: test } }'),
    /evaluate has no option `mean-color`. Did you mean `mean-colour`/,
  );
  t.match(await texts('{ measures: [{ mean-color: {} }] }'), /Did you mean `mean-colour`/);
  t.match(await texts('{ mean-colour: { on: test, whit: 3 } }'), /mean-colour has no option .*Did you mean `white`/);
  t.match(await texts('{ mean-colour: { on: test, white: -3 } }'), /^14:\d+: `white` must be a number above 0; got -3/);
  t.match(await texts('{ mean-colour: { white: 3 } }'), /`on` must be given/);
  t.match(await texts('{ mean-colour: { on: test, white: 2000 } }'), /^14:\d+: `white` must be dark; got 2000/);
  t.match(await texts('{ mean-colour: { on: test, stages: [decode, random-flip] } }'), /random-flip changes them/);
  t.match(await texts('{ mean-colour: { on: test, stages: [decode] } }'), /`picture` .*resize/);
  t.equal(
    await texts('{ mean-colour: { on: test, stages: [decode, { resize: 4 }] } }'),
    '',
    'it does not use the model',
  );

  const file = await placed(root, '{ mean-colour: { on: test, white: 7 } }');
  const { resolved } = await checkFile(file, { registry: builtin });
  await t.rejects(run(resolved!.definition), { code: 'MEASURE_NUMBER', message: /mean-colour gives red NaN/ });
  const named = await checkFile(file, { registry: builtin, set: ['evaluate.mean-colour.white=6'] });
  await t.rejects(evaluateModel(named.resolved!, { fresh: true }), { code: 'MEASURE_NUMBER', message: /gives id 3/ });
  const left = await checkFile(file, { registry: builtin, set: ['evaluate.mean-colour.white=8'] });
  const { results, sums } = await evaluateModel(left.resolved!, { fresh: true });
  t.match([results, sums], [[{ numbers: { red: 1 } }], []], 'data that are not read, or not to their end, are closed');
});

t.test('a measure takes no name that stands for something else, and no name of ours', async (t) => {
  for (const name of ['knn', 'stages', 'every', 'features']) {
    const { definition } = [...builtin.measures.values()].map((definition) => ({
      definition: { ...definition, name },
    }))[0]!;
    t.throws(() => builtin.with({ measures: [definition] }), { code: 'NAME_TAKEN' });
  }
  t.same([...createRegistry({}).measures], []);
  t.end();
});

t.test('the compiler knows the options of a measure, and of its data', async (t) => {
  const right = [knn({ k: 3, on: './a', reference: './b', limit: { on: 2 } }), classify({ on: './a', limit: 2 })];
  // @ts-expect-error a measure of one source has one limit
  const wrong = [classify({ limit: { on: 2 } }), knn({ k: '3' } as unknown as { k: number })];
  // @ts-expect-error it is compared with nothing
  wrong.push(reconstruction({ reference: './b' }));
  t.same([right.length, wrong.length], [2, 3]);
});

t.test('in a program a measure is a value', async (t) => {
  const root = t.testdir();
  await placed(root, '{ knn: {} }');
  writeFiles(root, {
    'p.ts': `
import { decode, definePipeline, imageFolder, knn, lomar, mask, resize, windows } from 'patchstream';
import { meanColour } from './mean-colour.ts';
export default definePipeline({
  source: imageFolder({ path: 'train' }),
  stages: [decode(), resize(8), windows({ patch: 2, size: 3, views: 1 }), mask(0.5)],
  train: { model: lomar({ width: 16, depth: 1, heads: 2 }), batch: 2, steps: 1, backend: 'wasm', thread: 'main' },
  evaluate: { measures: [meanColour({ on: 'test' }), knn({ k: 1, on: 'test' })] },
  output: 'run',
});
`,
  });
  const { problems } = await checkFile(join(root, 'p.ts'), { registry: builtin });
  t.match(
    problems.map(({ error }) => error.message),
    [/LABELS_MISSING|image-folder/],
    'the options of both were read',
  );
  const set = ['evaluate.measures.1=null', 'evaluate.measures.0.white=51'];
  const { resolved, problems: none } = await checkFile(join(root, 'p.ts'), { registry: builtin, set });
  t.same(none, []);
  const { lines } = await run(resolved!.definition);
  t.match(lines, [/step/, /^mean-colour: red 1\.667 before, 1\.667 after/]);
});
