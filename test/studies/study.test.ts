import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { builtin } from '../../src/pipeline/builtin.ts';
import { readStudy } from '../../src/studies/options.ts';
import { runStudy, type StudyEvent, type StudyResult } from '../../src/studies/run-study.ts';
import { labelledFolder, writeFiles } from '../kit/files/folder.ts';
import { patchstream } from '../kit/runs/terminal.ts';

const encoder = `
name: encoder
source: { image-folder: { path: train, labels: true } }
stages:
  - decode
  - resize: 16
  - mask: { ratio: 0.5, patch: 4 }
train:
  model: { mae: { width: 16, depth: 1, heads: 2, decoderWidth: 16, decoderDepth: 1, decoderHeads: 2 } }
  batch: 6
  steps: 2
  thread: main
  backend: wasm
evaluate: { knn: { k: 3, on: { image-folder: { path: test, labels: true } } } }
`;
const classifier = `
name: classifier
source: { image-folder: { path: train, labels: true } }
stages: [decode, { resize: 16 }]
train:
  model: { classifier: { encoder: mae, width: 16, depth: 1, heads: 2, patch: 4, classes: 3 } }
  batch: 6
  steps: 2
  thread: main
  backend: wasm
evaluate: { classify: { on: { image-folder: { path: test, labels: true } } } }
`;

async function folder(t: Test, files: Readonly<Record<string, string>>): Promise<string> {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 2);
  await labelledFolder(join(root, 'validation'), 2);
  writeFiles(root, { 'encoder.yaml': encoder, 'classifier.yaml': classifier, ...files });
  return root;
}

const resultIn = (root: string) => JSON.parse(readFileSync(join(root, 'out/study.json'), 'utf8')) as StudyResult;

t.test('a grid of arms, options and seeds becomes a table, and is not run again', async (t) => {
  const root = await folder(t, {
    'grid.yaml': `
study:
  arms:
    half: { file: encoder.yaml }
    wide model: { file: encoder.yaml, set: { train.model.width: 32 } }
  vary: { stages.mask.ratio: [0.5, 0.75] }
  seeds: 2
  measure: knn.top1
  also: [knn.top5]
output: out
`,
  });
  const ran = await patchstream(['study', join(root, 'grid.yaml')]);
  t.match(ran, { code: 0, out: /wide model, ratio 0\.75 +2 of 2 +[\d.]+ % ± [\d.]+ %/ }, ran.err);
  const { rows, unfinished } = resultIn(root);
  t.same(
    rows.map(({ name, outcomes }) => [name, outcomes.map(({ seed }) => seed)]),
    ['half, ratio 0.5', 'half, ratio 0.75', 'wide model, ratio 0.5', 'wide model, ratio 0.75'].map((name) => [
      name,
      [1, 2],
    ]),
  );
  t.same(unfinished, []);
  t.equal(rows[0]!.outcomes[0]!.folder, 'half/runs/ratio-0.5/seed-1', 'a study may be moved');
  for (const { summaries, outcomes } of rows) {
    const values = outcomes.map(({ found }) => found!['knn.top1']!);
    t.same(summaries['knn.top1']?.values, values);
    t.ok(Math.abs(summaries['knn.top1']!.mean - (values[0]! + values[1]!) / 2) < 1e-12);
  }
  const place = join(root, 'out/wide-model/runs/ratio-0.75/seed-2');
  const pipeline = JSON.parse(readFileSync(join(place, 'pipeline.json'), 'utf8'));
  t.match(pipeline, { seed: 2, stages: [{}, {}, { mask: { ratio: 0.75 } }], train: { model: { mae: { width: 32 } } } });
  const page = readFileSync(join(root, 'out/study.html'), 'utf8');
  t.match(page, /<td>half, ratio 0\.5<\/td><td>2 of 2<\/td>/);
  t.match(page, /<svg[^>]*aria-label="knn\.top1 against steps"/, 'k-NN is measured before the first step too');
  const before = statSync(join(place, 'metrics.jsonl')).mtimeMs;
  const again = await patchstream(['study', join(root, 'grid.yaml'), '--json']);
  t.equal(statSync(join(place, 'metrics.jsonl')).mtimeMs, before, 'what was run is read');
  t.same(JSON.parse(again.out), resultIn(root));
});

