import { basename, join } from 'node:path';
import { awake } from '../../awake-clock.ts';
import { counted } from '../../counts.ts';
import { fail } from '../../errors.ts';
import type { RunSummary, StartedTraining, Sum } from '../../events/events.ts';
import { notice } from '../../events/notices.ts';
import { countOf } from '../../files/passed-over.ts';
import { prepareThreads } from '../../library-threads.ts';
import { machine } from '../../machine.ts';
import { closeBehind, type Ended } from '../../own-code.ts';
import type { ResolvedTrain } from '../../pipeline/resolve/outputs.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { OpenSource } from '../../sources/source.ts';
import type { Failure } from '../../streams/failures.ts';
import type { LoopEnd } from '../../train/loop.ts';
import { checkpointFolder } from '../../train/weights/checkpoint.ts';
import { pruneCheckpoints } from '../../train/weights/checkpoint-names.ts';
import { startTrainer, type Trainer } from '../../train/worker/trainer.ts';
import { cancelled } from '../cancelled.ts';
import type { RunContext } from '../context.ts';
import { failureOf, startedOf } from '../events/make-events.ts';
import type { Threads } from '../loader/engine.ts';
import { loadingBytes } from '../loader/loading-memory.ts';
import { closeSource, type Opened, openLoader, openSource } from '../loader/open.ts';
import { readingNow } from '../loader/reading.ts';
import { rendering } from '../loader/rendering.ts';
import { filesOfSource } from '../loader/source-files.ts';
import { lossLines, totals } from '../progress.ts';
import { checkTrained, sayPassedOver, sumOfTraining, trainingSumLines } from '../sum.ts';
import { probeHeldOut } from './evaluation.ts';
import { EvaluationHistory } from './evaluation-history.ts';
import { bestText, earlyText } from './evaluation-text.ts';
import { type Fed, feedTrainer } from './feed-trainer.ts';
import { heldOutLines } from './held-out.ts';
import { ownModel, trainDefinition } from './train-definition.ts';
import { classNotices, planOf, type TrainingPlan } from './training-plan.ts';
import { TrainingProgress } from './training-progress.ts';
import { Tuning } from './tuning.ts';
import { TrainingReport } from './write-report.ts';

/**
 * A training: the loader fills cells in this thread, the trainer empties them in its own, a list of cells for each micro-batch. When the
 * trainer is slower the ring fills, permits run out and the source stops; when the loader is slower the trainer waits for lists. Who looks on
 * (progress, the tuner, evaluations, the report) listens to the run's events.
 */
export async function runTraining(resolved: Resolved, context: RunContext): Promise<RunSummary> {
  const { folder, signal, events } = context;
  const began = awake.now();
  const onFailure = (failure: Failure) => events.emit(failureOf(failure));
  let source: OpenSource | undefined;
  let opened: Opened | undefined;
  let ended: Ended | undefined;
  let sum: Sum | undefined;
  try {
    // Said before hours of training, not after.
    const heldOut = await probeHeldOut(resolved, { signal });
    const onLine = (text: string) => events.notice(notice('SOURCE', { text }));
    source = await openSource(resolved, { signal, onLine, writes: true });
    const plan = planOf(resolved, source);
    const history = await historyOf(resolved, plan, context, onFailure);
    const report = new TrainingReport(resolved, { folder: folder.path, events, history });
    await history.start();
    // Without the run's signal: a step that is under way when it comes still needs its samples.
    const reading = { source, shuffle: true, epochs: plan.epochs, onFailure };
    // From where the trainer stands, which only it can tell.
    const openAt: OpenAt = async (start, threads) => {
      const files = await filesOfSource(reading.source, resolved.source!, resolved.definition.base);
      const what = await folder.source.change(files, { resumed: start > 0 });
      if (what !== undefined) events.notice(notice('SOURCE_CHANGED', { what }));
      sayPassedOver(reading.source, events);
      for (const one of classNotices(plan, reading.source)) events.notice(one);
      for (const { places, rows } of heldOut) sayPassedOver({ passedOver: rows }, events, places);
      opened = await openLoader(resolved, { ...reading, start, threads });
      return opened;
    };
    const loading = await loadingBytes(source, resolved.capacity, signal);
    const trained = await trainOn(openAt, { ...plan, loading }, resolved, { ...context, history });
    const { end, ready, loader } = trained;
    if (signal.aborted) throw cancelled(signal);
    checkSteps(trained, plan.train);
    sum = sumOfTraining(loader.permits, source);
    checkTrained(sum, (end.step - ready.step) * plan.train.batch);
    const early = stoppedEarly(end, plan, history);
    if (early !== undefined) events.notice(notice('STOPPED_EARLY', early));
    const seconds = (awake.now() - began) / 1000;
    const written = await report.write({ seconds, end, ...(early && { early: earlyText(early) }) });
    if (signal.aborted) throw cancelled(signal);
    // Those that were kept to be measured.
    const { best } = history;
    const held = new Set(best && [basename(best.path)]);
    await pruneCheckpoints(checkpointFolder(folder.path), { keep: plan.train.checkpoint.keep, held });
    const lost = lossLines(loader.stats(), join(folder.path, 'quarantine.jsonl'));
    const lines = [...stepLines(trained, plan.train), ...lost, ...written.lines];
    if (best !== undefined) lines.push(`best checkpoint: ${bestText(best)}: ${best.path}`);
    lines.push(...heldOutLines(history.sums), ...trainingSumLines(sum, source));
    return {
      ...{ lines, files: written.files, done: end.step, sum, seconds, ...totals(loader.stats()) },
      ...(best && { best }),
      ...(early && { stoppedEarly: true }),
    };
  } catch (error) {
    ended = { error };
    throw error;
  } finally {
    context.account = { stats: opened?.loader.stats() ?? [], ...(sum && { sum }) };
    await closeBehind(ended, () => opened?.close() ?? closeSource(source, resolved.source!.name));
  }
}

