// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { execFileSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import type { LoadOptions } from '../../../src/pipeline/file/load.ts';
import { registry } from '../registry.ts';

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

t.test('L11: an option is a path where its schema says so, wherever it stands and whatever it is called', async (t) => {
  const module = `
import { defineSource, defineStage, pathOption } from 'patchstream';
import { z } from 'zod';
export const mine = defineSource({
  name: 'mine',
  summary: 'A source.',
  options: z.strictObject({
    files: z.array(pathOption()),
    deep: z.strictObject({ place: pathOption().or(z.literal('none')).optional() }),
    title: z.string(),
    other: z.record(z.string(), pathOption()),
  }),
  spec: () => ({ fields: {}, open: true }),
  open: () => Promise.reject(new Error()),
});
export const look = defineStage({
  name: 'look',
  summary: 'A stage.',
  options: z.strictObject({ path: z.string(), table: pathOption() }),
  shorthand: 'table',
  needs: [],
  output: (spec) => spec,
  run: () => (sample) => sample,
});
`;
  const base = `
use: [my.ts]
source:
  mine: { files: [a, ./b, /c, "https://x.org/d.tar"], deep: { place: none }, title: ./title, other: { path: e } }
stages: [{ look: { path: ./p, table: q } }, { look: t }]
train: { model: { lomar: { size: nano } }, batch: 2, steps: 1, init: w.safetensors }
evaluate:
  knn: { on: photos, reference: ../others, k: 1 }
  reconstruction: { on: { mine: { files: [f], deep: { place: ./g }, title: on, other: {} } } }
output: out
`;
  const { resolved, dir } = await load(t, {
    bases: { 'base.yaml': base, 'my.ts': module },
    'p.yaml': 'extends: bases/base.yaml\nevaluate: { linear: { on: here } }\n',
  });
  const { definition } = resolved!;
  const at = (path: string) => join(dir, 'bases', path);
  t.same(definition.source.source.options, {
    files: [at('a'), at('b'), '/c', 'https://x.org/d.tar'],
    deep: { place: 'none' },
    title: './title',
    other: { path: at('e') },
  });
  t.same(
    definition.stages.map(({ stage }) => stage.kind === 'defined' && stage.options),
    [{ path: './p', table: at('q') }, { table: at('t') }],
  );
  t.equal(definition.train?.init, at('w.safetensors'));
  t.equal(definition.output, at('out'));
  const { knn, linear, reconstruction } = definition.evaluate!;
  t.match([knn, linear], [{ on: at('photos'), reference: join(dir, 'others') }, { on: 'here' }]);
  t.match(reconstruction?.on, { source: { options: { files: [at('f')], deep: { place: at('g') }, title: 'on' } } });
  t.match(definition.uses, [at('my.ts')]);

  const set = [
    'source.files.1=x',
    'source.title=./y',
    'stages.0.table=z',
    'train.init=w',
    'evaluate.knn.reference=v',
    'evaluate.measures=null',
  ];
  const own = await load(t, { 'my.ts': module, 'p.yaml': base }, { set });
  const here = (path: string) => join(process.cwd(), path);
  t.match(own.resolved!.definition.source.source.options, { files: ['a', here('x')], title: './y' });
  t.match(own.resolved!.definition.stages[0], { stage: { options: { path: './p', table: here('z') } } });
  t.match(own.resolved!.definition, {
    train: { init: here('w') },
    evaluate: { knn: { on: 'photos', reference: here('v') } },
  });
});

t.test('M3: null takes out of the base at every depth', async (t) => {
  const more = `${sound.replace('steps: 900', 'steps: 900\n  schedule: { cosine: { warmupSteps: 5, minLr: 1.0e-4 } }')}
evaluate: { knn: { on: a, k: 3 }, reconstruction: { on: b, limit: 4 } }
`;
  const of = async (text: string) => {
    const { resolved, texts } = await load(t, { 'base.yaml': more, 'p.yaml': `extends: base.yaml\n${text}` });
    return { ...resolved!.definition, texts };
  };
  t.match((await of('train: { schedule: null }')).train, { steps: 900, schedule: undefined });
  t.same((await of('train: { schedule: { cosine: { minLr: null } } }')).train?.schedule, {
    cosine: { warmupSteps: 5 },
  });
  t.same(Object.keys((await of('evaluate: { reconstruction: null }')).evaluate ?? {}), ['knn']);
  t.same(Object.keys((await of('evaluate: { knn: { k: null } }')).evaluate?.knn ?? {}), ['on']);
  t.match((await of('train: { model: { lomar: null, mae: {} } }')).train?.model.model.name, 'mae');
  t.same((await of('train: { model: { lomar: null } }')).train?.model.model.options, {});
});

