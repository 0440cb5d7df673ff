import {
  asapScheduler,
  asyncScheduler,
  catchError,
  Observable,
  type OperatorFunction,
  type SchedulerLike,
  Subject,
  type Subscription,
} from 'rxjs';
import { fail, messageOf } from '../errors.ts';
import type { Budget } from './failures.ts';
import { clockOf, feed } from './feed.ts';
import type { StageMeter } from './meter.ts';
import { Pending } from './ordered/pending.ts';
import type { Carried } from './permits.ts';
import { describeValue, share } from './run-stage.ts';
import { isSample, type Sample } from './sample.ts';

/** What is put around a user's rxjs operator. */
export interface OperatorRun {
  readonly id: string;
  /** How many samples it may keep back. 0: it answers within `next`. */
  readonly holds: number;
  readonly timeoutSeconds: number;
  readonly budget: Budget;
  readonly meter: StageMeter;
  readonly scheduler?: SchedulerLike;
}

interface Guest {
  readonly carried: Carried;
  readonly since: number;
  readonly outs: Sample[];
  /** The operator made a promise when it was fed this sample: what is not let out is still worked on. */
  promised: boolean;
  /** A sample that was fed later has come out before it. */
  overtaken: boolean;
}

/**
 * A stage from any rxjs operator over samples. The operator sees plain samples; their permits are kept for it here. Samples are fed one
 * by one, and at most `holds + 1` are inside. With `holds: 0` what has not come out when `next` returns was dropped. With `holds: n`
 * a sample's turn ends in the microtask after it has come out; then the next is fed. What is left inside on completion was dropped.
 *
 * An operator that has all the samples that it may have, lets none out, and has started nothing that could let one out later (no timer, no promise) stands
 * still for good: the sample that came first was swallowed, as by a filter, and is dropped; if it was only kept, as by bufferCount, it comes out after its turn,
 * which ends the run and says that `holds` is too small.
 */
