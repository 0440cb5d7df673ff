import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { labelledFolder, pictureFolder, writeFiles } from '../files/folder.ts';
import { patchstream } from '../runs/terminal.ts';

const trainings = (steps: number) => ({
  'encoder.yaml': `
name: encoder
seed: 3
source: { image-folder: { path: photos } }
stages:
  - decode
  - random-resized-crop: 16
  - windows: { patch: 8, size: 2, views: 1 }
  - mask: 0.5
train:
  model: { lomar: { width: 16, depth: 1, heads: 2, target: pixels } }
  batch: 4
  steps: 1
  thread: main
  backend: wasm
output: encoder
`,
  'classifier.yaml': `
name: classifier
seed: 3
source: { image-folder: { path: classes, labels: true } }
stages: [decode, { resize: 16 }]
train:
  model: { classifier: { encoder: mae, width: 16, depth: 1, heads: 2, patch: 8, classes: 3 } }
  batch: "\${B}" # a value of the environment that others among the options have too
  steps: ${steps}
  thread: main
  backend: wasm
  optimizer: { adamw: { lr: 2.0e-2 } }
output: classifier
`,
});

/** A folder with runs of an encoder and of a classifier (of `steps` steps), and 20 photographs of which three are broken. */
export async function trainedRuns(t: Test, steps: number): Promise<string> {
  const files = trainings(steps);
  const root = t.testdir(files);
  await pictureFolder(join(root, 'photos'), 20);
  await labelledFolder(join(root, 'classes'), 8);
  for (const name of Object.keys(files))
    t.match(await patchstream(['run', join(root, name)], { env: { B: '16' } }), { code: 0 });
  const bytes = readFileSync(join(root, 'photos', '00004.jpg'));
  writeFiles(join(root, 'photos'), {
    '00003.jpg': bytes.subarray(0, bytes.length >> 1),
    '00009.jpg': 'no picture',
    '00019.jpg': '',
  });
  return root;
}

/** The lines of a folder's files, as a job has written them. */
export const linesIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line) as Record<string, unknown> & { key: string; embedding: number[] });
