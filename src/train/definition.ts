import type { Precision } from '../backends/torch/precision.ts';
import type { NamedModel } from '../models/index.ts';
import type { AverageOptions } from './ema.ts';
import { type OptimizerOptions, ratesOf } from './optimizers/options.ts';
import { type Length, type Schedule, type ScheduleOptions, schedule } from './schedule.ts';
import type { TrainedOn } from './weights/trained-on.ts';

/** A model by its name and options, and what the chain before it makes: enough to build it in any thread. */
export interface ModelPlan extends NamedModel {
  /** The options as files have them, where values of the environment are among them. */
  readonly shown?: unknown;
}

type Optional<T> = T | undefined;

/** The resolved train section as JSON: everything that the trainer's thread needs to know. */
export interface TrainDefinition {
  readonly model: ModelPlan;
  /** Samples per step. */
  readonly batch: number;
  /** The run's length: steps, or epochs (then the loader ends the data, and the schedule counts epochs). */
  readonly length: Length;
  /** Samples per epoch; left out for an endless source. */
  readonly count?: Optional<number>;
  /** Each epoch ends at its last full batch. */
  readonly dropLast?: Optional<boolean>;
  readonly seed: number;
  readonly optimizer: OptimizerOptions;
  /** The greatest norm of the whole gradient; none by default. */
  readonly clip?: Optional<{ readonly norm: number }>;
  /** A running average of the weights beside them; none by default. */
  readonly ema?: Optional<AverageOptions>;
  readonly schedule: {
    readonly cosine?: Optional<Warmup & { readonly minLr: number }>;
    readonly constant?: Optional<Warmup>;
  };
  readonly onNotANumber: 'stop' | 'skip';
  readonly checkpoint: {
    readonly everySteps?: Optional<number>;
    readonly everyEpochs?: Optional<number>;
    readonly keep: number;
  };
  /** Checkpoints are also written where the training is to be evaluated: exactly one of the two. */
  readonly evaluate?: Optional<{
    readonly steps?: Optional<number>;
    readonly epochs?: Optional<number>;
  }>;
  /** What is measured may end the training: it waits at each checkpoint until that was measured, where that is due. */
  readonly judged?: Optional<boolean>;
  readonly backend: 'auto' | 'tensorflow' | 'torch' | 'wasm';
  /** auto, cpu, mps, cuda or cuda:<number>. */
  readonly device: string;
  /** Floating-point operations of one sample in a training step, where the model says what it costs. */
  readonly flopPerSample?: Optional<number>;
  /** Default float32. */
  readonly precision?: Optional<Precision>;
  /** The run's folder: `metrics.jsonl` and `checkpoints/` are written there. */
  readonly folder: string;
  /** Checkpoints of this folder are deleted and training begins anew. */
  readonly fresh?: boolean;
  /** A checkpoint's folder or a .safetensors file to take the first weights from. */
  readonly init?: Optional<string>;
  /** What else decides the weights: the resolved source and stages, `dropLast`. A checkpoint made with another is refused. */
  readonly data?: unknown;
  /** All that decides the weights, in the words of the pipeline file and without secrets, for those who compare two. Default: `decisive`. */
  readonly decides?: unknown;
  /** The names of the classes by their ranks, of a model that is trained on labels. A checkpoint that was trained on others is refused. */
  readonly classNames?: Optional<readonly string[]>;
  /** What a checkpoint says of its use, for those who predict with it. */
  readonly trained?: Optional<TrainedOn>;
  /** Bytes that the loader may take beside the trainer, where they are known. */
  readonly loadingBytes?: Optional<number>;
}

interface Warmup {
  readonly warmupSteps?: Optional<number>;
  readonly warmupEpochs?: Optional<number>;
}

/** Steps between checkpoints where the definition names none: a killed quickstart loses seconds, a large model writes rarely. */
const everyStepsByDefault = 100;

/**
 * The learning rate of every step.
 * @throws SCHEDULE_RATE
 */
export function scheduleOf(definition: TrainDefinition): Schedule {
  const { lr, baseLr } = ratesOf(definition.optimizer);
  const { cosine, constant } = definition.schedule;
  const named = cosine ?? constant ?? {};
  const options: ScheduleOptions = {
    shape: cosine === undefined && constant !== undefined ? 'constant' : 'cosine',
    ...(lr === undefined ? {} : { lr }),
    ...(baseLr === undefined ? {} : { baseLr }),
    ...(cosine === undefined ? {} : { minLr: cosine.minLr }),
    ...warmup(named),
  };
  return schedule(options, { batch: definition.batch, length: definition.length });
}

function warmup({ warmupSteps, warmupEpochs }: Warmup): { readonly warmup?: Length } {
  if (warmupSteps !== undefined) return { warmup: { steps: warmupSteps } };
  if (warmupEpochs !== undefined) return { warmup: { epochs: warmupEpochs } };
  return {};
}

/** Steps after which the trainer ends by itself; Infinity when the data ends the run. */
export function stepsOf({ length }: Pick<TrainDefinition, 'length'>): number {
  return 'steps' in length ? length.steps : Number.POSITIVE_INFINITY;
}

/** Whether a checkpoint is due after a step; the returned function is asked once per step, in order. */
export function checkpointRule({ checkpoint }: Pick<TrainDefinition, 'checkpoint'>, fromEpoch: number) {
  const { everySteps, everyEpochs } = checkpoint;
  let passed = everyEpochs === undefined ? 0 : Math.floor(fromEpoch / everyEpochs);
  return ({ step }: { step: number }, epoch: number): boolean => {
    if (everyEpochs === undefined) return step % (everySteps ?? everyStepsByDefault) === 0;
    const periods = Math.floor(epoch / everyEpochs);
    const due = periods > passed;
    passed = periods;
    return due;
  };
}

/** Whether a checkpoint is due after a step, for its own sake or to be evaluated. Asked as `checkpointRule`. */
export function saveRule(definition: Pick<TrainDefinition, 'checkpoint' | 'evaluate'>, fromEpoch: number) {
  const own = checkpointRule(definition, fromEpoch);
  const { evaluate } = definition;
  if (evaluate === undefined) return own;
  const every = { everySteps: evaluate.steps, everyEpochs: evaluate.epochs, keep: 1 };
  const measured = checkpointRule({ checkpoint: every }, fromEpoch);
  return (at: { step: number }, epoch: number): boolean => {
    // Both count the periods that they are asked of.
    const due = [own(at, epoch), measured(at, epoch)];
    return due.includes(true);
  };
}

/** The part of a definition that decides the weights, for the checkpoint's digest: not the backend, nor where and how often is saved, nor what happens to a loss
 * that is not a number. */
export function decisive(definition: TrainDefinition) {
  const { model, batch, length, count, seed, optimizer, clip, ema, schedule, init, data } = definition;
  return { model, batch, length, count, seed, optimizer, clip, ema, schedule, init, data };
}