export function runOperator(
  operator: OperatorFunction<Sample, Sample>,
  { id, holds, timeoutSeconds, budget, meter, scheduler = asyncScheduler }: OperatorRun,
): OperatorFunction<Carried, Carried> {
  const where = `stage ${id}`;
  const now = clockOf(scheduler);
  // The microtask after this one; in virtual time, the next thing at the same instant.
  const soon = scheduler === asyncScheduler ? asapScheduler : scheduler;

  return (source) =>
    new Observable((subscriber) => {
      const input = new Subject<Sample>();
      const queue: Carried[] = [];
      const inside: Guest[] = [];
      const came: Guest[] = [];
      const overdue = new Set<string>();
      const pending = new Pending(scheduler);
      let feeding = false;
      let sourceEnded = false;
      let isThrough = false;
      let closing: Subscription | undefined;
      let alarm: Subscription | undefined;

      const name = ({ key, position }: Sample) => `${position} ${key}`;

      /** Lets go of a guest: sends on what came out of it, or counts it as dropped. */
      const release = ({ carried, outs, since }: Guest) => {
        meter.ended(now() - since);
        if (outs.length === 0) {
          meter.dropped('not let out');
          carried.permit.return('dropped');
        } else if (outs.length === 1) {
          meter.out++;
          subscriber.next({ sample: outs[0]!, permit: carried.permit, part: carried.part });
        } else {
          share(
            carried,
            outs,
            (part) => {
              meter.out++;
              subscriber.next(part);
            },
            () => subscriber.closed,
          );
        }
      };

      const admit = (carried: Carried) => {
        const guest: Guest = { carried, since: now(), outs: [], promised: false, overtaken: false };
        inside.push(guest);
        meter.started();
        feeding = true;
        if (holds === 0) input.next(carried.sample);
        else guest.promised = pending.watch(() => input.next(carried.sample));
        feeding = false;
        if (holds === 0) {
          // Gone already when the operator completed with it.
          if (inside.pop() !== guest) return;
          if (!subscriber.closed) release(guest);
          else carried.permit.return();
        } else if (!subscriber.closed) {
          setAlarm();
        }
      };

      /** Nothing can come out any more by itself. */
      const standsStill = () => came.length === 0 && !pending.any;

      const letIn = () => {
        while (!subscriber.closed && !feeding && queue.length > 0) {
          if (inside.length <= holds) admit(queue.shift()!);
          else if (standsStill()) release(inside.shift()!);
          else break;
        }
        if (sourceEnded && queue.length === 0 && !subscriber.closed) input.complete();
      };

      /** Ends the turns of all that have come out, in the order in which they did, and lets the next ones in. */
      const endTurns = () => {
        closing = undefined;
        while (!subscriber.closed && came.length > 0) {
          const guest = came.shift()!;
          inside.splice(inside.indexOf(guest), 1);
          release(guest);
        }
        letIn();
      };

      const setAlarm = () => {
        const first = inside[0];
        if (alarm !== undefined || first === undefined) return;
        alarm = scheduler.schedule(
          () => {
            alarm = undefined;
            expire();
          },
          Math.max(0, first.since + timeoutSeconds * 1000 - now()),
        );
      };

      const expire = () => {
        while (!subscriber.closed && inside[0] !== undefined && inside[0].since + timeoutSeconds * 1000 <= now()) {
          const guest = inside[0];
          if (guest.outs.length > 0) break;
          inside.shift();
          overdue.add(name(guest.carried.sample));
          if (guest.overtaken && !guest.promised) {
            release(guest);
            continue;
          }
          meter.ended(now() - guest.since);
          meter.failures++;
          const error = fail('STAGE_TIMEOUT', { seconds: timeoutSeconds }, { where });
          const exceeded = budget.spend(guest.carried.sample, error, meter.in);
          guest.carried.permit.return('failed');
          if (exceeded !== undefined) subscriber.error(exceeded);
        }
        letIn();
        setAlarm();
      };

      const cameOut = (out: unknown) => {
        if (!isSample(out)) {
          subscriber.error(fail('STAGE_OUTPUT', { found: describeValue(out) }, { where }));
          return;
        }
        const guest = inside.find(
          ({ carried: { sample } }) => sample.key === out.key && sample.position === out.position,
        );
        if (guest === undefined) {
          if (overdue.delete(name(out))) return;
          subscriber.error(fail('OPERATOR_LATE', { holds, key: out.key, more: holds + 1 }, { where }));
          return;
        }
        guest.outs.push(out);
        if (holds > 0 && guest.outs.length === 1) {
          came.push(guest);
          for (const other of inside.slice(0, inside.indexOf(guest))) other.overtaken = true;
          closing ??= pending.beside(() => soon.schedule(endTurns));
        }
      };

      const output = operator(input).pipe(
        catchError((cause: unknown) => {
          throw fail('OPERATOR_FAILED', { reason: messageOf(cause) }, { where, cause });
        }),
      );
      const answers = {
        next: cameOut,
        complete() {
          // Whatever still has its turn goes out; the rest was kept back for good, and returns its permits below.
          endTurns();
          // An operator that completes while it is fed, such as take(n), has answered for the sample that it was fed.
          const fed = feeding && holds === 0 ? inside.pop() : undefined;
          if (fed !== undefined) release(fed);
          if (subscriber.closed) return;
          for (const _ of inside) meter.dropped('not let out');
          // It ends before its source: what waits for it does not come in any more.
          for (const _ of queue) meter.dropped('not let in');
          isThrough = true;
          subscriber.complete();
        },
      };
      // What it starts when it is subscribed to, such as the interval of bufferTime.
      pending.watch(() => feed(output, subscriber, answers));
      feed(source, subscriber, {
        next(carried) {
          meter.arrived();
          queue.push(carried);
          letIn();
        },
        complete() {
          sourceEnded = true;
          letIn();
        },
      });

      // Returned, not added: the source is then unsubscribed before its permits come back, and cannot send more.
      return () => {
        alarm?.unsubscribe();
        closing?.unsubscribe();
        // A guest that answers at once and is being fed right now is let go by the feeding itself.
        const rest = feeding && holds === 0 ? inside.slice(0, -1) : inside;
        const end = isThrough ? 'dropped' : undefined;
        for (const { carried } of rest) carried.permit.return(end);
        for (const carried of queue) carried.permit.return(end);
      };
    });
}