t.test(
  'an arm with a pre-training is searched on a validation split, and its seeds are measured on the test split',
  async (t) => {
    const root = await folder(t, {
      'search.yaml': `
study:
  arms:
    pre-trained: { file: classifier.yaml, pretrain: encoder.yaml }
    fresh: { file: classifier.yaml, tune: { over: { train.optimizer.adamw.lr: [1.0e-3, 2.0e-2] } } }
  tune:
    over: { train.optimizer.adamw.lr: [1.0e-4, 1.0e-2] }
    set: { evaluate.classify.on.path: validation }
  seeds: [5]
  measure: classify.top1
output: out
`,
    });
    const parts = [];
    for (const part of ['2/2', '1/2'])
      parts.push(await patchstream(['study', join(root, 'search.yaml'), '--part', part]));
    t.match(parts[0], { code: 0, out: /Not run to the end: pre-trained\./ });
    t.match(parts[1], { code: 0, out: /fresh +1 of 1 .*lr 0\.(001|02), of 2 tries/ });
    const { rows } = resultIn(root);
    const [first] = rows;
    const chosen = first!.search!.chosen!['train.optimizer.adamw.lr'] as number;
    const best = first!.search!.tries.reduce((a, b) => (b.mean! > a.mean! ? b : a));
    t.equal(chosen, best.values['train.optimizer.adamw.lr'], 'the best of the search is taken, the first of equals');
    const at = (...parts: string[]) => join(root, 'out/pre-trained', ...parts);
    const json = (place: string) => JSON.parse(readFileSync(join(place, 'pipeline.json'), 'utf8'));
    const final = json(at('runs', `lr-${chosen}`, 'seed-5'));
    t.match(final.train.init, /\/out\/pretrain\/encoder-\w{8}\/seed-5$/);
    t.match(final.evaluate.measures[0].classify.on, { 'image-folder': { path: 'test' } });
    const tried = json(at('tune', 'lr-0.0001', 'seed-0'));
    t.match(tried.evaluate.measures[0].classify.on, { 'image-folder': { path: join(root, 'validation') } });
    t.equal(tried.train.init, final.train.init.replace('seed-5', 'seed-0'), 'one pre-training for all tries of a seed');
    t.same(readdirSync(join(root, 'out/pretrain')).length, 1);
    t.same(readdirSync(dirname(tried.train.init)).sort(), ['seed-0', 'seed-5']);
  },
);

t.test(
  'what varies may be sets of values by name, of the pre-training and of the search too; an arm may have a measure of its own',
  async (t) => {
    const root = await folder(t, {
      'sets.yaml': `
study:
  arms:
    pre-trained: { file: classifier.yaml, pretrain: encoder.yaml, measure: classify.top1 }
    again: { file: classifier.yaml, pretrain: encoder.yaml, measure: classify.top1 }
    features: { file: encoder.yaml, tune: { over: { lr: { high: { train.optimizer.adamw.lr: 1.0e-2 } } } } }
  vary:
    data:
      few: { source.image-folder.limit: 6, pretrain.source.image-folder.limit: 6, tune.evaluate.source.image-folder.path: validation }
      all: { tune.evaluate.source.image-folder.path: validation }
  tune: { over: { train.batch: [6] }, set: { evaluate.source.image-folder.labels: true } }
  measure: knn.top1
  also: [classify.top5]
output: out
`,
      'encoder.yaml': encoder
        .replace('on: { image', 'source: { image')
        .replace('{ knn: { k: 3, source: ', '{ knn: { k: 3 }, source: ')
        .replace('} } }', '} }'),
      'classifier.yaml': classifier.replace('{ classify: { on: ', '{ classify: {}, source: ').replace('} } }', '} }'),
    });
    const { code, out, err } = await patchstream(['study', join(root, 'sets.yaml')]);
    t.equal(code, 0, err);
    t.match(out, /^ +seeds +classify\.top1 or knn\.top1 +classify\.top5 +search took/);
    t.match(out, /pre-trained, data few +1 of 1 +[\d.]+ % +[\d.]+ % +batch 6, of 1 try/);
    t.match(out, /features, data all +1 of 1 +[\d.]+ % +– +lr high, of 1 try/);
    const at = (...parts: string[]) => JSON.parse(readFileSync(join(root, 'out', ...parts, 'pipeline.json'), 'utf8'));
    const before = (data: string) => {
      const runs = ['pre-trained', 'again'].map((arm) => at(arm, `runs/data-${data}/batch-6/seed-1`));
      const [own, again] = runs.map(({ train }) => train.init);
      t.equal(own, again, 'arms share a pre-training');
      return JSON.parse(readFileSync(join(own, 'pipeline.json'), 'utf8')).source['image-folder'];
    };
    t.equal(before('few').limit, 6);
    t.notOk('limit' in before('all'), 'another pre-training');
    t.equal(readdirSync(join(root, 'out/pretrain')).length, 2);
    const path = (run: ReturnType<typeof at>) => JSON.stringify(run.evaluate).match(/"path":"[^"]*?(\w+)"/)?.[1];
    t.equal(path(at('features/tune/data-few/lr-high/seed-0')), 'validation');
    t.equal(path(at('features/tune/data-all/lr-high/seed-0')), 'validation');
    const { rows } = resultIn(root);
    const few = rows.find(({ arm }) => arm === 'features');
    t.match(few, { name: 'features, data few', measure: 'knn.top1', varied: { data: 'few' } });
    const place = at('features/runs/data-few', 'lr-high', 'seed-1');
    t.equal(path(place), 'test', 'what holds in the search alone');
    t.equal(place.train.optimizer.adamw.lr, 1e-2);
  },
);

