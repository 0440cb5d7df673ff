// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { join } from 'node:path';
import t from 'tap';
import { checkFile } from '../../src/pipeline/check.ts';
import type { LoadOptions } from '../../src/pipeline/load.ts';
import { registry } from './registry.ts';

const sound = `
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

type Files = Parameters<typeof t.testdir>[0];

async function load(
  t: { testdir(files?: Files): string },
  files: Files,
  more: Omit<LoadOptions, 'registry'> = {},
  name = 'p.yaml',
) {
  const dir = t.testdir(files);
  const {
    problems,
    resolved,
    registry: all,
  } = await checkFile(join(dir, name), { registry, environment: {}, ...more });
  const texts = problems.map(({ error }) => error.message.replaceAll(/\.tap\/fixtures\/[^:/]+\//g, ''));
  return { dir, texts, codes: problems.map(({ error }) => error.code), problems, resolved, all };
}

t.test(
  'extends: merged deep, lists replaced, places in the right file, paths from the file they stand in',
  async (t) => {
    const { texts, resolved, dir } = await load(
      t,
      {
        bases: { 'base.yaml': `${sound}output: ../out\nseed: x\n` },
        'p.yaml':
          'extends: ./bases/base.yaml\nstages: [decode, resize: 32, windows: { patch: 8, size: 2 }, mask: 0.5]\ntrain: { batch: 0 }\n',
      },
      {},
    );
    t.matchSnapshot(texts.join('\n'));
    t.same(resolved?.source?.options, { path: join(dir, 'bases', 'photos'), repeat: 1 });
    t.equal(resolved?.definition.output, join(dir, 'out'));
    t.equal(resolved?.definition.train?.steps, 900);
    t.same(
      resolved?.stages.map(({ id }) => id),
      ['decode', 'resize', 'windows', 'mask'],
    );
  },
);

t.test('extends: a circle, and a base that is missing', async (t) => {
  const circle = await load(t, { 'p.yaml': `extends: q.yaml\n${sound}`, 'q.yaml': 'extends: p.yaml\n' });
  t.matchSnapshot(circle.texts.join('\n'));
  const missing = await load(t, { 'p.yaml': `extends: no.yaml\n${sound}` });
  t.match(missing.texts, [/^PIPELINE_FILE: p.yaml:1:10: .*ENOENT/]);
});

t.test('--set lays values over a file', async (t) => {
  const set = [
    'train.epochs=1',
    'train.steps=null',
    'stages.mask.ratio=0.25',
    'stages.1.size=48',
    'train.model.lomar.size=tiny',
    'source.repeat=4',
    'seed=9',
    'stages.mask.concurrency=3',
  ];
  const { texts, resolved } = await load(t, { 'p.yaml': sound }, { set });
  t.same(texts, []);
  t.equal(resolved?.train?.epochs, 1);
  t.equal(resolved?.train?.steps, undefined);
  t.same(resolved?.stages[3]?.options, { ratio: 0.25 });
  t.equal(resolved?.stages[3]?.policy.concurrency, 3);
  t.same(resolved?.spec.size, [48, 48]);
  t.same(resolved?.train?.model.options, { size: 'tiny', target: 'patchNorm', rpeScaled: false });
  t.match(resolved?.source?.options, { repeat: 4 });
  t.equal(resolved?.definition.seed, 9);
});

t.test('--set: what it refuses, and the place of what it breaks', async (t) => {
  const set = [
    'trian.epochs=1',
    'epochs',
    'stages.masc.ratio=1',
    'stages.9.ratio=1',
    'stages=[]',
    'train.model={lomar: tiny}',
    'evaluate.knn.stages=[{resize: 8}]',
    'train.batch.size=3',
    '__proto__.x=1',
    'train.__proto__.x=1',
    'stages.mask.ratio=2',
    'stages.mask.ratoi=1',
    'seed=[1',
  ];
  const { texts } = await load(t, { 'p.yaml': sound }, { set });
  t.matchSnapshot(texts.join('\n'));
  t.equal(({} as { x?: number }).x, undefined);
});

const evaluated = `${sound.replace('decode', 'decode\n  - resize: { size: 80, id: early }')}seed: 5
evaluate: { source: { image-folder: ./held-out }, at: [end], measures: [reconstruction: { limit: 5 }] }
`;

t.test('--set: null takes out options, stages and parts', async (t) => {
  const of = async (...set: string[]) => {
    const { texts, resolved } = await load(t, { 'p.yaml': evaluated }, { set });
    t.same(texts, [], set.join(' '));
    return resolved!;
  };
  const ids = ({ stages }: Awaited<ReturnType<typeof of>>) => stages.map(({ id }) => id);
  t.ok((await of()).evaluate);
  t.equal((await of('evaluate=null')).definition.evaluate, undefined);
  t.same(Object.keys((await of('evaluate.at=null')).definition.evaluate ?? {}), ['source', 'measures']);
  t.equal((await of('evaluate=null', 'evaluate.knn=null')).definition.evaluate, undefined);
  t.same(ids(await of('stages.early=null')), ['decode', 'resize', 'windows', 'mask']);
  const shorter = await of('stages.1=null', 'stages.2.views=7', 'stages.3.ratio=0.5');
  t.same(ids(shorter), ['decode', 'resize', 'windows', 'mask']);
  t.match(shorter.stages[2]?.options, { views: 7 });
  t.match(shorter.stages[3]?.options, { ratio: 0.5 });
  const betas = await of(
    'train.optimizer={adamw: {lr: 1, betas: [0.5, 0.9, 0.95]}}',
    'train.optimizer.adamw.betas.0=null',
  );
  t.same(betas.train?.optimizer.adamw?.betas, [0.9, 0.95]);
  t.equal((await of('seed=null')).definition.seed, 0);
  const { definition } = await of('name=x', 'output=./elsewhere', 'output=null', 'name=null');
  t.match(definition, { name: 'p', output: join(process.cwd(), 'runs', 'p') });
});

t.test('--set: a part that is not there has no options, and a name is taken out with what it names', async (t) => {
  const set = [
    'sink.images.path=x',
    'evaluate.source=null',
    'evaluate.source.image-folder.path=x',
    'stages.3.windows=null',
  ];
  const { texts } = await load(t, { 'p.yaml': evaluated }, { set });
  t.matchSnapshot(texts.join('\n'));
});

t.test('--set: problems behind a stage that was taken out stand where they were written', async (t) => {
  const broken = evaluated.replace('ratio: 0.6', 'ratio: 6').replace('views: 2', 'views: none');
  const set = ['stages.early=null', 'stages.3.id=7', 'evaluate=null'];
  const { problems } = await load(t, { 'p.yaml': broken }, { set });
  const lines = broken.split('\n').map((text) => text.trim());
  t.same(
    problems.map(({ place }) => [place?.line && lines[place.line - 1]?.slice(0, 10), place?.line ? '' : place?.file]),
    [
      ['- windows:', ''],
      ['- mask: { ', ''],
      [undefined, '--set stages.3.id=7'],
    ],
  );
});

t.test('--set: a pipeline must keep its source, its stages, and one end', async (t) => {
  const set = ['source=null', 'stages=null', 'stages.mask={}', 'train={}', 'train=null'];
  t.matchSnapshot((await load(t, { 'p.yaml': sound }, { set })).texts.join('\n'));
  const { texts, resolved } = await load(t, { 'p.yaml': `${sound}sink: images\n` }, { set: ['train=null'] });
  t.same(texts, []);
  t.equal(resolved?.train, undefined);
  t.ok(resolved?.sink);
});

t.test('extends: null takes a part out of the base, and is an error where there is none', async (t) => {
  const files = { 'base.yaml': evaluated, 'p.yaml': 'extends: base.yaml\nevaluate: null\nseed: null\n' };
  const { texts, resolved } = await load(t, files);
  t.same(texts, []);
  t.equal(resolved?.definition.evaluate, undefined);
  t.equal(resolved?.definition.seed, 0);
  t.same((await load(t, { 'p.yaml': `${sound}evaluate: null\n` })).codes, ['OPTION_VALUE']);
});

t.test('environment: substituted, defaulted, missing, and never shown', async (t) => {
  const text = sound
    .replace('./photos', '"${PHOTOS}/small"')
    .replace('steps: 900', 'steps: ${STEPS:-12}')
    .replace('ratio: 0.6', 'ratio: "${RATIO}"')
    .replace('nano', '"${SIZE}"');
  const environment = { PHOTOS: '/secret/place', RATIO: '0.5', SIZE: 'hush-hush' };
  const { texts, resolved } = await load(t, { 'p.yaml': text }, { environment });
  t.match(resolved?.source?.options, { path: '/secret/place/small' });
  t.same(resolved?.stages[3]?.options, { ratio: 0.5 });
  t.equal(resolved?.definition.train?.steps, 12);
  t.equal(texts.length, 1);
  t.match(texts[0], /\$\{SIZE\}/);
  t.notMatch(texts[0], /hush/);
  const missing = await load(t, { 'p.yaml': text }, { environment: { ...environment, SIZE: 'nano', RATIO: '' } });
  t.matchSnapshot(missing.texts.join('\n'));
});

t.test('use: stages of the user’s own', async (t) => {
  const module = `
