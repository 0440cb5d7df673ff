import { asyncScheduler, Observable, type OperatorFunction, type SchedulerLike } from 'rxjs';
import { fail, valueText } from '../errors.ts';
import type { Budget } from './failures.ts';
import type { StageMeter } from './meter.ts';
import { runOrdered } from './ordered/map-ordered.ts';
import type { Carried } from './permits.ts';
import { Drop, isSample, type Outcome, type Sample } from './sample.ts';

/** What is put around the work of a stage. */
export interface StageRun {
  /** The stage's id, for errors. */
  readonly id: string;
  readonly concurrency: number | Observable<number>;
  readonly timeoutSeconds: number;
  readonly budget: Budget;
  readonly meter: StageMeter;
  readonly scheduler?: SchedulerLike;
}

interface Attempt {
  readonly carried: Carried;
  readonly value: unknown;
  readonly error: unknown;
}

/**
 * A stage: the work of one sample, with concurrency, order, time-out, failures and meters around it. A sample that fails or is dropped
 * gives its permit back here; the parts of one that became many share it and get the keys `…/1`, `…/2`.
 */
export function runStage(
  work: (sample: Sample) => Outcome<Sample> | PromiseLike<Outcome<Sample>>,
  { id, concurrency, timeoutSeconds, budget, meter, scheduler = asyncScheduler }: StageRun,
): OperatorFunction<Carried, Carried> {
  const where = `stage ${id}`;

  const options = {
    concurrency,
    scheduler,
    watch: meter,
    abandon: (carried: Carried) => carried.permit.return(),
    settle: (carried: Carried, value: unknown, error: unknown): Attempt => ({ carried, value, error }),
    timeout: {
      milliseconds: timeoutSeconds * 1000,
      late: (carried: Carried): Attempt => ({
        carried,
        value: undefined,
        error: fail('STAGE_TIMEOUT', { seconds: timeoutSeconds }, { where }),
      }),
      stuck: (places: number) => fail('STAGE_STUCK', { concurrency: places, seconds: timeoutSeconds }, { where }),
    },
  };

  return (source) =>
    new Observable((subscriber) => {
      const emitParts = (carried: Carried, parts: readonly unknown[]) => {
        const { permit, sample } = carried;
        if (parts.length === 0) {
          meter.dropped('no parts');
          permit.return('dropped');
          return;
        }
        if (!parts.every((part) => continues(sample, part))) {
          const wrong = parts.find((part) => !continues(sample, part));
          permit.return();
          subscriber.error(fail('STAGE_OUTPUT', { found: describeValue(wrong, sample) }, { where }));
          return;
        }
        share(
          carried,
          parts as readonly Sample[],
          (part) => {
            meter.out++;
            subscriber.next(part);
          },
          () => subscriber.closed,
        );
      };

      return runOrdered(source, subscriber, (carried: Carried) => work(carried.sample) as unknown, options, {
        complete: () => subscriber.complete(),
        next({ carried, value, error }) {
          const { sample, permit } = carried;
          if (error !== undefined) {
            meter.failures++;
            const exceeded = budget.spend(sample, error, meter.in);
            permit.return('failed');
            if (exceeded !== undefined) subscriber.error(exceeded);
          } else if (value instanceof Drop) {
            meter.dropped(value.reason);
            permit.return('dropped');
          } else if (Array.isArray(value)) {
            emitParts(carried, value);
          } else if (continues(sample, value)) {
            meter.out++;
            subscriber.next(value === sample ? carried : { sample: value, permit, part: carried.part });
          } else {
            permit.return();
            subscriber.error(fail('STAGE_OUTPUT', { found: describeValue(value, sample) }, { where }));
          }
        },
      });
    });
}

/** Sends the parts of one sample on, sharing its permit. Parts that cannot be sent because the run has ended give their share back. */
export function share(
  { permit, sample, part }: Carried,
  parts: readonly Sample[],
  next: (carried: Carried) => void,
  closed: () => boolean,
): void {
  permit.share(parts.length);
  parts.forEach((each, i) => {
    if (closed()) permit.return();
    else next({ sample: { ...each, key: `${sample.key}/${i + 1}` }, permit, part: [...part, i + 1] });
  });
}

/** True when `value` is what `sample` may become: a sample of the same key and place. */
function continues(sample: Sample, value: unknown): value is Sample {
  if (value === sample) return true;
  return isSample(value) && value.key === sample.key && value.position === sample.position;
}

/** What was found where a sample should be, for an error. */
export function describeValue(value: unknown, expected?: Sample): string {
  if (isSample(value))
    return `a sample with another key or position (${value.key}, not ${expected?.key ?? 'one it was given'})`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return `an object with ${Object.keys(value).slice(0, 5).join(', ') || 'no fields'}`;
  return typeof value === 'function' ? valueText(value) : `${typeof value} ${String(value).slice(0, 40)}`;
}
