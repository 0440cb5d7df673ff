import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { FloatTensor } from '../../src/formats/safetensors.ts';
import { embed, predict } from '../../src/inference/index.ts';
import { findTrained, foundTrained } from '../../src/inference/trained.ts';
import { batchTooLarge, TrainedThread } from '../../src/inference/trained-thread.ts';
import { saveCheckpoint } from '../../src/train/weights/checkpoint.ts';
import { insteadOf } from '../../src/train/weights/no-weights.ts';
import { writeFiles } from '../kit/files/folder.ts';

const trained = {
  model: {
    name: 'classifier',
    options: { encoder: 'mae', size: 'nano', patch: 8, classes: 2 },
    spec: { fields: { picture: 'picture' }, size: [16, 16] },
  },
  stages: [{ name: 'decode', options: {} }],
  classNames: ['a', 'b'],
};

/** A run with a checkpoint of each of these steps. */
async function runWith(root: string, name: string, steps: readonly number[], about: unknown = trained) {
  const run = join(root, name);
  mkdirSync(join(run, 'checkpoints'), { recursive: true });
  const tensors = new Map<string, FloatTensor>([['w', { shape: [2], data: Float32Array.of(1, 2) }]]);
  for (const step of steps)
    await saveCheckpoint(join(run, 'checkpoints'), {
      state: { step, position: step, updates: step, seed: 1, versions: {}, definition: 'd' },
      model: tensors,
      optimizer: tensors,
      trained: JSON.stringify(about),
    });
  writeFileSync(join(run, 'pipeline.json'), JSON.stringify({ train: { steps: 900 } }));
  return run;
}

const refused = (t: Test, from: string, code: string, ...parts: RegExp[]) => {
  try {
    foundTrained(from, t.testdirName);
    t.fail(`${from} is taken`);
  } catch (error) {
    t.match(error, { code });
    for (const part of parts) t.match((error as Error).message, part);
  }
};

t.test('a run that has not come to its end is used with a notice of its step; one that has without', async (t) => {
  const root = t.testdir({});
  const run = await runWith(root, 'run', [100, 120]);
  t.match(findTrained(run, root)?.notes, [/run has not come to its end: its checkpoint of step 120 of 900 is used\.$/]);
  writeFiles(run, { 'finished.json': '{}' });
  t.same(findTrained(run, root)?.notes, []);
  rmSync(join(run, 'finished.json'));
  t.same(findTrained(join(run, 'checkpoints/step-00000120'), root)?.notes, [], 'a checkpoint that was named is meant');
});

t.test('a broken newest checkpoint is passed over with a notice, whichever of its files is broken', async (t) => {
  const root = t.testdir({});
  for (const [i, file] of ['model.safetensors', 'optimizer.safetensors', 'state.json'].entries()) {
    const run = await runWith(root, `run-${i}`, [100, 120]);
    writeFiles(run, { 'finished.json': '{}' });
    const newest = join(run, 'checkpoints/step-00000120');
    if (i === 1) rmSync(join(newest, file));
    else appendFileSync(join(newest, file), 'x');
    const found = findTrained(run, root)!;
    t.match(found, { where: join(run, 'checkpoints/step-00000100') });
    t.match(found.notes, [new RegExp(`^CHECKPOINT_BROKEN.*step-00000120.*${file}`), /step-00000100 is taken in place/]);
    appendFileSync(join(run, 'checkpoints/step-00000100/model.safetensors'), 'x');
    refused(t, run, 'CHECKPOINT_BROKEN', /none of them is/);
  }
});

