import { join } from 'node:path';
import { awake } from '../../awake-clock.ts';
import { balanceText } from '../../balance/bottleneck.ts';
import type { Decision } from '../../balance/tuner.ts';
import { counted } from '../../counts.ts';
import { fail, messageOf } from '../../errors.ts';
import { prepareThreads } from '../../library-threads.ts';
import { machine } from '../../machine.ts';
import type { ResolvedTrain } from '../../pipeline/resolve/outputs.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { OpenSource } from '../../sources/source.ts';
import type { Failure } from '../../streams/failures.ts';
import type { StageStats } from '../../streams/meter.ts';
import { Ring } from '../../streams/ring.ts';
import { type CellLayout, cellLayout } from '../../train/cells.ts';
import type { TrainDefinition } from '../../train/definition.ts';
import type { LoopEnd } from '../../train/loop.ts';
import type { Measures } from '../../train/metrics.ts';
import { checkpointFolder } from '../../train/weights/checkpoint.ts';
import { pruneCheckpoints } from '../../train/weights/checkpoint-names.ts';
import { startTrainer, type Trainer } from '../../train/worker/trainer.ts';
import { cancelled } from '../cancelled.ts';
import type { RunContext } from '../context.ts';
import type { RunSummary } from '../events.ts';
import type { MachineEvent } from '../inspect-run.ts';
import type { Threads } from '../loader/engine.ts';
import { type Opened, openLoader, openSource } from '../loader/open.ts';
import { rendering } from '../loader/rendering.ts';
import { lossLines, ProgressTicker, totals } from '../progress.ts';
import { checkTrained, type Sum, sayPassedOver, sumOfTraining, trainingSumLines } from '../sum.ts';
import { probeHeldOut } from './evaluation.ts';
import { EvaluationHistory } from './evaluation-history.ts';
import { type Fed, feedTrainer } from './feed-trainer.ts';
import { heldOutLines } from './held-out.ts';
import { type MicroBatchRange, microBatchRange, ringCells } from './micro-batch-range.ts';
import { ownModel, trainDefinition } from './train-definition.ts';
import { trainingDevice } from './training-device.ts';
import { checkTrainingMemory } from './training-memory.ts';
import { Tuning } from './tuning.ts';
import { writeReport } from './write-report.ts';

/** Steps over which the line of progress says who waits for whom. */
const recentSteps = 32;
/** Milliseconds between two entries of what the stages have done, for those who look at a run that goes on or was killed. */
const statsEveryMs = 30_000;

/**
 * A training: the loader fills cells in this thread, the trainer empties them in its own, a list of cells for each micro-batch. When the
 * trainer is slower the ring fills, permits run out and the source stops; when the loader is slower the trainer waits for lists.
 */
export async function runTraining(resolved: Resolved, context: RunContext): Promise<RunSummary> {
  const { folder, signal, onEvent } = context;
  const began = awake.now();
  const line = (text: string) => onEvent({ type: 'line', text });
  const onFailure = (failure: Failure) => {
    folder.quarantine(failure);
    onEvent({ type: 'failure', stage: failure.stage, key: failure.key, error: messageOf(failure.error) });
  };
  let source: OpenSource | undefined;
  let opened: Opened | undefined;
  let how = 'failed';
  let sum: Sum | undefined;
  try {
    // Said before hours of training, not after.
    const heldOut = await probeHeldOut(resolved, { signal });
    source = await openSource(resolved, { signal, onLine: line, writes: true });
    const plan = planOf(resolved, source);
    const { count } = plan;
    const history = await EvaluationHistory.open(resolved, {
      folder: folder.path,
      count,
      fresh: context.fresh,
      signal,
      line,
      onFailure,
    });
    await history.start();
    // Without the run's signal: a step that is under way when it comes still needs its samples.
    const reading = { source, shuffle: true, epochs: plan.epochs, onFailure };
    // From where the trainer stands, which only it can tell.
    const openAt: OpenAt = async (start, threads) => {
      sayPassedOver(reading.source, context);
      for (const { places, rows } of heldOut) sayPassedOver({ passedOver: rows }, context, places);
      opened = await openLoader(resolved, { ...reading, start, threads });
      return opened;
    };
    const trained = await trainOn(openAt, plan, resolved, { ...context, history });
    const { end, ready, loader } = trained;
    if (signal.aborted) throw cancelled(signal);
    checkSteps(trained, plan.train);
    sum = sumOfTraining(loader.permits, source);
    checkTrained(sum, (end.step - ready.step) * plan.train.batch);
    const seconds = (awake.now() - began) / 1000;
    const { stats, costs } = trained;
    const told = await writeReport(resolved, {
      folder: folder.path,
      seconds,
      ready,
      end,
      history,
      stats,
      costs,
    });
    if (signal.aborted) throw cancelled(signal);
    // Those that were kept to be measured.
    await pruneCheckpoints(checkpointFolder(folder.path), { keep: plan.train.checkpoint.keep });
    how = 'completed';
    const lost = lossLines(loader.stats(), join(folder.path, 'quarantine.jsonl'));
    const lines = [...stepLines(trained, plan.train), ...lost, ...told.lines];
    lines.push(...heldOutLines(history.sums), ...trainingSumLines(sum, source));
    return { lines, files: told.files, done: end.step, sum, seconds, ...totals(loader.stats()) };
  } catch (error) {
    if (signal.aborted) how = 'cancelled';
    throw error;
  } finally {
    folder.ended(how, opened?.loader.stats() ?? [], sum);
    await (opened?.close() ?? source?.close?.());
  }
}

