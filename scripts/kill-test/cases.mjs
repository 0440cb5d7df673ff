import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const photos = join(root, 'fixtures', 'photos');
const portraits = join(root, 'node_modules', '@vladmandic', 'face-api', 'demo');

/**
 * What is killed.
 *
 * @typedef {object} Case
 * @property {string} name
 * @property {() => string | undefined} missing what this machine lacks for it
 * @property {(folder: string) => void} prepare lays what the run reads into `folder`, `pipeline.yaml` among it
 * @property {string[]} [args] further arguments of `run`
 * @property {boolean} [watched] does not end by itself: it is stopped once all that has arrived is written
 * @property {(folder: string, n: number) => void} [arrive] what arrives in `folder` before the n-th start
 * @property {number} [arrivals] so often something arrives
 * @property {(folder: string) => number} [total] how many samples have arrived in `folder`
 * @property {(output: string) => Promise<Map<string, Uint8Array>>} [contents] what is compared, by name, where the files themselves depend on time
 */

/** AdamW, and checkpoints every three steps. */
const plain = `
  optimizer: { adamw: { lr: 1.0e-2 } }
  checkpoint: { everySteps: 3 }
`;

/** All that a training may keep beside its weights, judged by what is measured: it ends early where that gets no better. */
const judged = `
  optimizer: { lamb: { lr: 2.0e-2 } }
  clip: { norm: 0.5 }
  ema: { decay: 0.9, warmup: {} }
  checkpoint: { everySteps: 3, keep: 1, best: { measure: reconstruction.ours } }
  stop: { measure: reconstruction.ours, patience: 3 }
evaluate:
  every: { steps: 4 }
  reconstruction: { on: '${join(root, 'fixtures', 'held-out')}', limit: 4, pictures: 0 }
`;

const folderOfPhotos = `{ image-folder: { path: '${photos}' } }`;

/** Epochs that differ: of one part of the photographs three times as many as of the other. */
const mixed = `
  mixture:
    - { source: { image-folder: { path: '${photos}', fold: 1/2 } }, weight: 3 }
    - { source: { image-folder: { path: '${photos}', without: 1/2 } }, weight: 1 }
`;

/** @param {string} backend @param {string | undefined} addon @returns {Case} */
const training = (backend, addon, { what = 'training', settings = plain, source = folderOfPhotos } = {}) => ({
  name: `${what}-${backend}`,
  missing: () =>
    addon === undefined || existsSync(join(root, 'native', addon, 'build', `${addon}.node`))
      ? undefined
      : `native/${addon} is not built`,
  prepare: (folder) =>
    writeFileSync(
      join(folder, 'pipeline.yaml'),
      `
name: ${backend}
seed: 7
source: ${source}
stages:
  - decode
  - random-resized-crop: { size: 32 }
  - windows: { patch: 8, size: 3, views: 2 }
  - mask: { ratio: 0.6 }
train:
  model: { lomar: { size: nano, target: pixels } }
  batch: 8
  microBatch: 4
  steps: 40
  backend: ${backend}
  device: cpu
  schedule: { cosine: { warmupSteps: 4 } }${settings}`,
    ),
});

/** Trainings whose steps draw: a tokenizer, and BEiT on the codes of one that is trained once for all kills. @param {'tokenizer' | 'beit'} model @returns {Case} */
const drawing = (model) => ({
  name: `training-${model}`,
  missing: () => undefined,
  prepare: (folder) => {
    const tokenizer = join(dirname(folder), 'tokenizer');
    const text = tokenizerText(model === 'tokenizer' ? 40 : 4);
    if (model === 'tokenizer') {
      writeFileSync(join(folder, 'pipeline.yaml'), text);
      return;
    }
    if (!existsSync(tokenizer)) trainTo(dirname(folder), text, tokenizer);
    writeFileSync(
      join(folder, 'pipeline.yaml'),
      `
name: beit
seed: 7
source: { image-folder: { path: '${photos}' } }
stages:
  - decode
  - random-resized-crop: 32
  - random-flip
  - tokenize: { from: '${tokenizer}', batch: 8 }
  - mask: { ratio: 0.4, patch: 8, blocks: { min: 4, exact: false } }
train:
  model: { beit: { size: nano, dropPath: 0.2 } }
  batch: 8
  microBatch: 4
  steps: 40
  device: cpu
  optimizer: { adamw: { lr: 1.0e-2 } }
  checkpoint: { everySteps: 3 }
`,
    );
  },
});

/** @param {number} steps */
const tokenizerText = (steps) => `
name: tokenizer
seed: 7
source: { image-folder: { path: '${photos}' } }
stages: [decode, { random-resized-crop: 16 }]
train:
  model: { tokenizer: { size: nano, temperature: { steps: 30 }, kl: { to: 0.1, steps: 20 } } }
  batch: 8
  microBatch: 4
  steps: ${steps}
  device: cpu
  optimizer: { adamw: { lr: 3.0e-3 } }
  checkpoint: { everySteps: 3 }
`;

/** @param {string} name @param {string} sink @returns {Case} */
const faces = (name, sink) => ({
  name,
  missing: () => (existsSync(portraits) ? undefined : 'the package @vladmandic/face-api is not installed'),
  prepare: (folder) =>
    writeFileSync(
      join(folder, 'pipeline.yaml'),
      `
name: faces
source: { image-folder: { path: '${portraits}', formats: [jpeg], repeat: 3 } }
stages: [decode, { face-crop: { minSide: 80, margin: 0.1 } }, { resize: 32 }]
sink: { ${sink} }
`,
    ),
});

