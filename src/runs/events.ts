import type { PassedOverRow } from '../files/passed-over.ts';
import type { Sum } from './sum.ts';

/** What a run says while it goes. */
export type RunEvent = Progress | SampleFailure | PassedOver | Line;

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
  /** Which side of a training sets the pace, and how busy the trainer is. */
  readonly balance?: string;
  readonly failures: number;
  /** Further numbers to show: loss, learning rate. */
  readonly values?: Readonly<Record<string, number>>;
}

/** A sample that failed and was counted. */
export interface SampleFailure {
  readonly type: 'failure';
  readonly stage: string;
  readonly key: string;
  readonly error: string;
}

/** What the source has seen and does not read; said once, at the start. */
export interface PassedOver {
  readonly type: 'passedOver';
  /** Where the pipeline names the source, where that is in `evaluate`. */
  readonly of?: readonly string[];
  readonly count: number;
  readonly rows: readonly PassedOverRow[];
  /** The same in a line. */
  readonly text: string;
}

/** A line for the user. */
export interface Line {
  readonly type: 'line';
  readonly text: string;
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
}
