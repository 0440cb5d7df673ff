import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { OpenSource } from '../datasets/source.ts';
import { fail, messageOf } from '../errors.ts';
import { shortenOpenmpWaits } from '../native.ts';
import { batcher } from '../streams/batcher.ts';
import type { Failure } from '../streams/failures.ts';
import { iterate } from '../streams/iterate.ts';
import { Ring } from '../streams/ring.ts';
import { type CellLayout, cellLayout } from '../train/cells.ts';
import type { TrainDefinition } from '../train/definition.ts';
import type { LoopEnd } from '../train/loop.ts';
import type { Measures } from '../train/metrics.ts';
import { chooseMicroBatch, type MicroBatchChoice } from '../train/microbatch.ts';
import { startTrainer, type Trainer } from '../train/trainer.ts';
import { cellsOf } from './cells.ts';
import { cancelled, type RunContext } from './context.ts';
import { Course } from './course.ts';
import type { ResolvedTrain } from './ends.ts';
import { probeHeldOut } from './evaluation.ts';
import type { RunSummary } from './events.ts';

import { type Opened, openLoader, openSource } from './open.ts';
import { lossLines, ProgressTicker, totals } from './progress.ts';
import { rendering } from './rendering.ts';
import type { Resolved } from './resolve.ts';
import { decisiveJson } from './resolved-json.ts';
import { tellTraining } from './tell-training.ts';

/** Tokens per pass beyond which a larger micro-batch computes no faster on a few cores. */
const enoughTokens = 2000;

/**
 * A training: the loader fills cells in this thread, the trainer empties them in its own, a list of cells for each micro-batch. When the
 * trainer is slower the ring fills, permits run out and the source stops; when the loader is slower the trainer waits for lists.
 */
export async function runTraining(resolved: Resolved, context: RunContext): Promise<RunSummary> {
  const { folder, signal, onEvent } = context;
  const began = performance.now();
  const line = (text: string) => onEvent({ type: 'line', text });
  const onFailure = (failure: Failure) => {
    folder.quarantine(failure);
    onEvent({ type: 'failure', stage: failure.stage, key: failure.key, error: messageOf(failure.error) });
  };
  let source: OpenSource | undefined;
  let opened: Opened | undefined;
  let how = 'failed';
  try {
    // Said before hours of training, not after.
    await probeHeldOut(resolved, { signal });
    source = await openSource(resolved, { signal, onLine: line });
    const plan = planOf(resolved, source);
    const { count } = plan;
    const course = await Course.open(resolved, {
      folder: folder.path,
      count,
      fresh: context.fresh,
      signal,
      line,
      onFailure,
    });
    await course.start();
    line(`Micro-batch ${plan.micro.reason}`);
    // Without the run's signal: a step that is under way when it comes still needs its samples.
    const reading = { source, shuffle: true, epochs: plan.epochs, onFailure };
    // From where the trainer stands, which only it can tell.
    const openAt = async (start: number) => {
      opened = await openLoader(resolved, { ...reading, start });
      return opened;
    };
    const trained = await trainOn(openAt, plan, resolved, { ...context, course });
    const { end, ready, loader, finish } = trained;
    if (signal.aborted) throw cancelled(signal);
    if (end.step === 0) {
      finish();
      throw fail('TRAIN_TOO_FEW', { batch: plan.train.batch, found: trained.leftOver });
    }
    const seconds = (performance.now() - began) / 1000;
    const told = await tellTraining(resolved, { folder: folder.path, seconds, ready, end, count, course });
    if (signal.aborted) throw cancelled(signal);
    how = 'completed';
    const lost = lossLines(loader.stats(), join(folder.path, 'quarantine.jsonl'));
    const lines = [...stepLines(trained, plan.train), ...lost, ...told.lines];
    return { lines, files: told.files, done: end.step, seconds, ...totals(loader.stats()) };
  } catch (error) {
    if (signal.aborted) how = 'cancelled';
    throw error;
  } finally {
    folder.ended(how, opened?.loader.stats() ?? []);
    await (opened?.close() ?? source?.close?.());
  }
}

/** What is fixed before the first sample is read. */
interface Plan {
  readonly train: ResolvedTrain;
  readonly layout: CellLayout;
  readonly micro: MicroBatchChoice;
  readonly ring: Ring;
  readonly count: number;
  /** Passes that the loader may need at most; the trainer ends it where steps are counted. */
  readonly epochs: number;
  readonly length: TrainDefinition['length'];
  readonly total: number;
}

function planOf(resolved: Resolved, { count }: OpenSource): Plan {
  const train = resolved.train!;
  const { spec, definition, capacity } = resolved;
  const layout = cellLayout({ name: train.model.name, fields: train.model.definition.fields }, spec);
  const micro = microBatchOf(train, resolved, layout);
  const ring = new Ring(cellsOf(definition.cells, micro.microBatch, capacity.threads), layout.cellBytes);
  if (train.steps !== undefined) {
    const { steps } = train;
    return { train, layout, micro, ring, count, epochs: Number.POSITIVE_INFINITY, length: { steps }, total: steps };
  }
  const epochs = train.epochs!;
  return { train, layout, micro, ring, count, epochs, length: { epochs }, total: stepsIn(epochs, count, train) };
}

interface Trained extends Pick<Opened, 'loader' | 'finish'> {
  readonly end: LoopEnd;
  readonly ready: Trainer['ready'];
  /** Samples at the end of the data that did not fill a step. */
  readonly leftOver: number;
}