t.test('a row whose pipeline has changed is run anew, the others are read', async (t) => {
  const root = await folder(t, {
    'two.yaml':
      'study: { arms: { a: { file: encoder.yaml }, b: { file: other.yaml } }, measure: knn.top1 }\noutput: out\n',
    'other.yaml': encoder,
  });
  const told = async () => {
    const ran = await patchstream(['study', join(root, 'two.yaml')]);
    t.equal(ran.code, 0, ran.err);
    const at = (arm: string) => join(root, 'out', arm, 'runs/seed-1/metrics.jsonl');
    return ['a', 'b'].map((arm) => [
      readFileSync(at(arm), 'utf8').trim().split('\n').length,
      statSync(at(arm)).mtimeMs,
    ]);
  };
  const [[before] = [], unchanged] = await told();
  writeFiles(root, { 'encoder.yaml': encoder.replace('steps: 2', 'steps: 3') });
  const [[after] = [], other] = await told();
  t.same([before, after], [2, 3]);
  t.same(other, unchanged);
  writeFiles(root, { 'other.yaml': encoder.replace('thread: main', 'microBatch: 3\n  checkpoint: { keep: 1 }') });
  t.same((await told())[1], unchanged, 'how fast it is and how often it is saved change no measure');
});

t.test('a training that fails is told and counted, the others go on, and what was broken is tried again', async (t) => {
  const root = await folder(t, {
    'failing.yaml': `
study:
  arms:
    lost: { file: classifier.yaml, set: { train.init: nowhere } }
    fresh: { file: classifier.yaml }
  measure: classify.top1
output: out
`,
  });
  const { code, out, err } = await patchstream(['study', join(root, 'failing.yaml')]);
  t.equal(code, 1);
  t.match(err, /lost: seed 1 failed: .*nowhere/);
  t.match(out, /lost +0 of 1, 1 failed +–\nfresh +1 of 1 /);
  t.match(resultIn(root).rows[0]!.outcomes, [{ failure: /nowhere/ }]);
  renameSync(join(root, 'out/fresh/runs/seed-1/checkpoints/step-00000002'), join(root, 'nowhere'));
  const again = await patchstream(['study', join(root, 'failing.yaml')]);
  t.match(again, { code: 0, out: /lost +1 of 1 +[\d.]+ %/ }, again.err);
});

t.test(
  'a try of a search that fails is told, counted and an exit code; the search takes among the others',
  async (t) => {
    const root = await folder(t, {
      'tries.yaml': `
study:
  arms: { a: { file: classifier.yaml } }
  tune: { over: { train.init: [nowhere, null] }, set: { evaluate.classify.on.path: validation } }
  measure: classify.top1
output: out
`,
      'named.yaml': 'name: named\nstudy: { arms: { a: { file: x.yaml } }, measure: a.b }\n',
    });
    const { code, out, err } = await patchstream(['study', join(root, 'tries.yaml')]);
    t.equal(code, 1, err);
    t.match(out, /a +1 of 1 .*init null, of 2 tries, 1 failed/);
    const [row] = resultIn(root).rows;
    t.match(row!.search!.tries, [{ failures: [/nowhere/] }, { mean: Number }]);
    t.match(readFileSync(join(root, 'out/study.html'), 'utf8'), /<h2>Failed<\/h2>[\s\S]*a, search init .*nowhere/);
    t.match((await readStudy(join(root, 'named.yaml'))).study?.output, /runs\/named$/);
  },
);

t.test('a study that was stopped goes on where it was, to the same table', async (t) => {
  const files = {
    'seeds.yaml': 'study: { arms: { a: { file: encoder.yaml } }, seeds: [1, 2, 3], measure: knn.top1 }\noutput: out\n',
  };
  const [stopped, whole] = [await folder(t, files), join(t.testdirName, 'whole')];
  const { study } = await readStudy(join(stopped, 'seeds.yaml'));
  const controller = new AbortController();
  const second = (event: StudyEvent) => {
    if (event.type === 'run' && event.folder.endsWith('seed-2') && event.event.type === 'step')
      controller.abort('enough');
  };
  const options = { registry: builtin };
  await t.rejects(runStudy(study!, { ...options, signal: controller.signal, onEvent: second }), {
    code: 'RUN_CANCELLED',
  });
  const begun: string[] = [];
  const result = await runStudy(study!, {
    ...options,
    onEvent: (event) => {
      if (event.type === 'run' && event.event.type === 'step') begun.push(event.folder.slice(-1));
    },
  });
  t.notOk(begun.includes('1'), 'what was run to its end is not run again');
  t.ok(begun.includes('3'));
  const undisturbed = await runStudy({ ...study!, output: whole }, options);
  t.same(result.rows[0]!.summaries, undisturbed.rows[0]!.summaries);
});

