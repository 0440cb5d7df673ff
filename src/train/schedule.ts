import { fail } from '../errors.ts';

/** Where a step stands: its number from 0, and the fractional epoch of its first sample. */
export interface Moment {
  readonly step: number;
  readonly epoch: number;
}

/** The learning rate of a step. */
export type Schedule = (at: Moment) => number;

/** A length in steps or in epochs. */
export type Length = { readonly steps: number } | { readonly epochs: number };

/** Options of a schedule: exactly one of `lr` and `baseLr`. */
export interface ScheduleOptions {
  readonly shape?: 'cosine' | 'constant';
  /** The highest rate, absolute. */
  readonly lr?: number;
  /** The highest rate for a batch of 256; scaled by batch / 256. */
  readonly baseLr?: number;
  /** The rate at the end of the cosine. */
  readonly minLr?: number;
  /** A linear rise from 0; none by default. */
  readonly warmup?: Length;
}

/**
 * The rate of `options` for a run: a linear warm-up, then half a cosine down to `minLr`, or constant. Evaluated at every step; steps and
 * fractional epochs are not mixed in one formula: warm-up and end may each be given in either, and the step's place in each is used.
 * Source: MAE's recipe. Its epochs are fractional: e < w: lr·e/w; else min + (lr − min)·½(1 + cos(π(e − w)/(E − w))).
 *
 * @param run the batch (for `baseLr`), and the run's length.
 * @throws SCHEDULE_RATE unless exactly one of `lr` and `baseLr` is given.
 */
export function schedule(options: ScheduleOptions, run: { readonly batch: number; readonly length: Length }): Schedule {
  const peak = peakRate(options, run.batch);
  const { shape = 'cosine', minLr = 0, warmup } = options;
  const rise = warmup ?? { steps: 0 };
  return (at) => {
    const warmed = lengthOf(rise) === 0 ? 1 : place(at, rise) / lengthOf(rise);
    if (warmed < 1) return peak * warmed;
    if (shape === 'constant') return peak;
    return minLr + (peak - minLr) * 0.5 * (1 + Math.cos(Math.PI * descent(at, rise, run.length)));
  };
}

/** The highest rate: `lr`, or `baseLr`·batch/256. @throws SCHEDULE_RATE unless exactly one is given. */
export function peakRate({ lr, baseLr }: Pick<ScheduleOptions, 'lr' | 'baseLr'>, batch: number): number {
  if (lr !== undefined && baseLr === undefined) return lr;
  if (baseLr !== undefined && lr === undefined) return (baseLr * batch) / 256;
  throw fail('SCHEDULE_RATE', { found: lr === undefined ? 'neither' : 'both' });
}

const lengthOf = (length: Length) => ('steps' in length ? length.steps : length.epochs);

const place = (at: Moment, length: Length) => ('steps' in length ? at.step : at.epoch);

/** How far down the cosine, 0–1. When warm-up and run are counted differently, the warm-up's end is the place of the run as far as it has come. */
function descent(at: Moment, rise: Length, end: Length): number {
  const now = place(at, end);
  const risen = place(at, rise);
  const start = 'steps' in rise === 'steps' in end ? lengthOf(rise) : risen === 0 ? 0 : (now / risen) * lengthOf(rise);
  const left = lengthOf(end) - start;
  return left <= 0 ? 1 : Math.min(1, Math.max(0, (now - start) / left));
}