/** Starts the trainer, feeds it until it is done, and ends it whatever happens on either side. */
async function trainOn(
  openAt: (start: number) => Promise<Opened>,
  plan: Plan,
  resolved: Resolved,
  context: RunContext & { readonly course: Course },
): Promise<Trained> {
  const { folder, signal, onEvent, fresh, course } = context;
  const { train, ring, layout, length, count, total } = plan;
  const line = (text: string) => onEvent({ type: 'line', text });
  let last: Measures | undefined;
  let opened: Opened | undefined;
  const model = await train.model.definition.build?.(train.model.options, resolved.spec);
  if (model !== undefined && train.thread === 'worker') line('A model of your own trains in the calling thread.');
  if (train.thread === 'worker') shortenOpenmpWaits();
  const trainer = await startTrainer({
    ...(model && { model }),
    definition: trainDefinition(resolved, { length, count, folder: folder.path, fresh }),
    memory: ring.memory,
    layout,
    thread: train.thread,
    onFreed: (list) => ring.free(list),
    onStep: (measures) => {
      last = measures;
    },
    onSaved: (path) => course.saved(path),
    onNote: line,
  });
  const { ready } = trainer;
  line(`Training ${ready.parameters.toLocaleString('en')} parameters with ${ready.why}`);
  await folder.begin({ goesOn: ready.resumed !== undefined });
  await course.goOn(ready);
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
    opened = await openAt(ready.position);
    const leftOver = await feedTrainer(opened, trainer, plan, course);
    return { ...opened, end: await trainer.done, ready, leftOver };
  } catch (error) {
    // Whichever side fails first ends the other; what the trainer says after that is not the cause.
    trainer.stop();
    trainer.end();
    await trainer.done.catch(() => {});
    throw error;
  } finally {
    ticker.stop();
    signal.removeEventListener('abort', stop);
  }
}

/** Sends the loader's cells to the trainer, a micro-batch at a time, as fast as it takes them. Returns how many samples were left over. */
async function feedTrainer(
  { loader }: Opened,
  trainer: Trainer,
  { train, ring, layout, micro: { microBatch } }: Plan,
  course: Course,
): Promise<number> {
  const render = batcher({
    ring,
    size: microBatch,
    dropLast: train.dropLast,
    ...rendering(loader, layout),
  });
  const perStep = train.batch / microBatch;
  let batchIndex = 0;
  let epoch = -1;
  let waited = 0;
  // Ended by the trainer's end, not by the run's signal: a step that is under way is to be finished.
  const over = new AbortController();
  trainer.done.then(
    () => over.abort(),
    () => over.abort(),
  );
  for await (const { cells, keys, positions, epochs } of iterate(loader.ordered.pipe(render), over.signal)) {
    if (train.dropLast && epochs[0] !== epoch) {
      epoch = epochs[0]!;
      batchIndex = 0;
    }
    // The run's last samples, fewer than a micro-batch: they cannot fill a step.
    if (keys.length < microBatch) {
      trainer.end();
      return batchIndex * microBatch + keys.length;
    }
    await course.idle();
    const permitWaitMs = loader.permits.waitedMs - waited;
    waited += permitWaitMs;
    if (!(await trainer.send({ cells, keys, positions, batchIndex, permitWaitMs }))) return 0;
    batchIndex = (batchIndex + 1) % perStep;
  }
  trainer.end();
  return batchIndex * microBatch;
}

function stepLines({ end, leftOver }: Trained, { batch }: ResolvedTrain): string[] {
  const lines = [`${end.step} steps of ${batch} samples.`];
  if (end.skipped > 0) lines.push(`${end.skipped} of them were skipped because their loss was not a number.`);
  if (leftOver > 0) lines.push(`The last ${leftOver} samples did not fill a step and were left out.`);
  return lines;
}

function microBatchOf(train: ResolvedTrain, { spec }: Resolved, layout: CellLayout): MicroBatchChoice {
  const { microBatch, batch, model } = train;
  if (microBatch !== 'auto') return { microBatch, reason: `${microBatch} of ${batch}: as asked.` };
  const work = model.definition.work?.(model.options, spec);
  if (work === undefined) return { microBatch: batch, reason: `${batch}: the model does not say what a sample takes.` };
  // Of the memory that the machine has, not of what is free right now: a run that goes on must choose as it did before.
  return chooseMicroBatch({ ...work, batch, cellBytes: layout.cellBytes, memory: totalmem() / 4, enoughTokens });
}

function stepsIn(epochs: number, count: number, { batch, dropLast }: ResolvedTrain): number {
  if (!dropLast) return Math.floor(Math.floor(epochs * count) / batch);
  const whole = Math.floor(epochs);
  return whole * Math.floor(count / batch) + Math.floor(Math.floor((epochs - whole) * count) / batch);
}

function trainDefinition(
  resolved: Resolved,
  run: Pick<TrainDefinition, 'length' | 'count' | 'folder' | 'fresh'>,
): TrainDefinition {
  const { model, batch, optimizer, schedule, onNotANumber, checkpoint, backend, device, init, dropLast } =
    resolved.train!;
  const { source, stages } = decisiveJson(resolved);
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
    evaluate: resolved.evaluate?.every,
    init: init === undefined ? undefined : resolve(resolved.definition.base, init),
    data: { source, stages, dropLast },
  } as TrainDefinition;
}
