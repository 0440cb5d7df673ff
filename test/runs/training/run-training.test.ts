import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sentencesOf } from '../../../src/cli/sentences.ts';
import type { RunEvent } from '../../../src/events/events.ts';
import { floatsOf, openSafetensors } from '../../../src/formats/safetensors.ts';
import { lomar } from '../../../src/models/index.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { run } from '../../../src/runs/run.ts';
import { evaluateModel } from '../../../src/runs/training/evaluation.ts';
import { EvaluationHistory } from '../../../src/runs/training/evaluation-history.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';
import { drop, type Sample } from '../../../src/streams/sample.ts';
import { each, type Stage } from '../../../src/streams/stage.ts';
import type { Measures } from '../../../src/train/metrics.ts';
import { newestCheckpoint, readCheckpoint } from '../../../src/train/weights/checkpoint.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';
import { gradient, jpeg } from '../../kit/pictures/pictures.ts';
import { saying } from '../../kit/runs/said.ts';
import { expectClose } from '../../kit/training/tensors.ts';

/**
 * A training that takes less than a second: LoMaR 16 wide, one block, windows of 3 × 3 patches of 32 × 32 pictures. In the calling thread where the thread
 * is not what is tested, since a worker loads TypeScript for seconds.
 */
function training(
  root: string,
  name: string,
  { threads = 2, thread = 'main' as 'worker' | 'main', steps = 12, microBatch = 4 } = {},
) {
  return definePipeline({
    ...pipeline(
      imageFolder({ path: join(root, 'photos'), repeat: 4 }),
      decode({ maxFailures: '20%' }),
      randomResizedCrop({ size: 32 }),
      windows({ patch: 8, size: 3, views: 2 }),
      mask(0.5),
    ),
    name,
    seed: 5,
    threads,
    train: {
      model: lomar({ width: 16, depth: 1, heads: 2, target: 'pixels' }),
      batch: 8,
      microBatch,
      steps,
      thread,
      backend: 'wasm',
      optimizer: { adamw: { lr: 1e-3 } },
      checkpoint: { everySteps: 5 },
    },
    evaluate: { reconstruction: { on: join(root, 'held-out') } },
    output: join(root, name),
  });
}

async function photos(root: string) {
  await pictureFolder(join(root, 'photos'), 30, 0.1);
  writeFiles(join(root, 'held-out'), { 'a.jpg': await jpeg(gradient(40, 32)), 'b.jpg': await jpeg(gradient(32, 50)) });
}

const rows = (folder: string) =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row) as Measures);
const course = (folder: string) =>
  rows(folder).map(({ step, epoch, loss, gradNorm, lr, keys }) => ({ step, epoch, loss, gradNorm, lr, keys }));
const weights = (folder: string) => {
  const last = readdirSync(join(folder, 'checkpoints')).sort().at(-1)!;
  return { last, bytes: readFileSync(join(folder, 'checkpoints', last, 'model.safetensors')) };
};

t.test(
  'one seed gives equal losses at loader concurrency 1 and 8, in a worker and in the calling thread',
  async (t) => {
    const root = t.testdir();
    await photos(root);
    const events: RunEvent[] = [];
    const summary = await run(training(root, 'one', { threads: 1, thread: 'worker' }), {
      onEvent: (event) => events.push(event),
    });
    await run(training(root, 'eight', { threads: 8, thread: 'worker' }));
    await run(training(root, 'main', { threads: 3 }));
    t.equal(rows(join(root, 'one')).length, 12);
    t.strictSame(course(join(root, 'eight')), course(join(root, 'one')));
    t.strictSame(course(join(root, 'main')), course(join(root, 'one')));
    t.ok(weights(join(root, 'main')).bytes.equals(weights(join(root, 'one')).bytes), 'the same weights');

    t.match(summary, { done: 12 });
    for (const name of [
      'pipeline.json',
      'metrics.jsonl',
      'evaluation.json',
      'reconstruction.png',
      'loss.svg',
      'report.html',
      'quarantine.jsonl',
    ]) {
      t.ok(existsSync(join(root, 'one', name)), name);
    }
    const errors = JSON.parse(readFileSync(join(root, 'one', 'evaluation.json'), 'utf8')) as Record<string, number>;
    t.strictSame(Object.keys(errors).sort(), ['meanPatch', 'nearestPatch', 'ours', 'smoothFill']);
    t.ok(Object.values(errors).every((error) => error > 0 && Number.isFinite(error)));
    t.match(summary.lines.join('\n'), /this model[\s\S]*mean patch|mean patch[\s\S]*this model/);
    const last = events.filter((event) => event.type === 'progress').at(-1);
    t.match(last, { done: 12, total: 12, values: { loss: Number } });
    t.end();
  },
);