/** Where what was measured has ended the training before its length. */
function stoppedEarly({ ended, step }: LoopEnd, { total }: TrainingPlan, history: EvaluationHistory) {
  const { stop } = history;
  return stop !== undefined && ended === 'stopped' ? { ...stop, steps: step, total } : undefined;
}

function historyOf(
  resolved: Resolved,
  { count }: TrainingPlan,
  { folder, events, fresh, signal }: RunContext,
  onFailure: (failure: Failure) => void,
): Promise<EvaluationHistory> {
  const line = (text: string) => events.noticeOnce(notice('EVALUATION', { text }));
  return EvaluationHistory.open(resolved, { folder: folder.path, count, fresh, signal, line, events, onFailure });
}

interface Trained extends Pick<Opened, 'loader' | 'finish'>, Fed {
  readonly end: LoopEnd;
  readonly ready: Trainer['ready'];
}

/** Opens the loader at a position, with threads that may change. */
type OpenAt = (start: number, threads: Threads) => Promise<Opened>;

/** Starts the trainer, feeds it until it is done, and ends it whatever happens on either side. */
async function trainOn(
  openAt: OpenAt,
  plan: TrainingPlan,
  resolved: Resolved,
  context: RunContext & { readonly history: EvaluationHistory },
): Promise<Trained> {
  const { folder, signal, events, history } = context;
  const { train, micro, ring, layout, count } = plan;
  const trainer = await trainerOf(plan, resolved, context);
  const { ready } = trainer;
  const training = startedTraining(ready, plan);
  // A checkpoint stays until it was read, and one that is the best until there is a better one.
  const measured = async (path: string) => {
    await history.saved(path);
    keepBest();
    if (history.stop !== undefined) trainer.stop();
    trainer.measured(path);
  };
  const keepBest = () => {
    const { best } = history;
    if (best !== undefined) trainer.keepBest(basename(best.path));
  };
  events.on('checkpoint', ({ path }) => measured(path));
  try {
    await folder.begin({ resumed: ready.resumed !== undefined });
    events.emit(startedOf(resolved, folder, { training }));
    await history.goOn(ready);
    keepBest();
  } catch (error) {
    await endOf(trainer);
    throw error;
  }
  if (ready.resumed !== undefined) {
    const known = measured(ready.resumed);
    // Another step may not be made before it is known whether there is to be one.
    if (train.stop !== undefined) await known;
  }

  const tuning = new Tuning(resolved, { ready, microBatch: micro, cells: ring.cells, events });
  let opened: Opened | undefined;
  const progress = new TrainingProgress(events, {
    training,
    facts: {
      cores: machine().cores,
      onLoaderThread: train.thread === 'main',
      tunes: train.microBatch === 'auto',
      tunesThreads: resolved.capacity.mostThreads !== undefined,
    },
    stats: () => opened?.loader.stats() ?? [],
    permits: () => opened?.loader.permits.capacity ?? resolved.capacity.permits,
    reading: () => opened && readingNow(opened.loader.ahead, opened.source, resolved.definition),
    samples: () => opened && { ...opened.loader.permits.ended, passedOver: countOf(opened.source.passedOver ?? []) },
    costs: () => tuning.costs,
  });
  const stop = () => trainer.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    opened = await openAt(ready.position, tuning.threads);
    const fed = await feedTrainer(opened.loader, trainer, {
      ring,
      batch: train.batch,
      microBatch: () => tuning.microBatch,
      dropLast: train.dropLast,
      stepped: Math.floor((ready.position - 1) / count),
      rendering: rendering(opened.loader, layout),
      idle: () => tuning.undisturbed(history.idle()),
    });
    return { ...opened, ...fed, end: await trainer.done, ready };
  } catch (error) {
    // Whichever side fails first ends the other; what the trainer says after that is not the cause.
    await endOf(trainer);
    throw error;
  } finally {
    progress.stop();
    tuning.end();
    signal.removeEventListener('abort', stop);
  }
}

