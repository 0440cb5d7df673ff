import { join } from 'node:path';
import t, { type Test } from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { judgedNumber } from '../../../src/pipeline/resolve/judged.ts';
import { labelledFolder, writeFiles } from '../../kit/files/folder.ts';

/** The problems of a training with these options of `train`, and of `evaluate`. */
async function problemsOf(t: Test, train: string, evaluate = 'every: { steps: 2 }, knn: { on: test, k: 3 }') {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 2);
  writeFiles(root, {
    'p.yaml': `
name: tiny
source: { image-folder: { path: train, labels: true } }
stages: [decode, { resize: 16 }, { mask: { ratio: 0.5, patch: 4 } }]
train:
  model: { mae: { size: nano } }
  batch: 6
  steps: 6
  ${train}
${evaluate === '' ? '' : `evaluate: { ${evaluate} }`}
output: run
`,
  });
  const { resolved, problems } = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  return { resolved: resolved!, found: problems.map(({ error }) => [error.code, error.message] as const) };
}

t.test('a number is judged as its measure says, or as the pipeline does', async (t) => {
  const both =
    'checkpoint: { best: { measure: knn.top1 } }\n  stop: { measure: reconstruction.ours, better: higher, patience: 3 }';
  const evaluate = 'every: { epochs: 1 }, knn: { on: test, k: 3 }, reconstruction: { on: test }';
  const { resolved, found } = await problemsOf(t, both, evaluate);
  t.same(found, []);
  const { checkpoint, stop } = resolved.train!;
  t.same(stop, { measure: 'reconstruction.ours', better: 'higher', patience: 3, minDelta: 0 });
  const number = (by: Parameters<typeof judgedNumber>[0]) => {
    const found = judgedNumber(by, resolved.evaluate!);
    return found && [found.measure.id, found.value, found.better];
  };
  t.same(number(checkpoint.best!), ['knn', 'top1', 'higher']);
  t.same(number(stop!), ['reconstruction', 'ours', 'higher']);
  t.same(number({ measure: 'reconstruction.ours' }), ['reconstruction', 'ours', 'lower']);
  t.equal(number({ measure: 'knn' }), undefined);
});

t.test('what is not measured while it trains cannot judge', async (t) => {
  const best = 'checkpoint: { best: { measure: knn.top1 } }';
  for (const evaluate of ['', 'knn: { on: test, k: 3 }']) {
    const { found } = await problemsOf(t, best, evaluate);
    t.match(found, [['JUDGED_EVERY', /p\.yaml:\d+:\d+: .*`evaluate` measures knn\.top1 at its ends at most/]]);
  }
  const { found } = await problemsOf(t, 'stop: { measure: knn.top2 }');
  t.match(found, [['JUDGED_UNKNOWN', /p\.yaml:9:\d+: .*one of knn\.top1, knn\.top5; got knn\.top2/]]);
  t.same((await problemsOf(t, 'stop: { measure: knn.top5 }')).found, []);
});

t.test('options of optimizers, clipping and averages that cannot be are told with their place', async (t) => {
  const wrong = {
    'optimizer: { lars: { lr: 1 }, lamb: { lr: 1 } }': /p\.yaml:9:\d+: exactly one of adamw, lars, lamb and lion/,
    'optimizer: { lion: {} }': /p\.yaml:9:\d+: exactly one of lr and baseLr must be given; got none/,
    'optimizer: { lamb: { lr: 1, betas: [0.9, 1] } }': /p\.yaml:9:\d+: .*betas/,
    'optimizer: { lars: { lr: 1, trust: 0 } }': /p\.yaml:9:\d+: .*trust/,
    'optimizer: { lion: { lr: 1, eps: 1 } }': /p\.yaml:9:\d+: .*eps/,
    'clip: { norm: 0 }': /p\.yaml:9:\d+: .*norm/,
    'clip: { value: 1 }': /p\.yaml:9:\d+: .*value/,
    'ema: { decay: 1 }': /p\.yaml:9:\d+: .*decay/,
    'ema: { decay: 0.9, warmup: { power: -1 } }': /p\.yaml:9:\d+: .*power/,
    'stop: { measure: knn.top1, patience: 0 }': /p\.yaml:9:\d+: .*patience/,
    'checkpoint: { best: { measure: knn.top1, better: more } }': /p\.yaml:9:\d+: .*better/,
  };
  for (const [train, message] of Object.entries(wrong)) {
    const { found } = await problemsOf(t, train);
    t.ok(
      found.some(([, text]) => message.test(text)),
      `${train}: ${found.map(([, text]) => text).join('; ')}`,
    );
  }
  const { resolved, found } = await problemsOf(t, 'ema: { warmup: {} }\n  clip: { norm: 3 }');
  t.same(
    [found, resolved.train!.ema, resolved.train!.clip],
    [[], { decay: 0.9999, warmup: { gamma: 1, power: 2 / 3 } }, { norm: 3 }],
  );
});

t.test('the linear probe rises for fewer epochs than it has', async (t) => {
  const linear = (options: string) => problemsOf(t, '', `linear: { on: test, ${options} }`);
  t.match((await linear('epochs: 5, warmupEpochs: 5')).found[0]?.[1], /warmupEpochs.*less than `epochs`, 5; got 5/);
  t.match((await linear('ghostBatch: 1')).found[0]?.[1], /ghostBatch/);
  t.same((await linear('epochs: 5, warmupEpochs: 4, optimizer: lars, ghostBatch: 2')).found, []);
});