// Killed without a word, and begun again: test/all/kills.test.ts.
t.test('a cancelled training saves, and goes on from there', async (t) => {
  const root = t.testdir();
  await photos(root);
  const abort = new AbortController();
  const definition = training(root, 'stopped', { steps: 500, thread: 'worker' });
  const onEvent = (event: RunEvent) => {
    if (event.type === 'progress' && event.done >= 3) abort.abort('SIGTERM');
  };
  await t.rejects(run(definition, { signal: abort.signal, onEvent }), { code: 'RUN_CANCELLED' });
  const { last } = weights(join(root, 'stopped'));
  t.ok(last >= 'step-00000003', last);
  const events: string[] = [];
  const again = new AbortController();
  await t.rejects(
    run(definition, {
      signal: again.signal,
      onEvent(event) {
        events.push(...sentencesOf(event));
        if (event.type === 'progress' && event.done >= 8) again.abort('SIGTERM');
      },
    }),
    { code: 'RUN_CANCELLED' },
  );
  t.ok(events.some((text) => text.startsWith('Resuming after step')));
  t.end();
});

t.test('the loader’s end is the trainer’s end: errors of either side end both', async (t) => {
  const root = t.testdir();
  await photos(root);
  const definition = training(root, 'bad', { steps: 500, thread: 'worker' });
  writeFiles(
    join(root, 'photos'),
    Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`zz${i}.jpg`, 'no picture'])),
  );
  await t.rejects(run(definition), { code: 'STAGE_BUDGET', where: 'stage decode' });
  const impossible = training(root, 'impossible', { microBatch: 3 });
  await t.rejects(run(impossible), { code: 'PIPELINE_PROBLEMS' });
  t.end();
});

t.test('what cannot become a training is told at once', async (t) => {
  const root = t.testdir();
  await photos(root);
  const few = training(root, 'few');
  await t.rejects(run({ ...few, cells: 4, train: { ...few.train!, microBatch: 'auto' } }), { code: 'CELLS_TOO_FEW' });
  const { steps: _, ...rest } = few.train!;
  const short = { ...few, output: join(root, 'short'), train: { ...rest, batch: 512, microBatch: 4, epochs: 1 } };
  await t.rejects(run(short), { code: 'TRAIN_TOO_FEW', message: /512/ });
  const blind = training(root, 'blind', { steps: 100_000 });
  const elsewhere = { ...blind, evaluate: { reconstruction: { on: join(root, 'nowhere') } } };
  await t.rejects(run(elsewhere), { code: 'FOLDER_MISSING' });
  // Nothing is written into a folder before the run is sure to begin: it may be another's.
  for (const name of ['few', 'short', 'blind']) t.notOk(existsSync(join(root, name, 'events.jsonl')), name);
  t.end();
});

t.test('how many work at a time does not make another run; what decides the weights does', async (t) => {
  const root = t.testdir();
  await photos(root);
  const first = training(root, 'same', { steps: 4 });
  await run(first);
  const wider = { ...training(root, 'same', { steps: 4, threads: 5, microBatch: 8 }) };
  t.equal((await run(wider)).earlier, true);
  const dropping = { ...first, train: { ...first.train!, dropLast: true } };
  await t.rejects(run(dropping), {
    code: 'CHECKPOINT_MISMATCH',
    message: /; train\.dropLast is false in it and true in the pipeline\. Give/,
  });
  const masked = { ...first, stages: [...first.stages.slice(0, -1), mask(0.75)] };
  await t.rejects(run(masked), { message: /; stages\.mask\.ratio is 0\.5 in it and 0\.75 in the pipeline\. Give/ });
  const fresh = await run(dropping, { fresh: true });
  t.equal(fresh.done, 4);
  t.end();
});

