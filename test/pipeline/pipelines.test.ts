import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { parse } from 'yaml';
import { builtin } from '../../src/pipeline/builtin.ts';
import { checkFile } from '../../src/pipeline/check.ts';
import { describe } from '../../src/pipeline/describe.ts';
import { topKeys } from '../../src/pipeline/file/parse.ts';
import { pipelineSchema } from '../../src/pipeline/file/schema.ts';
import { stagesPage } from '../../src/pipeline/stages-page.ts';
import { patchstream } from '../kit/runs/terminal.ts';

t.test('every file in pipelines/ has no problems, and says at its top what it is', async (t) => {
  const files = readdirSync('pipelines').filter((name) => /\.(ya?ml|m?[jt]s)$/.test(name));
  t.ok(files.length > 0);
  for (const name of files) {
    const file = join('pipelines', name);
    const { problems } = await checkFile(file, { registry: builtin, environment: {} });
    t.same(
      problems.map(({ error }) => error.message),
      [],
      name,
    );
    const begin = /^# yaml-language-server: \$schema=\.\.\/schema\/pipeline\.schema\.json\n# \S/;
    t.match(readFileSync(file, 'utf8'), begin, `M4: ${name} begins with its schema and a comment`);
  }
});

t.test('every study, and every pipeline file of one, has no problems', async (t) => {
  const files = readdirSync('studies', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join('studies', name));
  t.ok(files.length > 2);
  for (const file of files) {
    const told = await patchstream(['check', file]);
    t.match(told, { code: 0 }, `${file}: ${told.err}`);
    t.match(
      readFileSync(file, 'utf8'),
      /^# yaml-language-server: \$schema=\S+\n# \S/,
      `${file} begins with its schema and a comment`,
    );
  }
});