/** Starts the trainer, whose steps, checkpoints and notes become events. */
async function trainerOf(
  { train, ring, layout, length, count, classNames, loading }: TrainingPlan,
  resolved: Resolved,
  { folder, events, fresh }: RunContext,
): Promise<Trainer> {
  const model = await ownModel(resolved);
  if (model !== undefined && train.thread === 'worker') events.notice(notice('MODEL_THREAD', {}));
  const loaded = train.thread === 'worker' ? prepareThreads() : () => {};
  return startTrainer({
    ...(model && { model }),
    definition: trainDefinition(resolved, {
      ...{ length, count, classNames, fresh },
      folder: folder.path,
      loadingBytes: loading,
    }),
    memory: ring.memory,
    layout,
    thread: train.thread,
    onFreed: (list) => ring.free(list),
    onStep: (measures) => events.emit({ type: 'step', ...measures }),
    onSaved: (path, step) => events.emit({ type: 'checkpoint', step, path }),
    onNote: (text) => events.noticeOnce(notice('TRAINER', { text })),
  }).finally(loaded);
}

function startedTraining(ready: Trainer['ready'], { train, total, ring }: TrainingPlan): StartedTraining {
  const { step, parameters, backend, device, why, resumed, passedOver = [], compute } = ready;
  return {
    step,
    total,
    batch: train.batch,
    parameters,
    backend,
    device,
    why,
    onCores: device === 'cpu',
    cells: ring.cells,
    ...(compute && { compute }),
    ...(resumed !== undefined && { resumed }),
    ...(passedOver.length > 0 && { broken: passedOver }),
  };
}

async function endOf(trainer: Trainer): Promise<void> {
  trainer.stop();
  trainer.end();
  await Promise.allSettled([trainer.done]);
}

/** @throws TRAIN_TOO_FEW; what `finish` throws, where that is why. */
function checkSteps({ end, leftOver, tooFew, finish }: Trained, { batch }: ResolvedTrain): void {
  if (tooFew && end.ended === 'data') {
    const found =
      'fewer in each of two whole epochs, without those that failed or were dropped; `dropLast` ends each epoch at its last full batch';
    throw fail('TRAIN_TOO_FEW', { batch, found });
  }
  if (end.step > 0) return;
  finish();
  throw fail('TRAIN_TOO_FEW', { batch, found: leftOver });
}

function stepLines({ end, leftOver }: Trained, { batch }: ResolvedTrain): string[] {
  const lines = [`${counted(end.step, 'step')} of ${counted(batch, 'sample')}.`];
  if (end.skipped > 0)
    lines.push(`${counted(end.skipped, 'step was', 'steps were')} skipped, with a loss that was not a number.`);
  if (leftOver > 0) lines.push(`${counted(leftOver, 'sample')} at the end did not fill a step and went unused.`);
  return lines;
}
