import { join } from 'node:path';
import type { Test } from 'tap';
import { labelledFolder, pictureFolder, writeFiles } from '../files/folder.ts';
import { gradient, jpeg } from '../pictures/pictures.ts';
import { patchstream } from '../runs/terminal.ts';

const whole = 'mask: { ratio: 0.75, patch: 8 }';
const models = {
  lomar: {
    stages: 'windows: { patch: 8, size: 3, views: 2 }, mask: { ratio: 0.5, blocks: {} }',
    model: 'lomar: { width: 16, depth: 2, heads: 2, target: pixels }',
  },
  mae: {
    stages: whole,
    model: 'mae: { width: 16, depth: 2, heads: 2, decoderWidth: 16, decoderDepth: 3, decoderHeads: 2 }',
  },
  srmae: {
    stages: `downsample: 4, ${whole}`,
    model: 'srmae: { width: 16, depth: 1, heads: 2, decoderWidth: 16, decoderDepth: 1, decoderHeads: 2 }',
  },
} as const;

/** Names of the runs of `figureRuns`; the last has trained a classifier of three classes. */
export const figureRunNames = [...Object.keys(models), 'classifier'] as const;

function pipelineOf(name: keyof typeof models): string {
  const { stages, model } = models[name];
  const list = stages.split(/, (?=mask)/).map((stage) => `  - ${stage}\n`);
  return `
name: ${name}
seed: 3
source: { image-folder: { path: photos } }
stages:
  - decode
  - random-resized-crop: 32
${list.join('')}train:
  model: { ${model} }
  batch: 4
  steps: 2
  thread: main
  backend: wasm
${name === 'srmae' ? '' : 'evaluate: { every: { steps: 1 }, reconstruction: { on: photos, limit: 2 }, knn: { on: classes, reference: classes, k: 3 } }\n'}output: ${name}
`;
}

const classifier = `
name: classifier
seed: 3
source: { image-folder: { path: classes, labels: true } }
stages: [decode, { resize: 32 }]
train:
  model: { classifier: { encoder: lomar, width: 16, depth: 2, heads: 2, patch: 8, classes: 3 } }
  batch: 4
  steps: 2
  thread: main
  backend: wasm
evaluate: { classify: { on: classes } }
output: classifier
`;

/** A folder with nano runs of two steps, of each model, on pictures of 32 px in patches of 8; photographs in `photos`, of other sizes, and a broken one, `broken.jpg`. */
export async function figureRuns(t: Test): Promise<string> {
  const names = Object.keys(models) as (keyof typeof models)[];
  const files = Object.fromEntries(names.map((name) => [`${name}.yaml`, pipelineOf(name)]));
  const root = t.testdir({ ...files, 'classifier.yaml': classifier });
  await pictureFolder(join(root, 'photos'), 6);
  await labelledFolder(join(root, 'classes'), 4);
  for (const name of figureRunNames) {
    const { code, err } = await patchstream(['run', join(root, `${name}.yaml`)]);
    t.equal(code, 0, `${name}: ${err}`);
  }
  writeFiles(root, {
    'a.jpg': await jpeg(gradient(80, 60)),
    'b<i>.jpg': await jpeg(gradient(33, 47)),
    'broken.jpg': 'no picture',
  });
  return root;
}