/** Parameters, and multiply-adds of a forward pass per image in units of 10⁹: worked out by hand from the papers' formulas. */
const costs: Readonly<Record<string, readonly [parameters: number, gmacs: number]>> = {
  'lomar-quickstart.yaml': [231_424, 0.025_227_264],
  'lomar-ablation-absolute.yaml': [225_024, 0.023_896_064],
  'lomar-ablation-decoder.yaml': [329_280, 0.022_059_008],
  'lomar-ablation-late-masks.yaml': [231_424, 0.018_376_704],
  'lomar-ablation-few-windows.yaml': [231_424, 0.013_006_848],
  'lomar-ablation-blocks.yaml': [231_424, 0.025_227_264],
  'lomar-srmae-quickstart.yaml': [243_712, 0.025_964_544],
  'mae-cls-tokens.yaml': [329_728, 0.015_187_968],
  'finetune-quickstart.yaml': [219_530, 0.016_561_792],
  // A plain ViT-B's 17.56, and 12 · 50 · 197 · 768 for relative positions.
  'lomar-in1k-224-finetune.yaml': [86_454_760, 17.65],
  // ViT-B with a trained table of positions, at 224, 384 and 448 px; ViT-L and ViT-H.
  'mae-in1k-224-finetune.yaml': [86_567_656, 17.56],
  'srmae-in1k-224-finetune.yaml': [86_567_656, 17.56],
  'vit-in1k-224.yaml': [86_567_656, 17.56],
  'mae-in1k-224-finetune-384.yaml': [86_567_656 + (576 - 196) * 768, 55.48],
  'srmae-in1k-224-finetune-384.yaml': [86_567_656 + (576 - 196) * 768, 55.48],
  'mae-in1k-384-finetune.yaml': [86_567_656 + (576 - 196) * 768, 55.48],
  'mae-in1k-448-finetune.yaml': [86_567_656 + (784 - 196) * 768, 78.49],
  'mae-in1k-224-large-finetune.yaml': [304_326_632, 61.55],
  'mae-in1k-224-huge-finetune.yaml': [632_045_800, 167.3],
  // And 12 · 50 · 577 · 768, or 785, for relative positions.
  'lomar-in1k-224-finetune-384.yaml': [86_454_760, 55.75],
  'lomar-in1k-384-finetune.yaml': [86_454_760, 55.75],
  'lomar-in1k-448-finetune.yaml': [86_454_760, 78.85],
  // An embedding of 8 · 8 · 3 · 768 for one of 16 · 16 · 3 · 768.
  'lomar-b8-in1k-224-finetune.yaml': [86_454_760 - 576 * 768, 78.5],
  'lomar-b8-in1k-224.yaml': [86_277_120 - 2 * 576 * 768 - 576, 17.41],
  'mae-in1k-224-large.yaml': [329_239_296, 20.76],
  'mae-in1k-224-huge.yaml': [656_613_964, 48.56],
  'mae-in1k-384.yaml': [111_655_680, 30.57],
  'mae-in1k-448.yaml': [111_655_680, 43.1],
  // DeiT-S with iRPE has 22.09 M: 197 · 384 for its learned positions more.
  'irpe-in1k-224.yaml': [22_050_664 - 197 * 384 + 12 * 64 * 50, 4.6],
  'svhn-8x8.yaml': [85_647_360 + 197 * 768 + 769 * 10, 17.56],
  'ck-plus-100.yaml': [85_647_360 + 197 * 768 + 769 * 7, 17.56],
  'raf-db-100.yaml': [85_647_360 + 197 * 768 + 769 * 7, 17.56],
  'expw-100.yaml': [85_647_360 + 197 * 768 + 769 * 7, 17.56],
  'mae-svhn.yaml': [111_655_680, 9.78],
  'mae-expw-faces.yaml': [111_655_680, 9.78],
  'srmae-expw-faces.yaml': [143_156_676, 16.27],
  'mae-photos.yaml': [329_280, 0.012_616_448],
  'mae-quickstart.yaml': [310_704, 0.011_427_584],
  'mae-in1k-224.yaml': [111_655_680, 9.78],
  'lomar-in1k-224.yaml': [86_277_120, 17.5],
  'lomar-in1k-384.yaml': [86_277_120, 26.41],
  'lomar-in1k-448.yaml': [86_277_120, 39.57],
  'srmae-quickstart.yaml': [356_158, 0.014_241_92],
  'srmae-in1k-224.yaml': [143_156_676, 16.27],
  'srmae-svhn.yaml': [143_156_676, 16.27],
  'srmae-expw.yaml': [143_156_676, 16.27],
};

t.test('what describe says of their models is what the papers’ formulas say', async (t) => {
  for (const [name, [parameters, gmacs]] of Object.entries(costs)) {
    const { resolved } = await checkFile(join('pipelines', name), { registry: builtin, environment: {} });
    const { model } = describe(resolved!);
    t.equal(model?.parameters, parameters, `${name}: parameters`);
    t.ok(Math.abs(model!.macs / 1e9 / gmacs - 1) < 0.01, `${name}: ${model!.macs} multiply-adds, ${gmacs} · 10⁹`);
  }
});