t.test('everything wrong with a study is told with its place, before anything runs', async (t) => {
  const root = await folder(t, {
    'job.yaml': 'source: { image-folder: train }\nstages: [decode]\nsink: { images: {} }\n',
    'slips.yaml': 'study:\n  arms: { a: { fil: x.yaml } }\n  measure: knn\n',
    'named.yaml': 'study:\n  arms:\n    a: { file: x.yaml }\n    60 %: { file: x.yaml }\n  measure: knn.top1\n',
    'none.yaml': 'study: { arms: {}, measure: knn.top1 }\n',
    'budget.yaml': `
study:
  arms: { a: { file: encoder.yaml, tune: { over: { train.batch: [6, 3, 2] } } }, b: { file: encoder.yaml } }
  tune: { over: { train.batch: [6, 3] }, set: { pretrain.seed: 1 } }
  measure: knn.top1
`,
    'pretrain-set.yaml':
      'study: { arms: { a: { file: encoder.yaml, set: { tune.pretrain.seed: 1 } } }, measure: knn.top1 }\n',
    'pretrain-vary.yaml':
      'study: { arms: { a: { file: encoder.yaml } }, vary: { data: { b: { tune.pretrain.seed: 1 } } }, measure: knn.top1 }\n',
    'pretrain-over.yaml':
      'study: { arms: { a: { file: encoder.yaml } }, tune: { over: { tune.pretrain.seed: [1, 2] } }, measure: knn.top1 }\n',
    'wrong.yaml': `
study:
  arms:
    job: { file: job.yaml }
    slip: { file: encoder.yaml, set: { stages.mask.rato: 0.5 } }
    other: { file: classifier.yaml }
    missing: { file: nowhere.yaml }
  measure: knn.top1
output: out
`,
    'same.yaml':
      'study: { arms: { a: { file: encoder.yaml } }, tune: { over: { train.batch: [6, 3] } }, measure: knn.top1 }\noutput: out\n',
    'also.yaml':
      'study: { arms: { a: { file: encoder.yaml } }, measure: knn.top1, also: [classify.top1] }\noutput: out\n',
  });
  const told = async (name: string) => {
    const { code, err } = await patchstream(['study', join(root, name)]);
    return `${code} ${err}`;
  };
  t.match(
    await told('slips.yaml'),
    /^2 .*slips\.yaml:2:\d+: .*no option `fil`\. Did you mean `file`.*slips\.yaml:3.*`study\.measure` must be/s,
  );
  t.match(
    await told('named.yaml'),
    /^2 .*named\.yaml:4:.*`study\.arms` must be a map whose names are letters, digits.*got '60 %'/s,
  );
  t.match(await told('none.yaml'), /^2 .*at least one arm/s);
  t.match(
    await told('same.yaml'),
    /^2 .*same\.yaml: a search must be measured on other pictures than the seeds; got image-folder test for both, in a\./s,
  );
  t.match(await told('also.yaml'), /^2 .*also\.yaml.*one of `also`.*`classify\.top1`.*They measure knn\.top1/s);
  t.match(await told('budget.yaml'), /^2 .*budget\.yaml:4:.*share a pre-training/s);
  for (const where of ['set', 'vary', 'over'])
    t.match(
      await told(`pretrain-${where}.yaml`),
      /^2 .*:1:\d+: `study\..*none of which begins with `tune\.pretrain\.`: .*share a pre-training/s,
      where,
    );
  const wrong = await told('wrong.yaml');
  for (const part of [
    /must be a training; got a job/,
    /no option `rato`/,
    /`measure` of a study .*`knn\.top1`.*It measures classify\.top1/,
    /nowhere\.yaml/,
  ])
    t.match(wrong, part);
  t.match(wrong, /^2 /);
  t.notOk(existsSync(join(root, 'out')), 'nothing was run');
  t.match(await told('nothing.yaml'), /^2 .*nothing\.yaml/s);
  const checked = await patchstream(['check', join(root, 'wrong.yaml'), join(root, 'encoder.yaml')]);
  t.match(checked, { code: 2, out: /encoder\.yaml: no problems/, err: /got a job[\s\S]*`rato`/ });
  t.match(await patchstream(['run', join(root, 'none.yaml')]), {
    code: 2,
    err: /none\.yaml:1:1: a pipeline file must be one; got a study\. Run it with `patchstream study .*none\.yaml`/,
  });
});
