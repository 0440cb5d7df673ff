import {
  asyncScheduler,
  catchError,
  Observable,
  type OperatorFunction,
  type SchedulerLike,
  Subject,
  type Subscription,
  type Unsubscribable,
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
  /** The moment of `Pending` at which a sample that was fed later had come out before it. */
  overtaken: number | undefined;
}

/** Samples that were let go of and may still come out, the newest of them: of an endless source there is no end of them. */
class Overdue {
  readonly #names = new Set<string>();

  add(name: string): void {
    this.#names.add(name);
    if (this.#names.size > mostOverdue) this.#names.delete(this.#names.values().next().value!);
  }

  delete(name: string): boolean {
    return this.#names.delete(name);
  }
}

const mostOverdue = 10_000;

/** So often an operator may stand still for a whole time-out. */
const mostStalls = 10;

/**
 * A stage from any rxjs operator over samples. The operator sees plain samples; their permits are kept for it here. Samples are fed one
 * by one, and at most `holds + 1` are inside. With `holds: 0` what has not come out when `next` returns was dropped. With `holds: n`
 * a sample's turn ends in the microtask after it has come out; then the next is fed. What is left inside on completion was dropped.
 *
 * An operator that has all the samples that it may have lets one of them out, or keeps it, or has swallowed it, as a filter does. It is known to be swallowed when
 * nothing that the operator has started can let it out any more (no timer, no promise; what it always has, as the interval of bufferTime, has gone off since), or
 * when one that was fed later has come out and all that was started until then is over, as long as samples come out in order. Then it is dropped, and
 * the next is fed. If it was only kept, as by bufferCount, it comes out after its turn, which ends the run and says that `holds` is too small. Where nothing can be
 * known, as of an operator that looks for an answer every second, a sample waits for its time-out; the tenth time that nothing comes out for so long is the last.
 */
export function runOperator(
  operator: OperatorFunction<Sample, Sample>,
  { id, holds, timeoutSeconds, budget, meter, scheduler = asyncScheduler }: OperatorRun,
): OperatorFunction<Carried, Carried> {
  const where = `stage ${id}`;
  const now = clockOf(scheduler);
  // The microtask after this one; in virtual time, the next thing at the same instant. Not rxjs' own, which runs what others have scheduled along.
  const soon = (run: () => void) => (scheduler === asyncScheduler ? microtask(run) : scheduler.schedule(run));

  return (source) =>
    new Observable((subscriber) => {
      const input = new Subject<Sample>();
      const queue: Carried[] = [];
      const inside: Guest[] = [];
      const came: Guest[] = [];
      const overdue = new Overdue();
      const pending = new Pending(() => letIn(), scheduler);
      let feeding = false;
      let sourceEnded = false;
      let isThrough = false;
      let keepsOrder = true;
      let arrived = -1;
      let stalls = 0;
      let lastOut = now();
      let closing: Unsubscribable | undefined;
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
        const guest: Guest = { carried, since: now(), outs: [], overtaken: undefined };
        inside.push(guest);
        meter.started();
        feeding = true;
        if (holds === 0) input.next(carried.sample);
        else pending.feed(() => input.next(carried.sample));
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

      /** Of those inside, the first that cannot come out any more by itself; -1 where there is none, or none that is known. */
      const swallowed = () => {
        if (came.length > 0) return -1;
        if (inside.length > 0 && pending.isOver()) return 0;
        return keepsOrder
          ? inside.findIndex(({ overtaken }) => overtaken !== undefined && pending.isOver(overtaken))
          : -1;
      };

      /** Whether no other sample can be fed before one that is inside has gone. */
      const isBlocked = () => {
        if (queue.length > 0) return inside.length > holds;
        return holds > 0 && inside[0]?.carried.permit.blocks(arrived) === true;
      };

      const letIn = () => {
        while (!subscriber.closed && !feeding) {
          if (queue.length > 0 && inside.length <= holds) {
            admit(queue.shift()!);
          } else {
            if (!isBlocked()) break;
            const at = swallowed();
            if (at < 0) {
              pending.want();
              break;
            }
            const [guest] = inside.splice(at, 1);
            // Where it is the order that waits for it, `holds` is large enough, whatever comes late.
            if (inside.length < holds) overdue.add(name(guest!.carried.sample));
            release(guest!);
          }
        }
        if (!sourceEnded || queue.length > 0 || subscriber.closed) return;
        pending.feed(() => input.complete());
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
        if (alarm !== undefined || first === undefined || subscriber.closed) return;
        alarm = scheduler.schedule(
          () => {
            alarm = undefined;
            expire();
          },
          Math.max(0, first.since + timeoutSeconds * 1000 - now()),
        );
      };

      const expire = () => {
        if (isBlocked() && now() - lastOut >= timeoutSeconds * 1000) {
          lastOut = now();
          if (++stalls === mostStalls)
            subscriber.error(fail('OPERATOR_STALLS', { seconds: timeoutSeconds, times: stalls }, { where }));
        }
        while (!subscriber.closed && inside[0] !== undefined && inside[0].since + timeoutSeconds * 1000 <= now()) {
          const guest = inside[0];
          if (guest.outs.length > 0) break;
          inside.shift();
          overdue.add(name(guest.carried.sample));
          if (!pending.works(keepsOrder ? guest.overtaken : undefined)) {
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
        lastOut = now();
        if (holds > 0 && guest.outs.length === 1) {
          came.push(guest);
          if (guest.overtaken !== undefined) keepsOrder = false;
          const moment = pending.moment();
          for (const other of inside.slice(0, inside.indexOf(guest))) other.overtaken ??= moment;
          closing ??= pending.beside(() => soon(() => pending.beside(endTurns)));
        }
      };

      const output = operator(input).pipe(
        catchError((cause: unknown) => {
          throw fail('OPERATOR_FAILED', { reason: messageOf(cause) }, { where, cause });
        }),
      );
      const end = () => {
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
      };
      const answers = {
        next: cameOut,
        complete: () => pending.beside(end),
      };
      if (holds === 0) feed(output, subscriber, answers);
      else pending.subscribe(() => feed(output, subscriber, answers));
      feed(source, subscriber, {
        next(carried) {
          meter.arrived();
          arrived = Math.max(arrived, carried.permit.position);
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
        pending.close();
        // A guest that answers at once and is being fed right now is let go by the feeding itself.
        const rest = feeding && holds === 0 ? [] : inside;
        const how = isThrough ? 'dropped' : undefined;
        for (const { carried } of rest) carried.permit.return(how);
        for (const carried of queue) carried.permit.return(how);
      };
    });
}

function microtask(run: () => void): Unsubscribable {
  let isOpen = true;
  queueMicrotask(() => {
    if (isOpen) run();
  });
  return {
    unsubscribe() {
      isOpen = false;
    },
  };
}