import { defineStage } from 'patchstream';
import { z } from '${join(process.cwd(), 'node_modules/zod/index.js')}';
export const brighten = defineStage({
  name: 'brighten',
  summary: 'Makes pictures brighter.',
  options: z.strictObject({ by: z.number().default(1) }),
  needs: ['picture'],
  output: (spec) => spec,
  run: () => (sample: { picture: object }) => sample,
});
`;
  const text = sound.replace('  - resize', '  - brighten: { bz: 2 }\n  - resize');
  const files = {
    'my-stage.ts': module,
    'empty.ts': 'export const x = 1;\n',
    'broken.ts': 'throw new Error("no\\u001b[31m");\n',
  };
  const { texts, all, resolved } = await load(t, { ...files, 'p.yaml': `use: [./my-stage.ts]\n${text}` });
  t.match(texts, [/brighten.*`bz`.*Did you mean `by`/]);
  t.ok(all.stages.has('brighten'));
  t.match(resolved?.definition.uses, [/my-stage\.ts$/]);
  const wrong = await load(t, { ...files, 'p.yaml': `use: [./empty.ts, ./broken.ts, ./none.ts, 3]\n${sound}` });
  t.same(wrong.codes, ['USE_EXPORTS', 'USE_MODULE', 'USE_MODULE', 'OPTION_VALUE']);
  t.notOk(wrong.texts.join().includes('\u001b'), 'what a module throws is shown escaped');
});

t.test('a pipeline in TypeScript', async (t) => {
  const kit = join(process.cwd(), 'test/pipeline/registry.ts');
  const module = (patch: number) => `
