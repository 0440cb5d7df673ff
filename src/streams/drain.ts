import { asyncScheduler, Observable, type OperatorFunction, type SchedulerLike } from 'rxjs';
import { fail } from '../errors.ts';
import { isPromise } from '../own-code.ts';
import type { Budget } from './failures.ts';
import { feed } from './feed.ts';
import type { StageMeter } from './meter.ts';
import { mapOrdered } from './ordered/map-ordered.ts';
import type { Carried, End } from './permits.ts';
import type { Sample } from './sample.ts';

export interface DrainOptions<W> {
  /** Does the work of one sample; called for several at a time. */
  write(sample: Sample): PromiseLike<W>;
  /** Enters what was written, one at a time, in the order of positions. */
  commit(written: W): void | PromiseLike<void>;
  /** True for an error of `write` that no further sample can survive, such as a full disk. */
  fatal(error: unknown): boolean;
  readonly concurrency: number | Observable<number>;
  readonly timeoutSeconds: number;
  readonly budget: Budget;
  readonly meter: StageMeter;
  readonly scheduler?: SchedulerLike;
}

type Attempt<W> =
  | { readonly carried: Carried; readonly written: W }
  | { readonly carried: Carried; readonly error: unknown };

/**
 * The end of a job: samples, which come in the order of their positions (`inOrder`), are written, several at a time, and committed in the order of their positions; then their permits return.
 * Emits each sample that was committed. A failed write is counted like that of any stage; a fatal one ends the run.
 */
export function drain<W>({
  write,
  commit,
  fatal,
  concurrency,
  timeoutSeconds,
  budget,
  meter,
  scheduler = asyncScheduler,
}: DrainOptions<W>): OperatorFunction<Carried, Sample> {
  const where = `stage ${budget.stage}`;
  const giveBack = ({ permit }: Carried, end?: End) => permit.return(end);

  const attempt = (carried: Carried): PromiseLike<Attempt<W>> =>
    write(carried.sample).then(
      (written) => ({ carried, written }),
      (error: unknown) => ({ carried, error }),
    );
  const writes = mapOrdered(attempt, {
    concurrency,
    scheduler,
    watch: meter,
    abandon: (carried: Carried) => giveBack(carried),
    timeout: {
      milliseconds: timeoutSeconds * 1000,
      late: (carried) => ({ carried, error: fail('STAGE_TIMEOUT', { seconds: timeoutSeconds }, { where }) }),
      stuck: (places) => fail('STAGE_STUCK', { concurrency: places, seconds: timeoutSeconds }, { where }),
    },
  });
  const enter = (result: Attempt<W>): Attempt<W> | PromiseLike<Attempt<W>> => {
    if ('error' in result) return result;
    const entered = commit(result.written);
    return isPromise(entered) ? entered.then(() => result) : result;
  };
  const commits = mapOrdered(enter, { scheduler, abandon: ({ carried }) => giveBack(carried) });

  return (source) =>
    new Observable((subscriber) => {
      feed(source.pipe(writes, commits), subscriber, {
        complete: () => subscriber.complete(),
        next(result) {
          const { carried } = result;
          if (!('error' in result)) {
            meter.out++;
            // Told of before its permit returns: that lets in the next, whose failure may end the run.
            subscriber.next(carried.sample);
            giveBack(carried, 'delivered');
            return;
          }
          meter.failures++;
          const ends = fatal(result.error) ? result.error : budget.spend(carried.sample, result.error, meter.in);
          giveBack(carried, 'failed');
          if (ends !== undefined) subscriber.error(ends);
        },
      });
    });
}