t.test('M1: what happens to what cannot be used may change when a run goes on', async (t) => {
  const root = t.testdir();
  await photos(root);
  const first = training(root, 'same', { steps: 4 });
  await run(first);
  const source = imageFolder({ path: join(root, 'photos'), repeat: 4, maxBytes: 10 ** 6 });
  const train = { ...first.train!, onNotANumber: 'skip' as const };
  const other = { ...first, source, train, stages: [decode({ maxPixels: 10 ** 6 }), ...first.stages.slice(1)] };
  t.equal((await run(other)).earlier, true);
  rmSync(join(root, 'same/finished.json'));
  t.equal((await run(other)).done, 4, 'no CHECKPOINT_MISMATCH');
  t.end();
});

t.test('L15: the folder of a training is moved while it runs', async (t) => {
  const root = t.testdir();
  await photos(root);
  const first = training(root, 'gone', { steps: 40 });
  const move = each(
    (sample: Sample) => {
      if (sample.position === 100) renameSync(join(root, 'gone'), join(root, 'moved'));
      return sample;
    },
    { name: 'move' },
  );
  await t.rejects(run({ ...first, stages: [first.stages[0]!, move, ...first.stages.slice(1)] }), {
    code: 'OUTPUT_GONE',
  });
  t.notOk(existsSync(join(root, 'gone')), 'nothing is made at its place');
  const newest = await newestCheckpoint(join(root, 'moved/checkpoints'), readCheckpoint, (text) => t.fail(text));
  t.ok(newest!.state.step >= 5, `${newest!.state.step} steps are saved`);
  t.end();
});

t.test('S4: checkpoints that are to be measured stay until they are; then as many as are kept', async (t) => {
  const root = t.testdir();
  await photos(root);
  const first = training(root, 'measured', { steps: 9 });
  const train = { ...first.train!, checkpoint: { everySteps: 1, keep: 1 } };
  const evaluate = { ...first.evaluate!, every: { steps: 2 } };
  const lines: string[] = [];
  await run({ ...first, train, evaluate }, { onEvent: saying(lines) });
  const text = readFileSync(join(root, 'measured/evaluations.jsonl'), 'utf8');
  const steps = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).step as number);
  t.same(steps, [2, 4, 6, 8, 9]);
  t.same(readdirSync(join(root, 'measured/checkpoints')), ['step-00000009']);
  t.notMatch(lines.join('\n'), /is gone/);
  const resolved = soundPipeline({ ...first, train, evaluate }, builtin);
  const heard: string[] = [];
  const course = await EvaluationHistory.open(resolved, {
    folder: join(root, 'measured'),
    count: 120,
    fresh: true,
    signal: new AbortController().signal,
    line: (one) => heard.push(one),
    events: { emit: () => {} },
    onFailure: () => {},
  });
  await course.saved(join(root, 'measured/checkpoints/step-00000004'));
  await course.idle();
  t.match(heard, [/step-00000004 is gone before it was measured, and is passed over/]);
  t.end();
});

t.test('a training whose loader never comes back is cancelled all the same', async (t) => {
  const root = t.testdir();
  await photos(root);
  const stuck = training(root, 'stuck', { thread: 'worker' });
  const never = each(() => new Promise<Sample>(() => {}), { name: 'never' });
  const abort = new AbortController();
  const ended = run(
    { ...stuck, stages: [stuck.stages[0]!, never, ...stuck.stages.slice(1)] },
    {
      signal: abort.signal,
      onEvent: (event) => {
        if (event.type === 'started') setImmediate(() => abort.abort('SIGINT'));
      },
    },
  );
  await t.rejects(ended, { code: 'RUN_CANCELLED' });
  t.end();
});