t.test(
  'the fine-tuning as published: batch, rate, layer decay, warm-up, length, mixing, held-out pictures',
  async (t) => {
    const { resolved } = await checkFile('pipelines/lomar-in1k-224-finetune.yaml', {
      registry: builtin,
      environment: { IMAGENET: '/in1k' },
    });
    const { train, stages, source, evaluate } = resolved!;
    t.match(train, {
      batch: 1024,
      epochs: 100,
      dropLast: true,
      init: '../runs/lomar-in1k-224',
      optimizer: { adamw: { baseLr: 5e-4, weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8, layerDecay: 0.65 } },
      schedule: { cosine: { warmupEpochs: 5, minLr: 1e-6 } },
      model: {
        options: {
          encoder: 'lomar',
          size: 'base',
          classes: 1000,
          pool: 'mean',
          labelSmoothing: 0.1,
          dropPath: 0.1,
          mixup: 0.8,
          cutmix: 1,
          mixProbability: 1,
          switchProbability: 0.5,
        },
      },
    });
    t.match(source, { name: 'imagenet', options: { path: '/in1k', part: 'train', classes: 1000 } });
    t.match(Object.fromEntries(stages.map((stage) => [stage.id, stage.options])), {
      'random-resized-crop': { size: 224, scale: [0.08, 1], ratio: [3 / 4, 4 / 3], kernel: 'bicubic' },
      'random-flip': { probability: 0.5 },
      'rand-augment': { operations: 2, magnitude: 9, deviation: 0.5, probability: 0.5 },
      'random-erasing': { probability: 0.25, scale: [0.02, 1 / 3], fill: 'noise' },
    });
    const [measure] = evaluate!.measures;
    t.equal(measure!.id, 'classify');
    t.match(measure!.data.on!.source, { name: 'imagenet', options: { path: '/in1k', part: 'val', classes: 1000 } });
    t.match(
      measure!.data.on!.stages.map(({ name, options }) => [name, options]),
      [
        ['decode', {}],
        ['resize', { size: 256, fit: 'cover', kernel: 'bicubic' }],
        ['center-crop', { size: 224 }],
      ],
    );
  },
);

t.test(
  'the other fine-tunings as published: encoder, rate, layer decay, warm-up, length, drop path, size',
  async (t) => {
    const mae = { encoder: 'mae', baseLr: 5e-4, layerDecay: 0.65, epochs: 100, warmup: 5, dropPath: 0.1, side: 224 };
    const beit = { ...mae, encoder: 'beit', baseLr: 0, lr: 4e-3, warmup: 20 };
    const lomar = { ...mae, encoder: 'lomar' };
    const large = { ...mae, size: 'large', baseLr: 1e-3, layerDecay: 0.75, epochs: 50, dropPath: 0.2 };
    const published: Readonly<
      Record<string, typeof mae & { init: string; size?: string; patch?: number; lr?: number }>
    > = {
      'mae-in1k-224-finetune': { ...mae, init: 'mae-in1k-224' },
      'mae-in1k-224-large-finetune': { ...large, init: 'mae-in1k-224-large' },
      'mae-in1k-224-huge-finetune': { ...large, size: 'huge', patch: 14, dropPath: 0.3, init: 'mae-in1k-224-huge' },
      'mae-in1k-224-finetune-384': { ...mae, side: 384, init: 'mae-in1k-224' },
      'mae-in1k-384-finetune': { ...mae, side: 384, init: 'mae-in1k-384' },
      'mae-in1k-448-finetune': { ...mae, side: 448, init: 'mae-in1k-448' },
      'srmae-in1k-224-finetune': { ...mae, encoder: 'srmae', init: 'srmae-in1k-224' },
      'srmae-in1k-224-finetune-384': { ...mae, encoder: 'srmae', side: 384, init: 'srmae-in1k-224' },
      'lomar-in1k-224-finetune-384': { ...lomar, side: 384, init: 'lomar-in1k-224' },
      'lomar-in1k-384-finetune': { ...lomar, side: 384, init: 'lomar-in1k-384' },
      'lomar-in1k-448-finetune': { ...lomar, side: 448, init: 'lomar-in1k-448' },
      'lomar-b8-in1k-224-finetune': { ...lomar, patch: 8, init: 'lomar-b8-in1k-224' },
      'beit-in1k-224-finetune': { ...beit, init: 'beit-in1k-224' },
      'beit-in1k-224-finetune-384': { ...beit, side: 384, init: 'beit-in1k-224' },
      'beit-in1k-384-finetune': { ...beit, side: 384, init: 'beit-in1k-384' },
      'beit-in1k-448-finetune': { ...beit, side: 448, init: 'beit-in1k-448' },
      'lomar-beit-in1k-224-finetune': { ...beit, init: 'lomar-beit-in1k-224' },
    };
    for (const [name, given] of Object.entries(published)) {
      const file = join('pipelines', `${name}.yaml`);
      const { resolved } = await checkFile(file, { registry: builtin, environment: { IMAGENET: '/in1k' } });
      const { train, stages, source, evaluate } = resolved!;
      const {
        encoder,
        baseLr,
        lr,
        layerDecay,
        epochs,
        warmup,
        dropPath,
        side,
        init,
        size = 'base',
        patch = 16,
      } = given;
      const rate = lr === undefined ? { baseLr } : { lr };
      const mixing = { mixup: 0.8, cutmix: 1, mixProbability: 1, switchProbability: 0.5 };
      t.match(
        train,
        {
          batch: 1024,
          epochs,
          dropLast: true,
          init: `../runs/${init}`,
          optimizer: { adamw: { ...rate, layerDecay, weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 } },
          schedule: { cosine: { warmupEpochs: warmup, minLr: 1e-6 } },
          model: {
            options: { encoder, size, patch, dropPath, classes: 1000, pool: 'mean', labelSmoothing: 0.1, ...mixing },
          },
        },
        name,
      );
      t.match(source, { name: 'imagenet', options: { path: '/in1k', part: 'train' } });
      t.match(Object.fromEntries(stages.map((stage) => [stage.id, stage.options])), {
        'random-resized-crop': { size: side, scale: [0.08, 1], ratio: [3 / 4, 4 / 3], kernel: 'bicubic' },
        'random-flip': { probability: 0.5 },
        'rand-augment': { operations: 2, magnitude: 9, deviation: 0.5, probability: 0.5 },
        'random-erasing': { probability: 0.25, scale: [0.02, 1 / 3], fill: 'noise' },
      });
      const { on } = evaluate!.measures[0]!.data;
      t.match(on!.source, { name: 'imagenet', options: { part: 'val' } });
      const last = side === 224 ? ['center-crop', { size: 224 }] : ['resize', { size: side, fit: 'cover' }];
      t.match(on!.stages.map((stage) => [stage.name, stage.options]).at(-1), last, name);
      t.ok(resolved!.definition.output.endsWith(`/runs/${name}`), 'a run of its own');
    }
  },
);

