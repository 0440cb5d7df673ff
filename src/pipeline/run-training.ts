import { freemem } from 'node:os';
import { messageOf } from '../errors.ts';
import { batcher } from '../streams/batcher.ts';
import { iterate } from '../streams/iterate.ts';
import { Ring } from '../streams/ring.ts';
import { type CellLayout, cellLayout } from '../train/cells.ts';
import type { TrainDefinition } from '../train/definition.ts';
import type { Measures } from '../train/metrics.ts';
import { chooseMicroBatch, type MicroBatchChoice } from '../train/microbatch.ts';
import { startTrainer } from '../train/trainer.ts';
import { defaultCells } from './batches.ts';
import { cancelled, type RunContext } from './context.ts';
import type { ResolvedTrain } from './ends.ts';
import type { RunSummary } from './events.ts';
import { writeCell } from './layout.ts';
import { type Opened, openLoader, openSource } from './open.ts';
import { ProgressTicker, totals } from './progress.ts';
import type { Resolved } from './resolve.ts';
import { resolvedJson } from './resolved-json.ts';
import { tellTraining } from './tell-training.ts';

/** Tokens per pass beyond which a larger micro-batch computes no faster on a few cores. */
const enoughTokens = 2000;

/**
 * A training: the loader fills cells in this thread, the trainer empties them in its own, a list of cells for each micro-batch. When the
 * trainer is slower the ring fills, permits run out and the source stops; when the loader is slower the trainer waits for lists.
 */
export async function runTraining(
  resolved: Resolved,
  { folder, signal, onEvent, fresh }: RunContext,
): Promise<RunSummary> {
  const began = performance.now();
  const train = resolved.train!;
  const { spec, definition, capacity } = resolved;
  const line = (text: string) => onEvent({ type: 'line', text });
  const layout = cellLayout({ name: train.model.name, fields: train.model.definition.fields }, spec);
  const micro = microBatchOf(train, resolved, layout);
  line(`Micro-batch ${micro.reason}`);

  const cells = definition.cells ?? defaultCells(micro.microBatch, capacity.threads);
  const ring = new Ring(cells, layout.cellBytes);
  const reading = { signal, onLine: line, cache: folder.path };
  const source = await openSource(resolved, reading);
  const { count } = source;
  const length = train.steps !== undefined ? { steps: train.steps } : { epochs: train.epochs! };
  const total = 'steps' in length ? length.steps : stepsIn(length.epochs, count, train);

  let opened: Opened | undefined;
  let last: Measures | undefined;
  let how = 'failed';
  const trainer = await startTrainer({
    definition: trainDefinition(resolved, { length, count, folder: folder.path, fresh }),
    memory: ring.memory,
    layout,
    thread: train.thread,
    onFreed: (list) => ring.free(list),
    onStep: (measures) => {
      last = measures;
    },
    onNote: line,
  });
  const { ready } = trainer;
  line(`Training ${ready.parameters.toLocaleString('en')} parameters with ${ready.why}`);
  if (ready.resumed !== undefined) line(`Going on after step ${ready.step}, from ${ready.resumed}.`);

  const stop = () => trainer.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const look = () => ({
    done: last === undefined ? ready.step : last.step + 1,
    total,
    stats: opened?.loader.stats() ?? [],
    ...(last && { values: { loss: last.loss, lr: last.lr } }),
  });
  const ticker = new ProgressTicker(onEvent, look, { perDone: train.batch, before: ready.step });
  try {
    opened = await openLoader(resolved, {
      ...reading,
      source,
      shuffle: true,
      epochs: 'epochs' in length ? length.epochs : Number.POSITIVE_INFINITY,
      start: ready.position,
      onFailure(failure) {
        folder.quarantine(failure);
        onEvent({ type: 'failure', stage: failure.stage, key: failure.key, error: messageOf(failure.error) });
      },
    });
    const end = feedTrainer(opened, trainer, {
      train,
      ring,
      layout,
      microBatch: micro.microBatch,
      signal,
    });
    // Whichever fails first ends the other: a loader's error stops the trainer, a trainer's error ends the loop that feeds it.
    await end.catch((error: unknown) => {
      trainer.stop();
      return trainer.done.catch(() => {}).then(() => Promise.reject(error));
    });
    const { ended, step, skipped } = await trainer.done;
    if (signal.aborted) {
      how = 'cancelled';
      throw cancelled(signal);
    }
    if (step === ready.step && ended === 'data') opened.finish();
    how = 'completed';
    ticker.stop();
    const lines = [`${step} steps of ${train.batch} samples.`];
    if (skipped > 0) lines.push(`${skipped} of them were skipped because their loss was not a number.`);
    const seconds = (performance.now() - began) / 1000;
    const told = await tellTraining(resolved, { folder: folder.path, seconds, ready, signal, line });
    lines.push(...told.lines);
    return { lines, files: told.files, done: step, seconds, ...totals(opened.loader.stats()) };
  } finally {
    ticker.stop();
    signal.removeEventListener('abort', stop);
    folder.ended(how, opened?.loader.stats() ?? []);
    await opened?.close();
  }
}

