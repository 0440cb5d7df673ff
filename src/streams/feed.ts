import { asyncScheduler, type Observable, type SchedulerLike, Subscriber } from 'rxjs';
import { awake } from '../awake-clock.ts';

/**
 * Subscribes an operator to its source: errors are passed on, what a handler throws becomes an error of the stream, and the source
 * stops as soon as the operator has ended, even while it is still emitting from within `subscribe`.
 */
export function feed<T>(
  source: Observable<T>,
  subscriber: Subscriber<unknown>,
  { next, complete }: { next(value: T): void; complete(): void },
): void {
  const inner = new Subscriber<T>({
    next(value) {
      try {
        next(value);
      } catch (error) {
        subscriber.error(error);
      }
    },
    error: (error: unknown) => subscriber.error(error),
    complete() {
      try {
        complete();
      } catch (error) {
        subscriber.error(error);
      }
    },
  });
  // Linked before the source starts, which is what a synchronous source needs to be stopped at all.
  subscriber.add(inner);
  source.subscribe(inner);
}

/** The time of a scheduler in milliseconds; where it is the real one, finer than a millisecond, and without the time in which the process stood still. */
export function clockOf(scheduler: SchedulerLike): () => number {
  return scheduler === asyncScheduler ? () => awake.now() : () => scheduler.now();
}