t.test(
  'BEiT’s pre-trainings as published: rate, batch, warm-up, clipping, jitter of the whole photograph, views',
  async (t) => {
    for (const [name, epochs, size] of [
      ['beit-in1k-224', 800, 224],
      ['beit-in1k-384', 300, 384],
      ['beit-in1k-448', 300, 448],
      ['lomar-beit-in1k-224', 300, 224],
    ] as const) {
      const { resolved } = await checkFile(`pipelines/${name}.yaml`, { registry: builtin, environment: {} });
      const { train, stages } = resolved!;
      t.match(
        train,
        {
          batch: 2048,
          epochs,
          optimizer: { adamw: { lr: 1.5e-3, weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 } },
          schedule: { cosine: { warmupEpochs: 10, minLr: 1e-5 } },
          clip: { norm: 3 },
          model: { options: { size: 'base', dropPath: 0.1 } },
        },
        name,
      );
      t.match(
        stages.slice(0, 5).map((stage) => [stage.name, stage.options]),
        [
          ['decode', {}],
          ['color-jitter', { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0, probability: 1 }],
          ['random-resized-crop', { size, scale: [0.08, 1] }],
          ['random-flip', { probability: 0.5 }],
          ['tokenize', size === 224 ? {} : { size: size / 2 }],
        ],
        name,
      );
    }
  },
);

