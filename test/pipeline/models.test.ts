import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { srmaeWith } from '../../src/models/index.ts';
import type { SuperResolution } from '../../src/models/srmae/super-resolution.options.ts';
import { builtin } from '../../src/pipeline/builtin.ts';
import { checkFile } from '../../src/pipeline/check.ts';
import { definePipeline, pipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { imageFolder } from '../../src/sources/index.ts';
import { decode, downsample, mask, resize } from '../../src/stages/index.ts';
import { pictureFolder } from '../kit/files/folder.ts';
import { saying } from '../kit/runs/said.ts';

const chain = (stages: string, model: string, use = '') => `${use}
source: { image-folder: { path: ./photos } }
stages:
${stages
  .split('; ')
  .map((stage) => `  - ${stage}`)
  .join('\n')}
train: { model: ${model}, batch: 8, steps: 2, optimizer: { adamw: { lr: 1.0e-3 } } }
`;

async function check(t: import('tap').Test, text: string, files: Readonly<Record<string, string>> = {}) {
  const folder = t.testdir({ ...files, 'p.yaml': text });
  const { problems, resolved } = await checkFile(join(folder, 'p.yaml'), { registry: builtin, environment: {} });
  return { texts: problems.map(({ error }) => error.message), resolved };
}

t.test('SRMAE says which stage it lacks, and which it cannot work behind', async (t) => {
  const sound = 'decode; resize: 32; downsample: 4; mask: { ratio: 0.75, patch: 4 }';
  t.same((await check(t, chain(sound, '{ srmae: nano }'))).texts, []);
  const without = await check(t, chain(sound.replace('downsample: 4; ', ''), '{ srmae: nano }'));
  t.match(without.texts, [/FIELD_MISSING: .*`lr`.*downsample/]);
  const windows = 'decode; resize: 64; downsample: 4; windows: { patch: 8, size: 5, views: 2 }; mask: 0.6';
  t.match((await check(t, chain(windows, '{ srmae: nano }'))).texts, [/MODEL_WHOLE: .*srmae/]);
  t.match((await check(t, chain(sound, '{ srmae: { size: nano, decoderWidth: 40, decoderHeads: 2 } }'))).texts, [
    /MODEL_SUPER_RESOLUTION: .*multiple of 16; got 40/,
  ]);
  t.match((await check(t, chain(sound, '{ srmae: { size: nano, patch: 8 } }'))).texts, [/MODEL_PATCH/]);
});

const module = `
import { srmaeWith } from 'patchstream';
export const gain = srmaeWith({
  name: 'gain',
  parameters: (C) => [{ name: 'gain.weight', shape: [C], layout: 'same', start: 'ones' }],
  apply: (params, x) => x.mul(params['gain.weight']),
});
`;

t.test('use: a model of one’s own, by its name', async (t) => {
  const sound = 'decode; resize: 32; downsample: 4; mask: { ratio: 0.75, patch: 4 }';
  const { texts, resolved } = await check(t, chain(sound, '{ srmae-gain: nano }', 'use: [./gain.ts]'), {
    'gain.ts': module,
  });
  t.same(texts, []);
  t.equal(resolved?.train?.model.name, 'srmae-gain');
  t.match((await check(t, chain(sound, '{ srmae-gain: nano }'))).texts, [/NAME_UNKNOWN: .*srmae-gain/]);
  const wrong = chain(sound, '{ srmae-gain: { superResolution: hpb } }', 'use: [./gain.ts]');
  t.match((await check(t, wrong, { 'gain.ts': module })).texts, [/OPTION_UNKNOWN: .*superResolution/]);
});

t.test('a super-resolution module of one’s own trains in the calling thread and is evaluated', async (t) => {
  const root = t.testdir({});
  await pictureFolder(join(root, 'photos'), 12);
  const gain: SuperResolution = {
    name: 'gain',
    parameters: (C) => [{ name: 'gain.weight', shape: [C], layout: 'same', start: 'ones' }],
    apply: (params, x) => x.mul(params['gain.weight']!),
  };
  const training = (steps: number) =>
    definePipeline({
      ...pipeline(
        imageFolder({ path: join(root, 'photos'), repeat: 4 }),
        decode(),
        resize(16),
        downsample(4),
        mask({ ratio: 0.75, patch: 4 }),
      ),
      name: 'own',
      seed: 5,
      threads: 1,
      train: {
        model: srmaeWith(gain)({ size: 'nano', depth: 1, decoderDepth: 1 }),
        batch: 4,
        microBatch: 2,
        steps,
        backend: 'wasm',
        optimizer: { adamw: { lr: 1e-3 } },
      },
      evaluate: { reconstruction: { on: join(root, 'photos'), baseline: 'low-resolution', pictures: 1 } },
      output: join(root, 'own'),
    });
  const lines: string[] = [];
  const onEvent = saying(lines);
  const { done } = await run(training(3), { onEvent });
  t.equal(done, 3);
  t.ok(lines.includes('A model that was made in this program trains in its thread.'), lines.join('\n'));
  t.ok(existsSync(join(root, 'own', 'evaluation.json')));
  const rows = readFileSync(join(root, 'own', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  t.equal(rows.length, 3);
  const header = readFileSync(join(root, 'own/checkpoints/step-00000003/model.safetensors'), 'latin1').slice(0, 20_000);
  t.match(header, /"super_resolution\.gain\.weight"/);
});
