import type { Explanation } from '../balance/bottleneck.ts';
import type { Reading } from '../balance/reading.ts';
import type { Decision } from '../balance/tuner.ts';
import type { PassedOverRow } from '../files/passed-over.ts';
import type { Machine } from '../machine.ts';
import type { PartShare } from '../sources/open-source.ts';
import type { StageStats } from '../streams/meter.ts';
import type { Compute } from '../train/flops.ts';
import type { Measures } from '../train/metrics.ts';
import type { Notice } from './notices.ts';

// What a run says, and the words of its notices. All that shows or keeps a run (the command line, events.jsonl, the report, trackers) listens to these events
// and to nothing else; sentences are made by those who show them. Imports types from the rooms whose measurements the events carry.

/**
 * One event of a run. What is said before `started` is of preparations: a long listing, an evaluation of the weights that a training begins with. All others
 * come as they happen, and `finished` is the last.
 */
export type RunEvent =
  | Started
  | Progress
  | StepDone
  | EvaluationDone
  | CheckpointSaved
  | TuningDecision
  | Bottleneck
  | SampleFailure
  | PassedOver
  | NoticeGiven
  | Finished;

/** The events of one type: `EventOf<'step'>`. */
export type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { readonly type: T }>;

/** The run has its folder, and begins to read samples. */
export interface Started {
  readonly type: 'started';
  readonly kind: 'job' | 'training';
  /** The pipeline's name. */
  readonly name: string;
  /** Of all that decides the results: equal for equal runs. */
  readonly digest: string;
  /** The run's own folder, absolute. */
  readonly folder: string;
  /** The pipeline with every default filled in, as in `pipeline.json`; values from the environment stand as `${NAME}`. */
  readonly pipeline: Readonly<Record<string, unknown>>;
  /** What the run may use of the machine. */
  readonly machine: Pick<Machine, 'cores' | 'memory' | 'whole' | 'bound'>;
  /** Samples that an earlier run of the same job has written, where this one resumes it. */
  readonly written?: number;
  readonly training?: StartedTraining;
}

export interface StartedTraining {
  /** Steps that are done already: 0, or those of the checkpoint that is resumed. */
  readonly step: number;
  /** Steps at the end. */
  readonly total: number;
  /** Samples per step. */
  readonly batch: number;
  /** Numbers that are trained. */
  readonly parameters: number;
  readonly backend: string;
  readonly device: string;
  /** Which backend was taken and why, in one sentence. */
  readonly why: string;
  /** The backend computes on the cores of this machine. */
  readonly onCores: boolean;
  /** Cells of the ring: rendered samples that may wait. */
  readonly cells: number;
  /** What a sample costs and what the device could do, as far as that is known. */
  readonly compute?: Compute;
  /** The folder of the checkpoint that is resumed. */
  readonly resumed?: string;
  /** Names of later checkpoints, which are broken. */
  readonly broken?: readonly string[];
}

/** A few times a second: how far the run has come. */
export interface Progress {
  readonly type: 'progress';
  /** Samples of the source (of a job) of which something was delivered, or steps (of a training) that are done. */
  readonly done: number;
  /** The same, with the samples that have failed and were dropped: so many of `total` are behind. Of a job. */
  readonly ended?: number;
  /** Records that a job has written, where stages make several of a sample, or none. */
  readonly records?: number;
  /** How many there will be; absent when the source is endless. */
  readonly total?: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft?: number;
  /** The stage in front of which most permits wait: the bottleneck. */
  readonly waiting?: { readonly stage: string; readonly permits: number };
  /** Which side of a training sets the pace by its last steps, and the share of the time in which the trainer works, 0 to 1. */
  readonly balance?: { readonly bottleneck: 'loader' | 'trainer'; readonly busy: number };
  /** Floating-point operations in a second, by the model's own count, and their share of what the device could do (MFU, 0 to 1), where these are known. */
  readonly flops?: number;
  readonly mfu?: number;
  /** How long reads take, how many are in flight, and whether samples wait for them; absent before enough have ended. */
  readonly reading?: Reading;
  /** Failures in all stages; a sample that became many may have several. */
  readonly failures: number;
  /** How the samples that this run has read have ended so far, and how many names the source has passed over. */
  readonly samples?: SampleCounts;
  /** Samples that stand in front of each stage now, by its name `index:id`. */
  readonly queues?: Readonly<Record<string, number>>;
  /** Further numbers: loss, learning rate. */
  readonly values?: Readonly<Record<string, number>>;
}