t.test('every file stands on a page, and the pages name no other', async (t) => {
  const pages = ['README.md', 'docs/recipes.md', 'docs/models.md', 'docs/duplicates.md', 'docs/faces.md'];
  const text = pages.map((page) => readFileSync(page, 'utf8')).join('\n');
  const files = readdirSync('pipelines').map((name) => name.replace(/\.yaml$/, ''));
  for (const name of files) t.ok(new RegExp(`\\b${name}(?![\\w-])`).test(text), name);
  const rows = readFileSync('docs/recipes.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'));
  const named = rows.flatMap((row) => [
    ...row.matchAll(/`((?:lomar|mae|srmae|beit|vit|irpe|tokenizer|expw|svhn|ck|raf)-[\w-]+)`/g),
  ]);
  t.ok(named.length > 60);
  for (const [, name] of named) t.ok(files.includes(name!), name!);
});

t.test('the recipes as published: batch, rate, warm-up, length, crop, flip, target', async (t) => {
  for (const [name, epochs, warmupEpochs] of [
    ['mae-in1k-224.yaml', 800, 40],
    ['lomar-in1k-224.yaml', 400, 20],
    ['lomar-in1k-384.yaml', 300, 20],
    ['lomar-in1k-448.yaml', 300, 20],
    ['srmae-in1k-224.yaml', 400, 40],
  ] as const) {
    const { resolved } = await checkFile(join('pipelines', name), {
      registry: builtin,
      environment: { IMAGENET: '/in1k' },
    });
    const { train, stages, source } = resolved!;
    t.match(
      train,
      {
        batch: 4096,
        epochs,
        dropLast: true,
        optimizer: { adamw: { baseLr: 1.5e-4, weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 } },
        schedule: { cosine: { warmupEpochs, minLr: 0 } },
        model: { options: { size: 'base', target: name.startsWith('srmae') ? 'pixels' : 'patchNorm' } },
      },
      name,
    );
    t.match(source?.options, { path: '/in1k/train', labels: false });
    const options = Object.fromEntries(stages.map((stage) => [stage.id, stage.options]));
    t.match(options, {
      'random-resized-crop': { scale: [0.2, 1], ratio: [3 / 4, 4 / 3], kernel: 'bicubic' },
      'random-flip': { probability: 0.5 },
      mask: { ratio: name.startsWith('lomar') ? 0.8 : 0.75 },
    });
  }
});

t.test('other sizes of MAE by --set, the huge one with its patches of 14 px', async (t) => {
  const of = async (...set: string[]) => {
    const file = join('pipelines', 'mae-in1k-224.yaml');
    const { resolved, problems } = await checkFile(file, { registry: builtin, environment: {}, set });
    return problems.length > 0 ? problems.map(({ error }) => error.code) : describe(resolved!).model?.parameters;
  };
  t.equal(await of('train.model.mae.size=large'), 329_239_296);
  t.equal(await of('train.model.mae.size=huge', 'stages.mask.patch=14'), 656_613_964);
  t.same(await of('stages.mask.patch=15'), ['PATCH_SIDE']);
});

t.test('what is made from the options is what the options say: npm run schema', async (t) => {
  t.equal(readFileSync('schema/pipeline.schema.json', 'utf8'), `${JSON.stringify(pipelineSchema(builtin), null, 2)}\n`);
  t.equal(readFileSync('docs/stages.md', 'utf8'), stagesPage(builtin));
});

