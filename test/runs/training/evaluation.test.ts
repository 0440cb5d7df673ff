import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { labelledFolder, writeFiles } from '../../kit/files/folder.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

const restoring = `
name: tiny
seed: 3
threads: 2
source: { image-folder: { path: train, labels: true, repeat: 3 } }
stages:
  - decode
  - random-resized-crop: { size: 16, scale: [0.8, 1] }
  - windows: { patch: 4, size: 3, views: 1 }
  - mask: 0.5
train:
  model: { lomar: { width: 16, depth: 1, heads: 2, target: patchNorm } }
  batch: 6
  microBatch: 6
  steps: 4
  thread: main
  backend: wasm
output: run
`;
const telling = `
seed: 3
threads: 2
source: { image-folder: { path: train, labels: true } }
stages: [decode, { random-resized-crop: { size: 16, scale: [0.8, 1] } }]
train:
  model: { classifier: { encoder: mae, classes: 3, width: 16, depth: 1, heads: 2, patch: 4 } }
  batch: 6
  microBatch: 6
  steps: 2
  thread: main
  backend: wasm
output: run
`;
const wide = `evaluate:
  every: { steps: 2 }
  reconstruction: { on: test, baseline: mean-patch, pictures: 2 }
  knn: { k: 3, on: { image-folder: { path: test, labels: true } } }
  linear: { on: test, reference: train, epochs: 20, limit: { on: 4 } }
`;
const listed = `evaluate:
  at: [end]
  source: { image-folder: { path: test, labels: true } }
  measures: [{ knn: { k: 1, vote: majority } }, { knn: { k: 2, pool: cls, reference: test } }]
`;

/** Numbers as every machine has them, and nothing that another run has not. */
const plain = (text: string) =>
  text
    .replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) => String(Number(Number(number).toPrecision(2))))
    .replace(/"digest":"\w+"/g, '"digest":"…"');

/** All that a run says and writes of what it has measured. */
async function said(root: string, pipeline: string, evaluate: string): Promise<string> {
  writeFiles(root, { 'p.yaml': pipeline + evaluate });
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 2);
  const file = join(root, 'p.yaml');
  const ran = await patchstream(['run', file]);
  const lines = (text: string) =>
    text.split('\n').filter((line) => /ccuracy at|hidden pixels|^ {2}\w|restore|predicts/.test(line));
  const [report] = /<h2>(?:Classes|Frozen)[\s\S]*(?=<h2>Training)/.exec(read(root, 'report.html')) ?? [''];
  const evaluated = await patchstream(['evaluate', file]);
  const json = await patchstream(['evaluate', file, '--json']);
  const described = await patchstream(['describe', file]);
  const resolved = JSON.parse(read(root, 'pipeline.json')) as { readonly evaluate?: unknown };
  const parts = [
    [...lines(ran.err), '', ...lines(ran.out)].join('\n'),
    read(root, 'evaluations.jsonl'),
    read(root, 'evaluation.json'),
    report.replace(/base64,[^"]*/g, 'base64').replace(/<(?=h2|p|tr)/g, '\n<'),
    evaluated.out,
    json.out,
    described.out.replace(/^[\s\S]*\n(?=evaluate\n)/, '').replace(/\nrenderer[\s\S]*/, ''),
    JSON.stringify(resolved.evaluate),
  ];
  return plain(parts.join('\n----\n')).replaceAll(root, '');
}

const read = (root: string, name: string) => readFileSync(join(root, 'run', name), 'utf8');

t.test('files, lines, report and JSON of everything that is measured of a model that restores', async (t) => {
  t.matchSnapshot(await said(t.testdir(), restoring, wide));
});

t.test('the full form: the same measure twice, at the end alone', async (t) => {
  t.matchSnapshot(await said(t.testdir(), restoring.replace('steps: 4', 'steps: 1'), listed));
});

t.test('files, lines, report and JSON of a model that tells classes apart', async (t) => {
  t.matchSnapshot(await said(t.testdir(), telling, 'evaluate: { every: { steps: 1 }, classify: { on: test } }\n'));
});
