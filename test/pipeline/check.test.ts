import { join } from 'node:path';
import t from 'tap';
import { checkFile } from '../../src/pipeline/check.ts';
import type { Environment } from '../../src/pipeline/file/environment.ts';
import { registry } from './registry.ts';

// Places are shown from the working directory; the test's own folder is not part of what is held.
t.cleanSnapshot = (text) => text.replace(/\.tap\/fixtures\/[^:/]+\//g, '');

const sound = `
name: sound
source: { image-folder: { path: ./photos } }
stages:
  - decode
  - resize: 64
  - windows: { patch: 8, size: 5, views: 2 }
  - mask: { ratio: 0.6 }
train:
  model: { lomar: { size: nano } }
  batch: 32
  steps: 900
`;

async function problemsOf(
  dir: string,
  name: string,
  { set = [], environment = {} }: { set?: string[]; environment?: Environment } = {},
) {
  const { problems, resolved } = await checkFile(join(dir, name), { registry, set, environment });
  return {
    texts: problems.map(({ error }) => error.message),
    codes: problems.map(({ error }) => error.code),
    problems,
    resolved,
  };
}

interface Dir {
  testdir(files: Record<string, string>): string;
}

/** The problems of one file with this text. */
function problemsIn(t: Dir, text: string, more: Parameters<typeof problemsOf>[2] = {}) {
  return problemsOf(t.testdir({ 'p.yaml': text }), 'p.yaml', more);
}

t.test('a sound file has no problems and is resolved', async (t) => {
  const { texts, resolved } = await problemsIn(t, sound);
  t.same(texts, []);
  t.same(resolved?.spec.fields.masks, { dtype: 'uint8', shape: [2, 25] });
  t.same(resolved?.spec.size, [64, 64]);
  t.equal(resolved?.train?.microBatch, 'auto');
  t.same(resolved?.train?.model.options, { size: 'nano', target: 'patchNorm', rpeScaled: false });
  t.equal(resolved?.definition.output, join(process.cwd(), 'runs', 'sound'));
});

t.test('five mistakes in one file give five problems with their lines', async (t) => {
  const { problems, texts } = await problemsIn(
    t,
    `name: wrong
source: { image-folder: { path: ./photos, repaet: 32 } }
stages:
  - decode
  - resise: 64
  - windows: { patch: 8, size: 0 }
  - mask: { ratio: 1.5 }
train:
  model: { lomar: { size: nano } }
  batch: many
  steps: 900
`,
  );
  t.same(
    problems.map(({ place }) => [place?.line, place?.column]),
    [
      [2, 43],
      [5, 5],
      [6, 32],
      [7, 20],
      [10, 10],
    ],
  );
  t.matchSnapshot(texts.join('\n'));
});

t.test('shapes are checked along the chain, and a mistake is told once', async (t) => {
  const { texts } = await problemsIn(t, sound.replace('patch: 8, size: 5', 'patch: 15, size: 5'));
  t.matchSnapshot(texts.join('\n'));
  t.equal(texts.length, 1);
});

t.test('a missing field names the stage that gives it', async (t) => {
  const early = await problemsIn(t, sound.replace('  - decode\n  - resize: 64', '  - resize: 64\n  - decode'));
  const none = await problemsIn(t, sound.replace('  - decode\n', ''));
  const model = await problemsIn(t, sound.replace('  - mask: { ratio: 0.6 }\n', ''));
  t.matchSnapshot([...early.texts, ...none.texts, ...model.texts].join('\n'));
});

t.test('pictures of any size cannot enter a batch', async (t) => {
  const { codes, texts } = await problemsIn(t, sound.replace('  - resize: 64\n', ''));
  t.same(codes, ['FIELD_LOOSE']);
  t.match(texts[0], /resize/);
});

t.test('rules of train', async (t) => {
  const train = (lines: string) => problemsIn(t, sound.replace('  steps: 900\n', lines));
  const both = await train('  steps: 9\n  epochs: 3\n');
  const none = await train('');
  const rates = await train(
    '  steps: 9\n  optimizer: { adamw: { lr: 1, baseLr: 1 } }\n  schedule: { cosine: {}, constant: {} }\n',
  );
  const micro = await train('  steps: 9\n  microBatch: 5\n  checkpoint: { everySteps: 1, everyEpochs: 1 }\n');
  t.matchSnapshot([both, none, rates, micro].map(({ texts }) => texts.join('\n')).join('\n---\n'));
  const missing = await problemsIn(t, sound.replace('  model: { lomar: { size: nano } }\n', ''));
  t.same(missing.codes, ['OPTION_MISSING']);
  const unknown = await problemsIn(t, sound.replace('lomar', 'lomor'));
  t.match(unknown.texts, [/Did you mean `lomar`/]);
});

t.test('a pipeline ends in training or a sink', async (t) => {
  const job = sound.slice(0, sound.indexOf('train:'));
  t.same((await problemsIn(t, job)).codes, ['PIPELINE_ENDS']);
  t.same((await problemsIn(t, `${sound}sink: images\n`)).codes, ['PIPELINE_ENDS']);
  t.same((await problemsIn(t, `${job}sink: images\n`)).codes, []);
  t.same((await problemsIn(t, `${job}sink: { images: { shet: true } }\n`)).codes, ['OPTION_UNKNOWN']);
});

t.test('evaluate, short and full', async (t) => {
  const short = await problemsIn(
    t,
    `${sound}evaluate: { reconstruction: { on: ../held-out, baseline: smooth-fill } }\n`,
  );
  t.same(short.texts, []);
  const [measure] = short.resolved?.evaluate?.measures ?? [];
  t.match(measure, {
    definition: { name: 'reconstruction' },
    id: 'reconstruction',
    options: { baseline: 'smooth-fill', pictures: 8 },
  });
  t.equal(measure?.data.on?.stages.length, 4);
  const full = await problemsIn(
    t,
    `${sound}evaluate: { source: { image-folder: ./x }, measures: [{ reconstruction: {} }], stages: [decode, masc] }\n`,
  );
  t.match(full.texts, [/Did you mean `mask`/]);
});

t.test('stages: entries that are none, ids, policies', async (t) => {
  const stages = (lines: string) => problemsIn(t, sound.replace('  - decode\n', lines));
  const results = [
    await stages('  - decode\n  - 3\n'),
    await stages('  - decode:\n    concurrency: 2\n'),
    await stages('  - decode: { id: a }\n  - decode: { id: a }\n'),
    await stages('  - decode: { concurency: 2, timeout: -1, maxFailures: lots }\n'),
    await stages('  - decode: { concurrency: 2, timeout: 5, maxFailures: 5% }\n'),
  ];
  t.matchSnapshot(results.map(({ texts }) => texts.join('\n')).join('\n---\n'));
});

t.test('settings at the top', async (t) => {
  const { codes } = await problemsIn(t, `${sound}sede: 3\nthreads: 4\npermits: 2\ncells: lots\n`);
  t.same(codes, ['OPTION_UNKNOWN', 'PERMITS_TOO_FEW', 'OPTION_VALUE']);
});