t.test('M4: the schema takes every file in pipelines/, alone and over another, and no wrong ones', async (t) => {
  const valid = new Ajv2020({ strict: false }).compile(pipelineSchema(builtin));
  const judged = (text: string) => (valid(parse(text)) ? [] : (valid.errors ?? []).map(({ message }) => message));
  const files = readdirSync('pipelines').map((name) => [name, readFileSync(join('pipelines', name), 'utf8')] as const);
  for (const [name, text] of files) {
    t.same(judged(text), [], name);
    t.same(judged(`extends: ./base.yaml\n${text.replace(/^extends:.*$/m, '')}`), [], `${name} over another`);
  }
  const chain = 'source: { image-folder: ./photos }\nstages: [decode, { resize: 100 }]\n';
  const right = [
    `${chain}sink: images\n`,
    `${chain}sink: { shards: null }\n`,
    `${chain}train: { model: { lomar: { size: nano } }, batch: 8, steps: "\${STEPS:-3}" }\n`,
    `${chain.replace('./photos', `{ path: x, fold: "\${FOLD:-1}/10" }`)}sink: images\n`,
    'extends: a.yaml\ntrain: { schedule: null, batch: 8 }\nevaluate: { reconstruction: null }\n',
    'extends: [a.yaml, b.yaml]\nsource: { image-folder: { repeat: 3 } }\nsink: { images: null, shards: null }\n',
    `use: [./mine.ts]\n${chain}sink: mine\n`,
    `${chain}evaluate: { every: { steps: 2 }, knn: { on: { image-folder: x }, limit: { on: 3 } } }\n`,
    `use: ./mine.ts\n${chain}evaluate: { mine: { on: x }, measures: [{ mine: {} }] }\n`,
  ];
  for (const text of right) t.same(judged(text), [], text);
  const wrong = [
    'stages: [decode]\n',
    `${chain}train: { batch: 8, steps: 1 }\n`,
    `${chain}trian: {}\n`,
    `${chain}sink: imags\n`,
    `${chain.replace('./photos', '{ path: x, fold: 1.10 }')}sink: images\n`,
    `${chain.replace('./photos', '{ path: x, fold: "$FOLD/10" }')}sink: images\n`,
    `${chain.replace('resize: 100', 'resize: big')}sink: images\n`,
    `${chain.replace('decode', 'decoed')}sink: images\n`,
    `${chain.replace('image-folder', 'folder')}sink: images\n`,
    `${chain}train: { model: { lomar: { size: nano } }, batch: none, steps: 3 }\n`,
    `${chain}sink: images\noutput: ""\n`,
    'extends: a.yaml\ntrain: { batch: none }\n',
    'extends: a.yaml\ntrain: { bach: 8 }\n',
    'extends: ""\n',
    `${chain}evaluate: { mine: { on: x } }\n`,
    `${chain}evaluate: { measures: [{ mine: {} }] }\n`,
    `${chain}evaluate: { knn: { kk: 3 } }\n`,
  ];
  for (const text of wrong) t.not(judged(text).length, 0, text);
});

t.test('the schema completes every stage, source, sink and model', async (t) => {
  const schema = JSON.stringify(pipelineSchema(builtin));
  for (const known of [builtin.stages, builtin.sources, builtin.sinks, builtin.models]) {
    for (const name of known.keys()) t.ok(schema.includes(`"${name}":{"description"`), name);
  }
});

t.test('the page has a part for every stage, source, sink and model', async (t) => {
  const page = stagesPage(builtin);
  for (const known of [builtin.stages, builtin.sources, builtin.sinks, builtin.models]) {
    for (const name of known.keys()) t.ok(page.includes(`\n### \`${name}\`\n`), name);
  }
});

t.test('the page begins with every key of a file, and its links lead somewhere', async (t) => {
  const page = stagesPage(builtin);
  const [, file = ''] = page.split(/^## /m);
  const rows = [...file.matchAll(/^\| `(\w+)` \|.*\| (.*) \|.*\|$/gm)];
  t.same(
    rows.map(([, key]) => key),
    topKeys,
  );
  t.same(
    rows.filter(([, , standard]) => standard === 'required').map(([, key]) => key),
    ['source', 'stages'],
  );
  const heads = [...page.matchAll(/^## (.*)$/gm)].map(([, head]) => `#${head!.replaceAll('`', '').toLowerCase()}`);
  const links = [...page.matchAll(/\]\((#[^)]*)\)/g)].map(([, link]) => link!);
  t.ok(links.length >= 5);
  for (const link of links) t.ok(heads.map((head) => head.replaceAll(' ', '-')).includes(link), link);
});

t.test('every option is described', async (t) => {
  for (const row of stagesPage(builtin)
    .split('\n')
    .filter((line) => line.startsWith('| `')))
    t.notMatch(row, /\| {2}\|$/, row);
});
