import { awake } from '../awake-clock.ts';
import { computesLater } from '../backends/moments.ts';
import { fail } from '../errors.ts';
import type { HostBatch } from '../models/model.ts';
import { epochAt } from './epoch.ts';
import { digestKeys, type Measures } from './metrics.ts';
import { chanceOf } from './random-source.ts';
import type { Schedule } from './schedule.ts';
import { type Learner, Step } from './step.ts';

/** What one forward and backward pass takes. */
export interface MicroBatch {
  /** The samples' values; they are not read after `release`, nor after the next call of `next`, so that a producer may use its memory again. */
  readonly fields: HostBatch;
  /** Called once the values have been copied to the backend: memory that was lent for them may be used again. */
  readonly release?: () => void;
  /** Sample keys, in order. */
  readonly keys: readonly string[];
  /** The samples' places in the run's order. */
  readonly positions: readonly number[];
  /** Which micro-batch of its step, from 0. A 0 begins a step; what an unfinished step had gathered is thrown away. */
  readonly batchIndex: number;
  /** Milliseconds in which the loader had no permit or cell for it. */
  readonly permitWaitMs?: number;
  /** Rendered samples that lay ready when it was sent, as a share of the ring. */
  readonly ringFill?: number;
}

/** Where a run stands. */
export interface Progress {
  /** Finished steps. */
  readonly step: number;
  /** The position after the last sample of the last finished step. */
  readonly position: number;
}

export interface LoopOptions extends Learner {
  /** The next micro-batch, or undefined when there is none. `midStep`: a step is under way and would be lost without it. */
  next(midStep: boolean): Promise<MicroBatch | undefined>;
  readonly schedule: Schedule;
  /** Samples per step. */
  readonly batch: number;
  /** The run ends after this many steps, those before `from` included. Infinity: when the data ends. */
  readonly steps: number;
  /** Samples per epoch, for the fractional epoch; undefined for an endless source, whose epoch is always 0. */
  readonly count?: number | undefined;
  /** Each epoch ends at its last full batch. */
  readonly dropLast?: boolean | undefined;
  /** The seed of the steps' chance; 0 by default. */
  readonly seed?: number;
  /** Where the run goes on; the beginning by default. */
  readonly from?: Progress;
  /** What to do when loss or gradient is not a number: end the run with an error, or leave the step's update out and say so. */
  readonly onNotANumber: 'stop' | 'skip';
  /** Hears of every finished step, before a checkpoint may be saved. */
  onStep?(measures: Measures): void | Promise<void>;
  /** Hears what the user should know of how the steps are computed. */
  note?(text: string): void;
  /** Saves a checkpoint. Called when `due` says so and once at the end. */
  save?(at: Progress): Promise<void>;
  /** True when a checkpoint is due after this step. `epoch` is where the step ends. */
  due?(at: Progress, epoch: number): boolean;
  /** Asked between steps: true ends the run there, as if the data had ended. */
  stopping?(): boolean;
}

/** So many steps one after the other whose loss is not a number are no bad batches any more: the weights are lost. */
const mostSkipped = 100;

/** How a run ended: after its steps, because the data ended, or because it was asked to stop. */
export interface LoopEnd extends Progress {
  readonly ended: 'steps' | 'data' | 'stopped';
  /** Steps of this run whose update was left out because loss or gradient was not a number. */
  readonly skipped: number;
}

/**
 * Trains: next micro-batch, forward, loss, gradients, accumulate; when the batch is full: measure, step, tell, save. A last batch that
 * stays short is thrown away. Between steps no tensor is kept but parameters, optimizer state, the model's constants, and the sums of
 * gradients where they are added up in place; at the end these go too.
 * @throws LOSS_NOT_A_NUMBER, LOSS_LOST, MICRO_BATCH_SIZE, and whatever `next`, `save` and `onStep` throw.
 */