interface Feeding {
  readonly train: ResolvedTrain;
  readonly ring: Ring;
  readonly layout: CellLayout;
  readonly microBatch: number;
  readonly signal: AbortSignal;
}

/** Sends the loader's cells to the trainer, a micro-batch at a time, as fast as it takes them. */
async function feedTrainer(
  { loader }: Opened,
  trainer: Awaited<ReturnType<typeof startTrainer>>,
  { train, ring, layout, microBatch, signal }: Feeding,
): Promise<void> {
  const render = batcher({
    ring,
    size: microBatch,
    write: (sample, cell) => writeCell(sample, cell, layout),
    dropLast: train.dropLast,
    ...loader.ending('render'),
  });
  const perStep = train.batch / microBatch;
  let batchIndex = 0;
  let epoch = -1;
  let waited = 0;
  for await (const { cells, keys, positions, epochs } of iterate(loader.ordered.pipe(render), signal)) {
    // The run's last samples, fewer than a micro-batch: they cannot fill a step.
    if (keys.length < microBatch) break;
    if (train.dropLast && epochs[0] !== epoch) {
      epoch = epochs[0]!;
      batchIndex = 0;
    }
    const permitWaitMs = loader.permits.waitedMs - waited;
    waited += permitWaitMs;
    if (!(await trainer.send({ cells, keys, positions, batchIndex, permitWaitMs }))) break;
    batchIndex = (batchIndex + 1) % perStep;
  }
  trainer.end();
}

function microBatchOf(train: ResolvedTrain, { spec }: Resolved, layout: CellLayout): MicroBatchChoice {
  const { microBatch, batch, model } = train;
  if (microBatch !== 'auto') return { microBatch, reason: `${microBatch} of ${batch}: as asked.` };
  const work = model.definition.work?.(model.options, spec);
  if (work === undefined) return { microBatch: batch, reason: `${batch}: the model does not say what a sample takes.` };
  return chooseMicroBatch({ ...work, batch, cellBytes: layout.cellBytes, memory: freemem() / 2, enoughTokens });
}

function stepsIn(epochs: number, count: number, { batch, dropLast }: ResolvedTrain): number {
  return dropLast ? Math.floor(count / batch) * epochs : Math.floor((epochs * count) / batch);
}

function trainDefinition(
  resolved: Resolved,
  run: Pick<TrainDefinition, 'length' | 'count' | 'folder' | 'fresh'>,
): TrainDefinition {
  const { model, batch, optimizer, schedule, onNotANumber, checkpoint, backend, device, init } = resolved.train!;
  const { source, stages } = resolvedJson(resolved);
  return {
    ...run,
    model: { name: model.name, options: model.options, spec: resolved.spec },
    batch,
    seed: resolved.definition.seed,
    optimizer,
    schedule,
    onNotANumber,
    checkpoint,
    backend,
    device,
    init,
    data: { source, stages },
  } as TrainDefinition;
}
