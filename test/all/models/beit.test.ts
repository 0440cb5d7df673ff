import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RunEvent } from '../../../src/events/events.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { run } from '../../../src/runs/run.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';
import { saying } from '../../kit/runs/said.ts';

const train = (steps: number) => `batch: 4, microBatch: 2, steps: ${steps}, thread: main, backend: wasm`;
const files = {
  'tokenizer.yaml': `
seed: 3
source: { image-folder: { path: photos } }
stages: [decode, { random-resized-crop: 8 }]
train:
  model: { tokenizer: { vocabulary: 8, codeWidth: 4, channels: 4, halvings: 1, temperature: { steps: 6 }, kl: { to: 0.1, steps: 3 } } }
  { TRAIN }
output: tokenizer
`.replace('{ TRAIN }', train(10).replaceAll(', ', '\n  ')),
  'beit.yaml': `
seed: 3
source: { image-folder: { path: photos } }
stages:
  - decode
  - random-resized-crop: 16
  - random-flip
  - tokenize: { from: tokenizer, batch: 4, backend: wasm }
  - mask: { ratio: 0.4, patch: 4, blocks: { min: 2, exact: false } }
train:
  model: { beit: { width: 16, depth: 2, heads: 2, dropPath: 0.2 } }
  optimizer: { adamw: { lr: 1.0e-2 } }
  checkpoint: { everySteps: 2 }
  { TRAIN }
evaluate: { masked-codes: { on: photos, limit: 4 } }
output: beit
`.replace('{ TRAIN }', train(10).replaceAll(', ', '\n  ')),
};

const checked = (file: string, set: readonly string[] = []) =>
  checkFile(file, { registry: builtin, environment: {}, set: [...set] });
const messages = async (file: string, set: readonly string[] = []) =>
  (await checked(file, set)).problems.map(({ error }) => error.message);

async function ran(file: string, set: readonly string[] = [], lines: string[] = []) {
  const { resolved, problems } = await checked(file, set);
  t.same(
    problems.map(({ error }) => error.message),
    [],
    file,
  );
  return run(resolved!.definition, { onEvent: saying(lines) });
}

const weights = (folder: string) => {
  const last = readdirSync(join(folder, 'checkpoints')).sort().at(-1)!;
  return readFileSync(join(folder, 'checkpoints', last, 'model.safetensors'));
};
const keysAndLosses = (folder: string) =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((row) => {
      const { step, loss, keys } = JSON.parse(row) as Record<string, unknown>;
      return { step, loss, keys };
    });

/** Stops a run after its first steps, then lets it go on. */
async function interrupted(file: string, set: readonly string[]) {
  const { resolved } = await checked(file, set);
  const abort = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.type === 'step' && event.step >= 1) abort.abort('SIGTERM');
  };
  await t.rejects(run(resolved!.definition, { signal: abort.signal, onEvent }), { code: 'RUN_CANCELLED' });
  await run(resolved!.definition);
}

t.test('a tokenizer, BEiT on its codes, an encoder to fine-tune; interruptions and micro-batches', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 8);
  writeFiles(root, files);
  const [tokenizer, beit] = [join(root, 'tokenizer.yaml'), join(root, 'beit.yaml')];

  t.same(await messages(beit), [], 'a pipeline may be written before its tokenizer is trained');
  await t.rejects(run((await checked(beit)).resolved!.definition), /TRAINED_MISSING: .*tokenizer/, 'but not run');

  await ran(tokenizer);
  await interrupted(tokenizer, [`output=${join(root, 'stopped-tokenizer')}`]);
  t.ok(
    weights(join(root, 'tokenizer')).equals(weights(join(root, 'stopped-tokenizer'))),
    'a tokenizer that was interrupted is the same, bit for bit',
  );
  t.same(keysAndLosses(join(root, 'tokenizer')), keysAndLosses(join(root, 'stopped-tokenizer')));

  const lines: string[] = [];
  const summary = await ran(beit, [], lines);
  t.match(
    [...lines, ...summary.lines].join('\n'),
    /Codes of hidden patches named rightly: [\d.]+ % before, [\d.]+ % after; always the commonest code would be right for [\d.]+ % \(\d+ patches of 4 pictures\)/,
  );
  await interrupted(beit, [`output=${join(root, 'stopped-beit')}`]);
  t.ok(weights(join(root, 'beit')).equals(weights(join(root, 'stopped-beit'))), 'and so is BEiT');
  await ran(beit, [`output=${join(root, 'halves')}`, 'train.microBatch=1', 'threads=1']);
  const [one, other] = ['beit', 'halves'].map((name) => keysAndLosses(join(root, name)));
  for (const [i, row] of one!.entries()) {
    t.same(other![i]!.keys, row.keys);
    t.ok(Math.abs(Number(other![i]!.loss) / Number(row.loss) - 1) < 1e-5, `step ${i}: ${row.loss}, ${other![i]!.loss}`);
  }

  t.test('another tokenizer is another training', async (t) => {
    await ran(tokenizer, ['seed=4', `output=${join(root, 'other-tokenizer')}`]);
    const { resolved } = await checked(beit, [
      `stages.tokenize.from=${join(root, 'other-tokenizer')}`,
      'train.steps=12',
    ]);
    await t.rejects(run(resolved!.definition), /CHECKPOINT_MISMATCH/);
  });

  t.test('tokenizers that cannot serve', async (t) => {
    t.match(await messages(beit, [`stages.tokenize.from=${join(root, 'beit')}`]), [
      /TOKENIZE_MODEL: .*codes, such as `tokenizer`; beit does not/,
    ]);
    t.match(await messages(beit, ['stages.tokenize.size=12']), [
      /MODEL_CODES_GRID: .*4 × 4 patches; the tokenizer makes 6 × 6/,
    ]);
    t.match(await messages(beit, ['stages.tokenize.size=9']), [/TOKENIZE_SIZE: .*2 px; got 9 px. Try 10/]);
    t.match(await messages(beit, ['evaluate.masked-codes=null', `evaluate.codebook.on=${join(root, 'photos')}`]), [
      /MODEL_TOKENIZES: .*measure codebook needs .*; beit does not/,
    ]);
    writeFiles(root, { 'plain.yaml': files['beit.yaml'].replace(/ {2}- tokenize.*\n/, '') });
    t.match(await messages(join(root, 'plain.yaml')), [/FIELD_MISSING: .*model beit.*codes.*tokenize/]);
  });

  t.test('a classifier begins with the encoder, each block with the shared table', async (t) => {
    writeFiles(root, {
      'fine.yaml': `
source: { image-folder: { path: ${join(root, 'classes')}, labels: true } }
stages: [decode, { resize: 24 }]
train:
  model: { classifier: { encoder: beit, classes: 2, width: 16, depth: 2, heads: 2, patch: 4 } }
  init: beit
  batch: 4
  steps: 1
  thread: main
  backend: wasm
output: fine
`,
    });
    await pictureFolder(join(root, 'classes', 'a'), 3);
    await pictureFolder(join(root, 'classes', 'b'), 3);
    const said: string[] = [];
    await ran(join(root, 'fine.yaml'), [], said);
    t.match(said.join('\n'), /relative positions of 4 × 4 patches: they are brought to 6 × 6/);
    t.match(
      said.join('\n'),
      /beit holds an encoder: it is taken; 4 other parameters stay fresh, from fc_norm.weight on/,
    );
  });
});