import { definePipeline } from 'patchstream';
import { decode, imageFolder, mask, resize, windows } from '${kit}';
const source = { source: { name: 'image-folder', options: { path: './photos' }, definition: imageFolder } };
export default definePipeline({ source, stages: [decode(), resize(64), windows({ patch: ${patch}, size: 5 }), mask()], output: './here' });
`;
  const files = { 'good.ts': module(8), 'bad.ts': module(15), 'none.ts': 'export default 3;\n' };
  const good = await load(t, files, { set: ['stages.mask.ratio=0.5'] }, 'good.ts');
  t.same(good.codes, ['PIPELINE_ENDS']);
  t.equal(good.resolved?.definition.name, 'good');
  t.equal(good.resolved?.definition.output, join(good.dir, 'here'));
  t.same(good.resolved?.stages[3]?.options, { ratio: 0.5 });
  const bad = await load(t, files, {}, 'bad.ts');
  t.matchSnapshot(bad.texts.join('\n'));
  t.match((await load(t, files, {}, 'none.ts')).codes, ['PIPELINE_EXPORT']);
  t.match((await load(t, files, {}, 'missing.ts')).codes, ['PIPELINE_FILE']);
  t.match((await load(t, files, {}, 'p.toml')).codes, ['PIPELINE_FILE']);
});