export interface SampleCounts {
  readonly delivered: number;
  readonly failed: number;
  readonly dropped: number;
  readonly passedOver: number;
}

/** A step of the optimizer is done, with all that it measured: a row of `metrics.jsonl`. */
export interface StepDone extends Measures {
  readonly type: 'step';
}

/** The model was measured: before the first step, after so many, or at the end. */
export interface EvaluationDone {
  readonly type: 'evaluation';
  /** Steps that were done. */
  readonly step: number;
  /** The same in passes over the source. */
  readonly epoch: number;
  /** True of the evaluation that ends the training, whose sentences are in the summary. */
  readonly last: boolean;
  /** The numbers by measure and name: `knn.top1`, `reconstruction.ours`. */
  readonly numbers: Readonly<Record<string, number>>;
  /** The same in sentences, as the measures write them. */
  readonly lines: readonly string[];
}

/** A checkpoint is on the disk. */
export interface CheckpointSaved {
  readonly type: 'checkpoint';
  /** Steps that are done in it. */
  readonly step: number;
  /** Its folder, absolute. */
  readonly path: string;
}

/** The tuner tries another setting, or settles. */
export interface TuningDecision extends Decision {
  readonly type: 'tuning';
}

/** What the stages of a run have done so far, and what sets its pace: twice a minute, and when its last sample or step has ended. */
export interface Bottleneck {
  readonly type: 'bottleneck';
  readonly stats: readonly StageStats[];
  /** Milliseconds per step by micro-batch, as far as they were timed; of a training. */
  readonly costs: Readonly<Record<number, number>>;
  /** Samples that may be in flight now: more than the pipeline says where reads take long. */
  readonly permits: number;
  /** Of a training whose threads the run chooses by itself. */
  readonly tunesThreads?: true;
  /** How long reads take, and whether samples wait for them; absent before enough have ended. */
  readonly reading?: Reading;
  /** Of a training; absent before there are steps enough to judge. */
  readonly explanation?: Explanation;
}

/** A sample has failed and was counted. */
export interface SampleFailure {
  readonly type: 'failure';
  readonly stage: string;
  readonly key: string;
  readonly position: number;
  readonly epoch: number;
  readonly error: string;
}

/** What a source has seen and does not read; once for each, at the start. */
export interface PassedOver {
  readonly type: 'passedOver';
  /** Where the pipeline names the source, where that is in `evaluate`. */
  readonly of?: readonly string[];
  readonly count: number;
  readonly rows: readonly PassedOverRow[];
}

/** Something that its user should know, as a code and what fills its sentence. `noticeText` makes the sentence. */
export interface NoticeGiven extends Notice {
  readonly type: 'notice';
}

/** The last event of a run. */
export interface Finished {
  readonly type: 'finished';
  readonly how: 'completed' | 'cancelled' | 'failed';
  /** Of a run that has completed. */
  readonly summary?: RunSummary;
  /** What ended a run that has not. */
  readonly error?: { readonly code?: string; readonly message: string };
  /** What every stage did. */
  readonly stats: readonly StageStats[];
  /** How all samples have ended, as far as it is known. */
  readonly sum?: Sum;
}

/** What a run says at its end. */
export interface RunSummary {
  /** True when nothing was done now: this very pipeline had come to its end before. */
  readonly earlier?: true;
  /** Where the results are, for people. */
  readonly lines: readonly string[];
  readonly done: number;
  readonly failures: number;
  readonly drops: number;
  /** How all samples of the source have ended; earlier versions have none. */
  readonly sum?: Sum;
  readonly seconds: number;
  readonly files: readonly string[];
  /** Of a training that keeps its best checkpoint: which it is, and what was measured of it. */
  readonly best?: { readonly step: number; readonly measure: string; readonly value: number; readonly path: string };
  /** True of a training that `stop` has ended before its length. */
  readonly stoppedEarly?: true;
}

/**
 * How everything that a source has listed has ended, in samples of the source: one that became many is delivered where any of its parts is.
 * listed = delivered + failed + dropped + passedOver + notAsked + notReached.
 */
export interface Sum {
  readonly listed: number;
  readonly delivered: number;
  readonly failed: number;
  readonly dropped: number;
  /** Names that are no samples, as the source says. */
  readonly passedOver: number;
  /** Samples beyond a `limit`; absent where there is none. */
  readonly notAsked?: number;
  /** Samples that a run which was ended has not come to, or not to the end of. 0 for a run that came to its end. */
  readonly notReached: number;
  /** Of a mixture: each part with its samples, and how many of them an epoch has. */
  readonly shares?: readonly PartShare[];
}