t.test('S3: files that extend each other many times are read once, and no more than 64', async (t) => {
  const diamonds = Object.fromEntries(
    Array.from({ length: 25 }, (_, i) => [`d${i}.yaml`, `extends: [d${i + 1}.yaml, d${i + 1}.yaml]\n`]),
  );
  const whole = await load(t, { ...diamonds, 'd25.yaml': sound }, {}, 'd0.yaml');
  t.same(whole.texts, []);
  t.equal(whole.resolved?.train?.steps, 900);
  const chain = Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`c${i}.yaml`, `extends: c${i + 1}.yaml\n`]));
  const long = await load(t, { ...chain, 'c99.yaml': sound }, {}, 'c0.yaml');
  t.ok(long.codes.includes('EXTENDS_MANY'), long.texts[0]);
});

t.test(
  'S3: thousands of stages or names that are not known are a few problems, and the number of the others',
  async (t) => {
    const stages = `source: { image-folder: . }\nstages:\n${'- 1\n'.repeat(20_000)}sink: { images: {} }\n`;
    t.same((await load(t, { 'p.yaml': stages })).texts, [
      'OPTION_VALUE: p.yaml:3:1: `stages` must be a list of at most 1,000 stages; got 20,000 stages.',
    ]);
    const names = Array.from({ length: 20_000 }, (_, i) => `name${i}: 1\n`).join('');
    for (const text of [
      `${sound}${names}`,
      sound.replace('mask: { ratio: 0.6 }', `mask:\n${names.replace(/^/gm, '      ')}`),
    ]) {
      const { texts } = await load(t, { 'p.yaml': text });
      t.equal(texts.length, 101);
      t.ok(texts.some((each) => /no option `19,900 more`/.test(each)));
    }
  },
);

t.test('S3: what is no file is not opened', async (t) => {
  const { dir } = await load(t, {
    'folder.yaml': {},
    run: { 'pipeline.json': '{}' },
    'p.yaml': 'extends: pipe.yaml\nuse: [pipe.ts]\n',
  });
  for (const name of ['pipe.yaml', 'pipe.ts']) execFileSync('mkfifo', [join(dir, name)]);
  for (const [name, found] of [
    ['folder.yaml', 'a folder. Name a file'],
    ['run', 'the folder of a run. Name the pipeline file'],
    ['pipe.yaml', 'a pipe'],
    ['pipe.ts', 'a pipe'],
  ] as const) {
    const { problems } = await checkFile(join(dir, name), { registry, environment: {} });
    t.match(problems[0]?.error, { code: 'PIPELINE_FILE', message: found }, name);
  }
  const { problems } = await checkFile(join(dir, 'p.yaml'), { registry, environment: {} });
  t.match(problems.map(({ error }) => error.message).join('\n'), /PIPELINE_FILE: .*p\.yaml:1:10: .*a pipe/);
  if (existsSync('/dev/zero')) {
    symlinkSync('/dev/zero', join(dir, 'device.yaml'));
    const device = await checkFile(join(dir, 'device.yaml'), { registry, environment: {} });
    t.match(device.problems[0]?.error.message, 'a device');
  }
});

