import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RunEvent } from '../../../src/events/events.ts';
import { decodeSafetensors, floatsOf } from '../../../src/formats/safetensors.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { run } from '../../../src/runs/run.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';
import { gradient, jpeg } from '../../kit/pictures/pictures.ts';
import { relativeL2 } from '../../kit/training/tensors.ts';
import { withoutTorch } from '../../kit/training/torch.ts';

/** The pipelines of arms, and what is changed of some so that the arms without a file are run too. */
const arms: Readonly<Record<string, readonly string[]>> = {
  'lomar-ablation-absolute': [],
  'lomar-ablation-decoder': [],
  'lomar-ablation-decoder, relative': ['train.model.lomar.positions=relative'],
  'lomar-ablation-late-masks': ['train.model.lomar.dropPath=0.3'],
  'lomar-ablation-few-windows': [],
  'lomar-ablation-blocks': [],
  'lomar-ablation-blocks, as BEiT': ['stages.mask.blocks.exact=false'],
  'lomar-srmae-quickstart': [],
  'lomar-srmae-quickstart, decoder': ['train.model.lomar-srmae.decoder={ width: 16, depth: 1, heads: 1 }'],
  'mae-cls-tokens': ['train.model.mae.dropPath=0.3'],
};

const weightsOf = (folder: string, step: string) =>
  readFileSync(join(folder, 'checkpoints', step, 'model.safetensors'));
const flat = (file: Buffer) =>
  Float32Array.from([...decodeSafetensors(file, 'weights').tensors.values()].flatMap((each) => [...floatsOf(each)]));
const course = (folder: string) =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const { step, epoch, loss, gradNorm, lr, keys } = JSON.parse(line) as Record<string, unknown>;
      return { step, epoch, loss, gradNorm, lr, keys };
    });

for (const [arm, changes] of Object.entries(arms)) {
  t.test(`${arm}: trains, whatever the micro-batch, and goes on from where it was stopped`, async (t) => {
    const root = t.testdir();
    await pictureFolder(join(root, 'photos'), 10);
    writeFiles(join(root, 'held-out'), { 'a.jpg': await jpeg(gradient(70, 64)) });
    const trained = async (name: string, microBatch: number, signal?: AbortSignal, stop?: () => void) => {
      const { resolved, problems } = await checkFile(join('pipelines', `${arm.split(',')[0]}.yaml`), {
        registry: builtin,
        environment: {},
        set: [
          `source.image-folder.path=${join(root, 'photos')}`,
          `evaluate.reconstruction.on=${join(root, 'held-out')}`,
          `output=${join(root, name)}`,
          `train.microBatch=${microBatch}`,
          `train.backend=${withoutTorch ? 'wasm' : 'torch'}`,
          'train.batch=4',
          'train.steps=4',
          'train.thread=main',
          'train.checkpoint={ everySteps: 2 }',
          ...changes,
        ],
      });
      t.same(
        problems.map(({ error }) => error.message),
        [],
      );
      const onEvent = (event: RunEvent) => {
        if (event.type === 'step') stop?.();
      };
      const summary = await run(resolved!.definition, { onEvent, ...(signal && { signal }) });
      t.match(summary, { done: 4 });
      return join(root, name);
    };
    const whole = await trained('whole', 4);
    t.same(readdirSync(join(whole, 'checkpoints')).sort().at(-1), 'step-00000004');

    const small = await trained('small', 1);
    const apart = relativeL2(flat(weightsOf(small, 'step-00000004')), flat(weightsOf(whole, 'step-00000004')));
    t.ok(apart < 1e-4, `weights ${apart} apart`);
    t.same(
      course(small).map(({ keys }) => keys),
      course(whole).map(({ keys }) => keys),
    );

    const abort = new AbortController();
    await t.rejects(
      trained('stopped', 4, abort.signal, () => abort.abort('SIGTERM')),
      { code: 'RUN_CANCELLED' },
    );
    t.ok(course(join(root, 'stopped')).length < 4, 'it was stopped on the way');
    const stopped = await trained('stopped', 4);
    t.strictSame(course(stopped), course(whole));
    t.ok(weightsOf(stopped, 'step-00000004').equals(weightsOf(whole, 'step-00000004')), 'the same weights');
  });
}