/** What is fixed before the first sample is read. */
interface Plan {
  readonly train: ResolvedTrain;
  readonly layout: CellLayout;
  readonly micro: MicroBatchRange;
  readonly ring: Ring;
  readonly count: number;
  readonly classNames: readonly string[] | undefined;
  /** Passes that the loader may need at most; the trainer ends it where steps are counted. */
  readonly epochs: number;
  readonly length: TrainDefinition['length'];
  readonly total: number;
}

function planOf(resolved: Resolved, { count, classNames }: OpenSource): Plan {
  const train = resolved.train!;
  const classes = train.model.definition.classes?.(train.model.options);
  if (classes !== undefined && classNames !== undefined && classNames.length > classes)
    throw fail('LABEL_CLASSES', { classes, found: classNames.length });
  checkLength(train, count);
  const { spec } = resolved;
  const layout = cellLayout({ name: train.model.name, fields: train.model.definition.fields }, spec);
  checkTrainingMemory(train, { spec, cellBytes: layout.cellBytes });
  const micro = microBatchRange(train, resolved, layout, undefined, trainingDevice(train));
  const ring = new Ring(ringCells(micro, resolved), layout.cellBytes);
  const fixed = { train, layout, micro, ring, count, classNames };
  if (train.steps !== undefined) {
    const { steps } = train;
    return { ...fixed, epochs: Number.POSITIVE_INFINITY, length: { steps }, total: steps };
  }
  const epochs = train.epochs!;
  return { ...fixed, epochs, length: { epochs }, total: stepsIn(epochs, count, train) };
}

interface Trained extends Pick<Opened, 'loader' | 'finish'>, Fed {
  readonly end: LoopEnd;
  readonly ready: Trainer['ready'];
  /** What the stages had done when the last step ended. */
  readonly stats: readonly StageStats[];
  /** Milliseconds per step by micro-batch, as far as they were timed. */
  readonly costs: Readonly<Record<number, number>>;
}

/** Opens the loader at a position, with threads that may change. */
type OpenAt = (start: number, threads: Threads) => Promise<Opened>;