t.test('a wrong option of a checkpoint is named', async (t) => {
  const root = t.testdir({});
  const wrong = { ...trained, model: { ...trained.model, options: { ...trained.model.options, classes: 'two' } } };
  refused(
    t,
    await runWith(root, 'options', [1], wrong),
    'TRAINED_OPTION',
    /`model\.options\.classes`.*expected number/,
  );
  const stages = [
    { name: 'decode', options: {} },
    { name: 'resize', options: { size: -3 } },
  ];
  refused(t, await runWith(root, 'stages', [1], { ...trained, stages }), 'TRAINED_OPTION', /`stages\.1\.resize\.size/);
  refused(t, await runWith(root, 'form', [1], { ...trained, stages: 3 }), 'TRAINED_OPTION', /`stages`/);
  const none = { ...trained, model: { ...trained.model, spec: { fields: {} } } };
  refused(t, await runWith(root, 'size', [1], none), 'TRAINED_UNKNOWN');
  t.equal(findTrained(await runWith(root, 'right', [1]), root)?.definition?.name, 'classifier');
});

t.test('what is no trained model: the near name, the pipeline file', async (t) => {
  const root = t.testdir({ runs: {}, other: {} });
  refused(t, join(root, 'none'), 'TRAINED_MISSING', /Train the model first, or name another path\.$/);
  await runWith(join(root, 'runs'), 'quickstart', [1]);
  refused(t, join(root, 'runs/quikstart'), 'TRAINED_MISSING', /Did you mean runs\/quickstart\?$/);
  refused(t, join(root, 'quickstart'), 'TRAINED_MISSING', /Did you mean runs\/quickstart\?$/);
  refused(t, join(root, 'runs/quick'), 'TRAINED_MISSING', /Did you mean runs\/quickstart\?$/);
  refused(t, join(root, 'zebra'), 'TRAINED_MISSING', /or name a run that is there: runs\/quickstart\.$/);
  t.match(insteadOf('runs/zebra', root), /that is there: runs\/quickstart\.$/, 'once');
  writeFiles(root, {
    'made.yaml': 'output: "./runs/quickstart" # here\n',
    'new.yaml': 'name: x\noutput: ./runs/new\n',
    'open.yml': ['output: $', '{OUT}\n'].join(''),
    'module.mjs': 'export default 1;\n',
  });
  refused(
    t,
    join(root, 'made.yaml'),
    'WEIGHTS_PIPELINE',
    /pipeline file\. Name the run that it has made: .*runs\/quickstart\.$/,
  );
  refused(
    t,
    join(root, 'new.yaml'),
    'WEIGHTS_PIPELINE',
    /Run it \(`patchstream run .*new\.yaml`\), then name the run: .*runs\/new\.$/,
  );
  refused(t, join(root, 'open.yml'), 'WEIGHTS_PIPELINE', /and name the folder of its `output`\.$/);
  refused(t, join(root, 'module.mjs'), 'WEIGHTS_PIPELINE');
});

const place = (base: string) => ({ base });

t.test('batches that do not fit are refused with those that do, by check and before memory is asked for', async (t) => {
  const root = t.testdir({});
  const large = { ...trained.model, spec: { ...trained.model.spec, size: [1024, 1024] } };
  const run = await runWith(root, 'large', [1], { ...trained, model: large });
  const stage = (batch: number) => predict.definition.options.parse({ from: run, batch });
  const issues = (batch: number) => [...predict.definition.check!(stage(batch), { fields: {} }, place(root))];
  t.match(issues(1024), [{ option: 'batch', error: { code: 'INFERENCE_MEMORY', message: /`batch: 170`/ } }]);
  t.same(issues(170), []);
  t.equal(batchTooLarge(170, [1024, 1024]), undefined);
  t.match(batchTooLarge(171, [1024, 1024]), { code: 'INFERENCE_MEMORY' });
  t.throws(
    () => new TrainedThread({ batch: 1024, size: [1024, 1024] } as never, { signal: new AbortController().signal }),
    {
      code: 'INFERENCE_MEMORY',
    },
  );
});

t.test('vectors of a model of a module have its origin, though their shape is not known', async (t) => {
  const root = t.testdir({});
  const model = { ...trained.model, name: 'mine', module: join(root, 'mine.mjs') };
  const run = await runWith(root, 'mine', [1], { ...trained, model });
  const options = embed.definition.options.parse({ from: run });
  const { open, origins } = embed.definition.output({ fields: {} }, options, place(root));
  t.equal(open, true);
  t.match(origins, { embedding: { from: run, pool: 'mean', fingerprint: /^[0-9a-f]{16}$/ } });
  writeFiles(root, { 'mine.mjs': 'export const mine = 1;' });
  const other = embed.definition.output({ fields: {} }, options, place(root)).origins;
  t.not(other?.embedding?.fingerprint, origins?.embedding?.fingerprint, 'the text of the module is part of it');
});