export async function train(options: LoopOptions): Promise<LoopEnd> {
  const { batch, steps, schedule, count, seed = 0, next } = options;
  const { onStep = () => {}, save = async () => {}, due = () => false, stopping = () => false } = options;
  const gradient = new Step(options, { note: (text) => options.note?.(text) });
  let at: Progress = options.from ?? { step: 0, position: 0 };
  let saved = at.step;
  let [skipped, inRow] = [0, 0];
  let gathered = nothing();
  let ended: LoopEnd['ended'] = 'steps';
  const later = computesLater();
  let clock = awake.now();
  let cpu = process.cpuUsage();

  try {
    while (at.step < steps) {
      if (gathered.keys.length === 0 && stopping()) {
        ended = 'stopped';
        break;
      }
      const asked = awake.now();
      const micro = await next(gathered.keys.length > 0);
      if (micro === undefined) {
        ended = stopping() ? 'stopped' : 'data';
        break;
      }
      if (micro.batchIndex === 0) {
        gradient.clear();
        gathered = nothing();
      }
      const waitedMs = awake.now() - asked;
      gathered.permitWaitMs += micro.permitWaitMs ?? 0;
      gathered.ringFill += ((micro.ringFill ?? 0) * micro.keys.length) / batch;
      gathered.microBatch = Math.max(gathered.microBatch, micro.keys.length);
      gathered.keys.push(...micro.keys);
      gathered.positions.push(...micro.positions);
      if (gathered.keys.length > batch)
        throw fail('MICRO_BATCH_SIZE', { batch, got: gathered.keys.length, step: at.step });

      gradient.add(micro.fields, micro.release, chanceOf(micro, { seed, step: at.step, count }), waitedMs);
      if (gathered.keys.length < batch) continue;

      const updating = awake.now();
      const measured = await gradient.measure();
      // Before the passes are cleared, which forgets them.
      const { waitMs, uploadMs, passMs } = gradient.times();
      const epoch = epochAt(gathered.positions[0]!, options);
      const lr = schedule({ step: at.step, epoch });
      const { loss, gradNorm, paramNorm, finite } = measured;
      if (finite) gradient.update(lr);
      else if (options.onNotANumber === 'stop') throw notANumber(at.step, loss, gradNorm, gathered.keys);
      gradient.clear();

      skipped += finite ? 0 : 1;
      inRow = finite ? 0 : inRow + 1;
      if (inRow === mostSkipped) throw fail('LOSS_LOST', { most: mostSkipped, step: at.step });
      const { permitWaitMs, microBatch, ringFill } = gathered;
      const { refused } = gradient;
      const now = awake.now();
      const used = process.cpuUsage(cpu);
      const stepMs = Math.max(1e-3, now - clock);
      await onStep({
        step: at.step,
        epoch,
        loss,
        gradNorm,
        paramNorm,
        lr,
        imagesPerSecond: (1000 * batch) / stepMs,
        dataWaitMs: thousandths(waitMs),
        permitWaitMs: thousandths(permitWaitMs),
        microBatch,
        uploadMs: thousandths(uploadMs),
        passMs: thousandths(passMs),
        // A device computes the passes while the host waits for their norms: what is left of the step is the update's.
        updateMs: thousandths(later ? Math.max(0, stepMs - waitMs - uploadMs - passMs) : now - updating),
        ringFill: thousandths(ringFill),
        cores: thousandths((used.user + used.system) / 1000 / stepMs),
        ...(refused !== undefined && { refused }),
        keys: digestKeys(gathered.keys),
        ...skippedIf(!finite),
      });
      at = { step: at.step + 1, position: gathered.positions.at(-1)! + 1 };
      gathered = nothing();
      if (due(at, epochAt(at.position, options))) {
        await save(at);
        saved = at.step;
      }
      clock = awake.now();
      cpu = process.cpuUsage();
    }
    if (at.step > saved) await save(at);
    return { ...at, ended, skipped };
  } finally {
    gradient.dispose();
  }
}

/** What a step has gathered before its first micro-batch. */
function nothing() {
  const [keys, positions]: [string[], number[]] = [[], []];
  return { keys, positions, microBatch: 0, permitWaitMs: 0, ringFill: 0 };
}

function skippedIf(skipped: boolean): { readonly skipped?: true } {
  return skipped ? { skipped } : {};
}

/** Rounded, for a row that people read. */
function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function notANumber(step: number, loss: number, gradNorm: number, keys: readonly string[]) {
  const shown = keys.length > 8 ? `${keys.slice(0, 8).join(', ')} and ${keys.length - 8} more` : keys.join(', ');
  return fail('LOSS_NOT_A_NUMBER', { step, loss, gradNorm, keys: shown });
}