/** Starts the trainer, feeds it until it is done, and ends it whatever happens on either side. */
async function trainOn(
  openAt: OpenAt,
  plan: Plan,
  resolved: Resolved,
  context: RunContext & { readonly history: EvaluationHistory },
): Promise<Trained> {
  const { folder, signal, onEvent, fresh, history } = context;
  const { train, micro, ring, layout, length, count, classNames, total } = plan;
  const line = (text: string) => onEvent({ type: 'line', text });
  let last: Measures | undefined;
  const recent: Measures[] = [];
  let tuning: Tuning | undefined;
  let opened: Opened | undefined;
  const model = await ownModel(resolved);
  if (model !== undefined && train.thread === 'worker')
    line('A model that was made in this program trains in its thread.');
  if (train.thread === 'worker') prepareThreads();
  // It stays until it is read.
  const saved = async (path: string) => {
    await history.saved(path);
    trainer.measured(path);
  };
  const trainer: Trainer = await startTrainer({
    ...(model && { model }),
    definition: trainDefinition(resolved, { length, count, classNames, folder: folder.path, fresh }),
    memory: ring.memory,
    layout,
    thread: train.thread,
    onFreed: (list) => ring.free(list),
    onStep: (measures) => {
      last = measures;
      recent.push(measures);
      if (recent.length > recentSteps) recent.shift();
      tuning?.step(measures);
    },
    onSaved: (path) => saved(path),
    onNote: line,
  });
  const { ready } = trainer;
  line(`Training ${counted(ready.parameters, 'parameter')} with ${ready.why}`);
  const { resumed, passedOver = [] } = ready;
  try {
    await folder.begin({ resumed: resumed !== undefined });
    if (passedOver.length > 0) folder.tell('checkpoint', { taken: resumed ?? null, broken: passedOver });
    await history.goOn(ready);
  } catch (error) {
    await endOf(trainer);
    throw error;
  }
  if (resumed !== undefined) {
    line(`Going on after step ${ready.step}, from ${resumed}.`);
    void saved(resumed);
  }

  const onCores = ready.device === 'cpu';
  const { cores, memory, whole, bound } = machine();
  const limits = whole === undefined ? {} : { whole, bound };
  folder.tell('machine', { cores, memory, ...limits, onCores, cells: ring.cells } satisfies MachineEvent);
  const decided = (decision: Decision) => folder.tell('balance', { ...decision });
  const tuned = new Tuning(resolved, { ready, microBatch: micro, cells: ring.cells, line, decided });
  tuning = tuned;
  const stop = () => trainer.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const look = () => ({
    done: last === undefined ? ready.step : last.step + 1,
    total,
    stats: opened?.loader.stats() ?? [],
    balance: balanceText(recent, train.batch),
    ...(last && { values: { loss: last.loss, lr: last.lr } }),
  });
  // Before evaluations and at the end: later, the loader stands still while its time goes on.
  const tellStats = () => folder.tell('stats', { stats: opened?.loader.stats() ?? [] });
  const telling = setInterval(tellStats, statsEveryMs);
  const ticker = new ProgressTicker(onEvent, look, { perDone: train.batch, before: ready.step });
  try {
    opened = await openAt(ready.position, tuned.threads);
    const fed = await feedTrainer(opened.loader, trainer, {
      ring,
      batch: train.batch,
      microBatch: () => tuned.microBatch,
      dropLast: train.dropLast,
      stepped: Math.floor((ready.position - 1) / count),
      rendering: rendering(opened.loader, layout),
      idle: () => tuned.undisturbed(history.idle()),
    });
    const end = await trainer.done;
    return { ...opened, ...fed, end, ready, stats: opened.loader.stats(), costs: tuned.costs };
  } catch (error) {
    // Whichever side fails first ends the other; what the trainer says after that is not the cause.
    await endOf(trainer);
    throw error;
  } finally {
    ticker.stop();
    clearInterval(telling);
    tellStats();
    tuned.end();
    signal.removeEventListener('abort', stop);
  }
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

/** What could never have a step is refused before a trainer is made. @throws TRAIN_TOO_FEW */
function checkLength(train: ResolvedTrain, count: number): void {
  const { batch, dropLast, epochs } = train;
  const tooFew = (found: number | string) => fail('TRAIN_TOO_FEW', { batch, found });
  if (count === 0) throw tooFew('an empty source');
  if (dropLast && count < batch) throw tooFew(`${count} in an epoch, which \`dropLast\` ends at its last full batch`);
  if (epochs !== undefined && stepsIn(epochs, count, train) === 0) throw tooFew(Math.floor(epochs * count));
}

function stepsIn(epochs: number, count: number, { batch, dropLast }: ResolvedTrain): number {
  if (!dropLast) return Math.floor(Math.floor(epochs * count) / batch);
  const whole = Math.floor(epochs);
  return whole * Math.floor(count / batch) + Math.floor(Math.floor((epochs - whole) * count) / batch);
}
