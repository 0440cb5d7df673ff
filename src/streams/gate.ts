import { asyncScheduler, Observable, type SchedulerLike } from 'rxjs';
import type { Carried, Permits } from './permits.ts';
import { whole } from './permits.ts';

/** So many samples go out in one turn of the event loop before timers, signals and files have theirs. */
const burst = 1024;

/** How a gate stands. */
export interface GateState {
  /** Whether all tickets are out that there are by now. */
  isEmpty: boolean;
}

/**
 * Where a run begins: `ticket(position)` for one position after the other, each as soon as there is a permit for it. Completes when
 * the last ticket (position `end − 1`) is out, without needing another permit. Unsubscribing stops it at once; it holds no permit of its own.
 *
 * @param end one past the last position, or how far it may go by now: then it waits there for more, and its completion is the end of the tickets,
 * also of those that might have gone out. @param state is kept up to date.
 */
export function gate<S>(
  permits: Permits,
  ticket: (position: number) => S,
  {
    start = 0,
    end = Number.POSITIVE_INFINITY as number | Observable<number>,
    scheduler = asyncScheduler as SchedulerLike,
    state = { isEmpty: false } as GateState,
  } = {},
): Observable<Carried<S>> {
  return new Observable((subscriber) => {
    let position = start;
    let pumping = false;
    let resting = false;
    let immediate: NodeJS.Immediate | undefined;
    let known = typeof end === 'number' ? end : start;
    let more = typeof end !== 'number';

    const rest = () => {
      resting = true;
      const resume = () => {
        resting = false;
        pump();
      };
      if (scheduler === asyncScheduler) immediate = setImmediate(resume);
      else subscriber.add(scheduler.schedule(resume));
    };

    const pump = () => {
      // A permit that returns while its sample is being handed on wakes us from inside: the loop below goes on by itself.
      if (pumping || resting) return;
      pumping = true;
      let sent = 0;
      while (!subscriber.closed) {
        if (position >= known) {
          if (!more) subscriber.complete();
          break;
        }
        if (sent++ === burst) {
          rest();
          break;
        }
        const permit = permits.take(position);
        if (permit === undefined) break;
        let sample: S;
        try {
          sample = ticket(position);
        } catch (error) {
          permit.return();
          subscriber.error(error);
          break;
        }
        position++;
        subscriber.next({ sample, permit, part: whole });
      }
      pumping = false;
      state.isEmpty = position >= known;
    };

    subscriber.add(permits.onFree(pump));
    if (typeof end !== 'number') {
      subscriber.add(
        end.subscribe({
          next(value) {
            known = value;
            pump();
          },
          error: (error) => subscriber.error(error),
          complete() {
            more = false;
            known = position;
            pump();
          },
        }),
      );
    }
    pump();
    return () => clearImmediate(immediate);
  });
}