/** Vectors of photographs, by an encoder that is trained once for all kills. @param {string} name @param {string} sink @returns {Case} */
const vectors = (name, sink) => ({
  name,
  missing: () => undefined,
  prepare: (folder) => {
    const trained = join(dirname(folder), 'trained');
    if (!existsSync(trained)) train(dirname(folder), trained);
    writeFileSync(
      join(folder, 'pipeline.yaml'),
      `
name: vectors
source: { image-folder: { path: '${photos}', repeat: 3 } }
stages: [decode, { embed: { from: '${trained}', batch: 16 } }]
sink: { ${sink} }
`,
    );
  },
});

/** @param {string} folder @param {string} output */
function train(folder, output) {
  trainTo(
    folder,
    `
name: encoder
source: { image-folder: { path: '${photos}' } }
stages: [decode, { resize: 32 }, { mask: { ratio: 0.5, patch: 8 } }]
train: { model: { mae: { size: nano } }, batch: 8, steps: 2 }
`,
    output,
  );
}

/** Runs a pipeline to its end. @param {string} folder @param {string} text @param {string} output */
function trainTo(folder, text, output) {
  const file = join(folder, 'trained.yaml');
  writeFileSync(file, `${text}output: '${output}'\n`);
  execFileSync(process.execPath, [join(root, 'bin', 'patchstream.mjs'), 'run', file], { stdio: 'ignore' });
}

/** Photographs that arrive at once, each under a temporary name first. @param {string} folder @param {number} n */
function arrive(folder, n) {
  const names = readdirSync(photos).filter((_, i) => i % arrivals === n);
  const to = join(folder, 'photos');
  mkdirSync(to, { recursive: true });
  for (const name of names) {
    copyFileSync(join(photos, name), join(to, `${name}.part`));
    renameSync(join(to, `${name}.part`), join(to, name));
  }
}

const arrivals = 6;

/** The same under two names each. @param {string} folder @param {number} n */
function arriveTwice(folder, n) {
  arrive(folder, n);
  const to = join(folder, 'photos');
  for (const name of readdirSync(to).filter((name) => !name.startsWith('copy-'))) {
    if (existsSync(join(to, `copy-${name}`))) continue;
    copyFileSync(join(to, name), join(to, `${name}.part`));
    renameSync(join(to, `${name}.part`), join(to, `copy-${name}`));
  }
}

/** Which pictures look like which: what arrives first is chance, and so is which of two is compared with the other. @param {string} output */
async function pairs(output) {
  const folder = join(output, 'duplicates');
  const found = new Map();
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.jsonl'))) {
    for (const line of readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')) {
      const { key, like } = JSON.parse(line);
      for (const what of [
        key,
        ...like.map((/** @type {{ key: string }} */ other) => [key, other.key].sort().join(' and ')),
      ]) {
        found.set(found.has(what) ? `${what} again` : what, Buffer.alloc(0));
      }
    }
  }
  return found;
}

/** Every record of the shards in `output`, by its key: what arrives when is chance, so that files differ. @param {string} output */
async function records(output) {
  const { pipeline, shards } = await import(pathToFileURL(join(root, 'dist', 'index.js')).href);
  const found = new Map();
  for await (const { key, picture } of pipeline(shards(join(output, 'shards'))).samples()) {
    const { data } = await picture.pixels();
    // A key of its own for what is there twice, which then differs from the undisturbed run.
    found.set(found.has(key) ? `${key} again` : key, Buffer.from(data));
  }
  return found;
}

/** @type {Case} */
const watched = {
  name: 'watched',
  missing: () => undefined,
  prepare: (folder) => {
    mkdirSync(join(folder, 'photos'), { recursive: true });
    writeFileSync(
      join(folder, 'pipeline.yaml'),
      `
name: watched
source: { image-folder: { path: ./photos } }
stages: [decode, { resize: 16 }]
sink: { shards: { shardBytes: 20000 } }
`,
    );
  },
  args: ['--watch', '--idle', '1'],
  watched: true,
  arrive,
  arrivals,
  total: (folder) => readdirSync(join(folder, 'photos')).length,
  contents: records,
};

/** Each photograph is there three times. @type {Case} */
const duplicates = {
  name: 'duplicates',
  missing: () => undefined,
  prepare: (folder) =>
    writeFileSync(
      join(folder, 'pipeline.yaml'),
      `
name: duplicates
source: { image-folder: { path: '${photos}', repeat: 3 } }
stages: [decode, perceptual-hash]
sink: { duplicates: { shardBytes: 40000 } }
`,
    ),
};

/** @type {Case} */
const duplicatesWatched = {
  ...watched,
  name: 'duplicates-watched',
  prepare: (folder) => {
    mkdirSync(join(folder, 'photos'), { recursive: true });
    writeFileSync(
      join(folder, 'pipeline.yaml'),
      `
name: duplicates
source: { image-folder: { path: ./photos } }
stages: [decode, perceptual-hash]
sink: { duplicates: { shardBytes: 40000 } }
`,
    );
  },
  arrive: arriveTwice,
  contents: pairs,
};

export const cases = [
  training('torch', 'torch'),
  training('wasm', undefined),
  training('torch', 'torch', { what: 'judged', settings: judged, source: mixed }),
  training('wasm', undefined, { what: 'judged', settings: judged, source: mixed }),
  drawing('tokenizer'),
  drawing('beit'),
  faces('faces-shards', 'shards: { shardBytes: 12000 }'),
  faces('faces-tars', 'webdataset: { shardBytes: 12000 }'),
  vectors('vectors-lines', 'jsonl: { shardBytes: 60000 }'),
  vectors('vectors-tables', 'parquet: { shardBytes: 60000 }'),
  vectors('vectors-arrays', 'npy: { shardBytes: 60000 }'),
  watched,
  duplicates,
  duplicatesWatched,
];