t.test('weights of another model are not evaluated as if they were this one’s', async (t) => {
  const root = t.testdir();
  await photos(root);
  await run(training(root, 'pixels', { steps: 2 }));
  const definition = training(root, 'pixels', { steps: 2 });
  const sound = soundPipeline(definition, builtin);
  t.ok(Number((await evaluateModel(sound)).results[0]!.numbers.ours) > 0);
  const options = { ...(sound.train!.model.options as object), target: 'patchNorm' };
  const other = { ...sound, train: { ...sound.train!, model: { ...sound.train!.model, options } } };
  await t.rejects(evaluateModel(other), { code: 'WEIGHTS_FOREIGN' });
  await t.rejects(evaluateModel(sound, { checkpoint: join(root, 'photos', '00000.jpg') }), { code: 'WEIGHTS_BROKEN' });
  await t.rejects(evaluateModel(sound, { on: join(root, 'nowhere') }), { code: 'EVALUATE_FOLDER' });
  t.end();
});

t.test('L13: a training that can never have a step is refused before it begins', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 6);
  const of = (length: object) => {
    const chain = pipeline(
      imageFolder(join(root, 'photos')),
      decode(),
      randomResizedCrop({ size: 32 }),
      windows({ patch: 8, size: 3, views: 2 }),
      mask(0.5),
    );
    const train = {
      model: lomar({ width: 32, depth: 1, heads: 2 }),
      batch: 8,
      backend: 'wasm',
      thread: 'main',
    } as const;
    return definePipeline({ ...chain, train: { ...train, ...length }, output: join(root, 'run') });
  };
  for (const length of [{ steps: 3, dropLast: true }, { epochs: 1 }, { epochs: 1.2, dropLast: true }])
    await t.rejects(run(of(length)), { code: 'TRAIN_TOO_FEW' }, JSON.stringify(length));
  t.notOk(existsSync(join(root, 'run', 'checkpoints')));
});

t.test('issue 16: what does not fill a step is dropped, with the reason, and the sum holds', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 11);
  const chain = pipeline(
    imageFolder(join(root, 'photos')),
    decode(),
    randomResizedCrop({ size: 32 }),
    windows({ patch: 8, size: 3, views: 2 }),
    mask(0.5),
  );
  const train = { model: lomar({ width: 32, depth: 1, heads: 2 }), batch: 4, microBatch: 2, epochs: 3 } as const;
  const where = { backend: 'wasm', thread: 'main' } as const;
  const of = (dropLast: boolean) =>
    definePipeline({ ...chain, train: { ...train, ...where, dropLast }, output: join(root, `run-${dropLast}`) });
  const dropping = await run(of(true));
  t.match(dropping, { done: 6, drops: 9, sum: { listed: 33, delivered: 24, failed: 0, dropped: 9, notReached: 0 } });
  t.match(
    dropping.lines.join('\n'),
    /dropped: 9 in \S+ \(in no full batch\)[\s\S]*24 delivered \+ 0 failed \+ 9 dropped/,
  );
  t.match(await run(of(false)), { done: 8, drops: 1, sum: { listed: 33, delivered: 32, dropped: 1 } });
});

t.test('L13: where no epoch has the samples of a step once the broken ones are out, the training ends', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 6);
  const chain = pipeline(
    imageFolder(join(root, 'photos')),
    each((sample) => (sample.key === '00003.jpg' ? drop('unwanted') : sample)),
    decode(),
    randomResizedCrop({ size: 32 }),
    windows({ patch: 8, size: 3, views: 2 }),
    mask(0.5),
  );
  const train = { model: lomar({ width: 32, depth: 1, heads: 2 }), batch: 6, microBatch: 1, steps: 3 } as const;
  const where = { backend: 'wasm', thread: 'main', dropLast: true } as const;
  const job = definePipeline({ ...chain, train: { ...train, ...where }, output: join(root, 'run') });
  await t.rejects(run(job), { code: 'TRAIN_TOO_FEW', message: /fewer in each of two whole epochs/ });
});