t.test('M5: names from files, empty folders, and what YAML reads otherwise than it was meant', async (t) => {
  for (const [file, name] of [
    ['job (copy).yaml', 'job-copy'],
    ['j\u00f6b.yaml', 'job'],
    ['.hidden job.yaml', 'hidden-job'],
    ['\u732b.yaml', 'pipeline'],
  ] as const) {
    const { resolved, texts } = await load(t, { [file]: sound }, {}, file);
    t.same([texts, resolved?.definition.name], [[], name]);
  }
  for (const output of ['output: ""', "output: '  '", 'output:'])
    t.match(
      (await load(t, { 'p.yaml': `${sound}${output}\n` })).texts,
      [/`output` must be text that is not empty/],
      output,
    );
  t.match((await load(t, { 'p.yaml': sound }, { set: ['output='] })).texts, [/`output` must be text/]);
  const job =
    'source: { image-folder: . }\nstages: [decode, resize: 8]\nsink: { images: { sheet: { columns: [crops] } } }\n';
  const { problems } = await checkFile(join(t.testdir({ 'p.yaml': job }), 'p.yaml'), {
    registry: builtin,
    environment: {},
  });
  t.match(
    problems.map(({ error }) => error.message),
    [/`sheet\.columns\[0\]` must be crop, lr, .*Did you mean `crop`\?/],
  );
  const lines: [from: string, to: string, advice: RegExp][] = [
    ['- resize: 64', '- resize:64', /space after the colon: `resize: 64`/],
    ['batch: 32', 'batch:32', /./],
    ['{ ratio: 0.6 }', '{ ratio:0.6 }', /space after the colon: `ratio: 0.6`/],
    ['- resize: 64', '- resize: "64"', /without quotes: 64/],
    ['steps: 900', 'steps: 900\n  dropLast: yes', /Write `true`/],
    [
      'stages:\n  - decode\n  - resize: 64\n  - windows: { patch: 8, size: 5, views: 2 }\n  - mask: { ratio: 0.6 }',
      'stages: resize:64',
      /dash. Put a space after the colon: `resize: 64`/,
    ],
  ];
  for (const [from, to, advice] of lines) {
    t.ok(sound.includes(from), from);
    const { texts } = await load(t, { 'p.yaml': sound.replace(from, to) });
    t.match(texts.join('\n'), advice, to);
  }
  for (const text of [`\ufeff${sound}`, sound.replaceAll('\n', '\r\n'), sound.replace('resize: 64', 'resize : 64')])
    t.same((await load(t, { 'p.yaml': text })).texts, []);
});

t.test('extends: a circle, and a base that is missing', async (t) => {
  const circle = await load(t, { 'p.yaml': `extends: q.yaml\n${sound}`, 'q.yaml': 'extends: p.yaml\n' });
  t.matchSnapshot(circle.texts.join('\n'));
  const missing = await load(t, { 'p.yaml': `extends: no.yaml\n${sound}` });
  t.match(missing.texts, [/^PIPELINE_FILE: p.yaml:1:10: .*got nothing of this name\. Look at the path/]);
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

t.test('extends: null takes a part out of the base, and leaves it out where there is none', async (t) => {
  const files = { 'base.yaml': evaluated, 'p.yaml': 'extends: base.yaml\nevaluate: null\nseed: null\n' };
  const { texts, resolved } = await load(t, files);
  t.same(texts, []);
  t.equal(resolved?.definition.evaluate, undefined);
  t.equal(resolved?.definition.seed, 0);
  const alone = await load(t, { 'p.yaml': `${sound}  init: null\nevaluate: null\noutput: ~\n` });
  t.same([alone.codes, alone.resolved?.evaluate], [[], undefined], 'as by --set, without a base');
  const job = sound.replace(/train:.*/s, 'sink: { images: null }\n');
  t.equal((await load(t, { 'p.yaml': job })).resolved?.sink?.name, 'images', 'a name without options');
  t.same((await load(t, { 'p.yaml': `${sound}evaluate:\n` })).codes, ['OPTION_VALUE'], 'a value that was forgotten');
  const needed = await load(t, { 'p.yaml': sound.replace(/patch: \d+/, 'patch: null') });
  t.same(needed.codes, ['OPTION_MISSING'], 'what must be given');
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
  const files = {
    'good.ts': module(8),
    'bad.ts': module(15),
    'none.ts': 'export default 3;\n',
    'broken.ts': 'none();\n',
  };
  const good = await load(t, files, { set: ['stages.mask.ratio=0.5'] }, 'good.ts');
  t.same(good.codes, ['PIPELINE_ENDS']);
  t.equal(good.resolved?.definition.name, 'good');
  t.equal(good.resolved?.definition.output, join(good.dir, 'here'));
  t.same(good.resolved?.stages[3]?.options, { ratio: 0.5 });
  const bad = await load(t, files, {}, 'bad.ts');
  t.matchSnapshot(bad.texts.join('\n'));
  t.match((await load(t, files, {}, 'none.ts')).codes, ['PIPELINE_EXPORT']);
  t.match((await load(t, files, {}, 'broken.ts')).texts, [/^PIPELINE_MODULE: broken\.ts: .*got none is not defined\./]);
  t.match((await load(t, files, {}, 'missing.ts')).codes, ['PIPELINE_FILE']);
  t.match((await load(t, files, {}, 'p.toml')).codes, ['PIPELINE_FILE']);
});