t.test('L13: where no list ever becomes full the training ends after two whole passes', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 12);
  writeFiles(join(root, 'photos'), { '00003.jpg': Buffer.from('damaged') });
  await pictureFolder(join(root, 'sound'), 12);
  const of = (folder: string, microBatch: number | 'auto', stages: readonly Stage[] = []) => {
    const chain = pipeline(
      imageFolder(join(root, folder)),
      ...(stages as []),
      decode({ maxFailures: '50%' }),
      randomResizedCrop({ size: 32 }),
      windows({ patch: 8, size: 3, views: 2 }),
      mask(0.5),
    );
    const train = { model: lomar({ width: 32, depth: 1, heads: 2 }), batch: 12, microBatch, steps: 10 } as const;
    const where = { backend: 'wasm', thread: 'main', dropLast: true } as const;
    return definePipeline({ ...chain, threads: 2, train: { ...train, ...where }, output: join(root, 'run') });
  };
  const unwanted = each((sample: Sample) => (sample.key === '00003.jpg' ? drop('unwanted') : sample));
  // The first two passes are whole: what they trained is kept.
  const later = each((sample: Sample) => (sample.epoch > 1 && sample.key === '00003.jpg' ? drop('later') : sample));
  const all = [of('photos', 12), of('photos', 'auto'), of('sound', 12, [unwanted])];
  const message = /fewer in each of two whole epochs.*leave out `dropLast`/;
  for (const job of all) await t.rejects(run(job, { fresh: true }), { code: 'TRAIN_TOO_FEW', message });
  await t.rejects(run(of('sound', 12, [later]), { fresh: true }), { code: 'TRAIN_TOO_FEW', message });
  t.same(readdirSync(join(root, 'run', 'checkpoints')), ['step-00000002']);
  // Going on finds the same, and trains nothing.
  await t.rejects(run(of('sound', 12, [later])), { code: 'TRAIN_TOO_FEW', message });
});

/** A training that keeps an average and its best checkpoint, and whose third evaluation ends it: no error can become better by 100. */
function judged(root: string, name: string) {
  const first = training(root, name, { steps: 40 });
  const by = { measure: 'reconstruction.ours' };
  return {
    ...first,
    train: {
      ...first.train!,
      optimizer: { lamb: { lr: 0.01 } },
      clip: { norm: 1 },
      ema: { decay: 0.6 },
      checkpoint: { everySteps: 1, keep: 1, best: by },
      stop: { ...by, patience: 2, minDelta: 100 },
    },
    evaluate: { ...first.evaluate!, every: { steps: 2 } },
  };
}

t.test('a training that gets no better ends at the checkpoint that shows it, and keeps its best', async (t) => {
  const root = t.testdir();
  await photos(root);
  const lines: string[] = [];
  const summary = await run(judged(root, 'whole'), { onEvent: saying(lines) });
  const folder = join(root, 'whole');
  const rowsOf = (name: string) =>
    readFileSync(join(root, name, 'evaluations.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { step: number; digest: string; reconstruction: { ours: number } })
      // The name of the pipeline is part of it.
      .map(({ digest: _, ...row }) => row);
  t.same(
    rowsOf('whole').map(({ step }) => step),
    [2, 4, 6],
  );
  t.equal(rows(folder).length, 6);
  const best = rowsOf('whole').toSorted((a, b) => a.reconstruction.ours - b.reconstruction.ours)[0]!;
  const name = `step-0000000${best.step}`;
  t.match(summary, {
    ...{ done: 6, stoppedEarly: true },
    best: { step: best.step, measure: 'reconstruction.ours', value: best.reconstruction.ours },
  });
  t.same(readdirSync(join(folder, 'checkpoints')), [...new Set([name, 'step-00000006'])].sort());
  const early = /after 6 of 40 steps: reconstruction\.ours has become no better in 2 evaluations/;
  t.match(lines.join('\n'), early);
  t.match(summary.lines.join('\n'), new RegExp(`best checkpoint: reconstruction.ours .* after ${best.step} steps`));
  const report = readFileSync(join(folder, 'report.html'), 'utf8');
  t.match(report, early);
  t.match(report, new RegExp(`Best checkpoint.*${name}`));
  t.match(await run(judged(root, 'whole')), { earlier: true }, 'it has come to its end');

  // The average is what is measured, unless the trained weights are asked for.
  const resolved = soundPipeline(judged(root, 'whole'), builtin);
  const error = async (which?: 'ema' | 'model') =>
    (await evaluateModel(resolved, { ...(which && { which }), pictures: 0 })).results[0]!.numbers.ours;
  t.equal(await error(), rowsOf('whole').at(-1)!.reconstruction.ours);
  t.equal(await error('ema'), await error());
  t.not(await error('model'), await error());

  // Stopped on the way, in the midst of it all, and begun again.
  for (const steps of [3, 5]) {
    const cut = `cut-${steps}`;
    const controller = new AbortController();
    await t.rejects(
      run(judged(root, cut), {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'step' && event.step === steps) controller.abort();
        },
      }),
      { code: 'RUN_CANCELLED' },
    );
    await run(judged(root, cut));
    t.strictSame(course(join(root, cut)), course(folder), `${steps}: the same steps`);
    t.strictSame(rowsOf(cut), rowsOf('whole'), `${steps}: the same evaluations`);
    t.same(readdirSync(join(root, cut, 'checkpoints')), readdirSync(join(folder, 'checkpoints')));
    for (const part of ['model', 'ema', 'optimizer'])
      t.ok(
        readFileSync(join(root, cut, `checkpoints/step-00000006/${part}.safetensors`)).equals(
          readFileSync(join(folder, `checkpoints/step-00000006/${part}.safetensors`)),
        ),
        `${steps}: ${part}`,
      );
  }

  // It goes on where it had ended, when more patience is asked for.
  const patient = (name: string) => {
    const first = judged(root, name);
    return { ...first, train: { ...first.train, stop: { ...first.train.stop, patience: 4 } } };
  };
  const taken: number[] = [];
  const onEvent = (event: RunEvent) => event.type === 'step' && taken.push(event.step);
  t.match(await run(patient('whole'), { onEvent }), { done: 10, stoppedEarly: true });
  t.same(taken, [6, 7, 8, 9]);
  await run(patient('patient'));
  t.strictSame(rowsOf('whole'), rowsOf('patient'), 'as one that had it from the beginning');
  t.match(await run(patient('whole')), { earlier: true });
});

t.test('any micro-batch, any thread: the same weights, with each optimizer, clipped and averaged', async (t) => {
  const root = t.testdir();
  await photos(root);
  for (const [name, options] of Object.entries({ lars: { lr: 1 }, lamb: { lr: 0.01 }, lion: { lr: 3e-4 } })) {
    const found = await Promise.all([8, 2].map((microBatch) => trained(name, options, microBatch)));
    for (const { all, values } of found.slice(1)) {
      t.same(all, found[0]!.all);
      for (const part of ['model', 'ema'] as const)
        expectClose(t, values[part], found[0]!.values[part], 1e-4, `${name}: ${part}`);
    }
  }

  async function trained(name: string, options: object, microBatch: number) {
    const first = training(root, `${name}-${microBatch}`, { microBatch });
    const { evaluate: _, ...plain } = first;
    const train = { ...first.train!, optimizer: { [name]: options }, clip: { norm: 0.3 }, ema: { decay: 0.8 } };
    await run({ ...plain, train });
    const { last } = weights(join(root, `${name}-${microBatch}`));
    const path = join(root, `${name}-${microBatch}`, 'checkpoints', last);
    const valuesIn = (part: string) =>
      [...openSafetensors(join(path, `${part}.safetensors`)).tensors.values()].flatMap((x) => [...floatsOf(x)]);
    return { all: last, values: { model: valuesIn('model'), ema: valuesIn('ema') } };
  }
});
