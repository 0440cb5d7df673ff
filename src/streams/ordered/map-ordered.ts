import {
  asyncScheduler,
  Observable,
  type OperatorFunction,
  type SchedulerLike,
  type Subscriber,
  type Subscription,
} from 'rxjs';
import { isPromise } from '../../own-code.ts';
import { clockOf, feed } from '../feed.ts';

/** What `mapOrdered` reports of an item, for meters. */
export interface Watch {
  /** An item came in and waits. */
  arrived(): void;
  /** Its work began. */
  started(): void;
  /** Its work ended, after this long. */
  ended(milliseconds: number): void;
  /** An item came in and may start at once. True when its work is to be timed, which for short work costs more than the work. */
  passing(): boolean;
  /** The work of a passing item ended at once; the time, when it was asked for. */
  passed(milliseconds: number | undefined): void;
  /** The work of a passing item goes on: it counts as started. */
  stayed(): void;
  /** So many works may run at a time from now on. */
  limited(places: number): void;
}

/** How works end. */
export interface Settling<A, V, B> {
  /** The result for what a work has returned or, when there is an `error`, thrown. Called as soon as it ends, before its turn; not when it is late. */
  settle(item: A, value: V | undefined, error: unknown): B;
}

export interface MapOrderedOptions<A, B> {
  /** How many works may run at a time; it may change while they run. Default 1. */
  readonly concurrency?: number | Observable<number>;
  /** What takes the place of a result that did not come in time. The work keeps its place in the concurrency until it ends. */
  readonly timeout?: {
    readonly milliseconds: number;
    late(item: A): B;
    /** The error that ends the stream when every place is held by work that outlived its time. */
    stuck(places: number): unknown;
  };
  /** Asked before each start: false keeps the item waiting until `freed` emits. */
  readonly room?: { take(): boolean; readonly freed: Observable<unknown> };
  /** Called for each item that is still inside when the subscription ends early. Its work may go on; the result is not used. */
  abandon?(item: A): void;
  readonly watch?: Watch;
  /** Where time comes from; a TestScheduler in tests. */
  readonly scheduler?: SchedulerLike;
}

interface Slot<A, B> {
  readonly item: A;
  result: B | undefined;
  state: 'waiting' | 'running' | 'done';
  late: boolean;
  started: number;
  next: Slot<A, B> | undefined;
}

/**
 * Runs `work` on several items at a time and emits the results in the order of the items. A synchronous result with nothing before
 * it goes straight through. It keeps what it is sent, without bound: permits are what bounds it. Errors of `work` end the stream.
 */
export function mapOrdered<A, B>(
  work: (item: A) => B | PromiseLike<B>,
  options: MapOrderedOptions<A, B> = {},
): OperatorFunction<A, B> {
  return (source) =>
    new Observable((subscriber) => {
      const settle = (_: A, value: B | undefined, error: unknown) => {
        if (error !== undefined) subscriber.error(error);
        return value as B;
      };
      return runOrdered(source, subscriber, work, { ...options, settle }, subscriber);
    });
}

/** Who gets the results, in order. What these throw is an error of the stream. */
export interface Results<B> {
  next(result: B): void;
  complete(): void;
}

/** The same inside of an operator that does more with the results than to send them to `subscriber`. Returns the teardown. */
export function runOrdered<A, V, B>(
  source: Observable<A>,
  subscriber: Subscriber<unknown>,
  work: (item: A) => V | PromiseLike<V>,
  {
    concurrency = 1,
    timeout,
    room,
    abandon,
    watch,
    scheduler = asyncScheduler,
    settle,
  }: MapOrderedOptions<A, B> & Settling<A, V, B>,
  results: Results<B>,
): () => void {
  let limit = typeof concurrency === 'number' ? concurrency : 1;
  // head … tail are the items inside, in order; unstarted is the first whose work has not begun.
  let head: Slot<A, B> | undefined;
  let tail: Slot<A, B> | undefined;
  let unstarted: Slot<A, B> | undefined;
  let running = 0;
  let overdue = 0;
  let completed = false;
  let busy = false;
  let alarm: Subscription | undefined;
  const now = clockOf(scheduler);
  watch?.limited(limit);

  const emit = (result: B) => {
    try {
      results.next(result);
    } catch (error) {
      subscriber.error(error);
    }
  };

  const end = (slot: Slot<A, B>, value: V | undefined, error: unknown) => {
    running--;
    watch?.ended(now() - slot.started);
    if (slot.late) {
      overdue--;
    } else {
      slot.result = settle(slot.item, value, error);
      slot.state = 'done';
    }
  };

  const start = (slot: Slot<A, B>) => {
    slot.state = 'running';
    slot.started = now();
    running++;
    watch?.started();
    let answer: V | PromiseLike<V>;
    try {
      answer = work(slot.item);
    } catch (error) {
      end(slot, undefined, error ?? new Error('thrown without a reason'));
      return;
    }
    if (isPromise(answer)) follow(slot, answer);
    else end(slot, answer, undefined);
  };

  const follow = (slot: Slot<A, B>, answer: PromiseLike<V>) => {
    const ended = (value: V | undefined, error: unknown) => {
      if (subscriber.closed) return;
      end(slot, value, error);
      advance();
    };
    answer.then(
      (value) => ended(value, undefined),
      (error: unknown) => ended(undefined, error ?? new Error('rejected without a reason')),
    );
    if (!subscriber.closed) setAlarm(slot);
  };

  // Nothing is inside: the work starts at once, and a result that is there at once goes straight through.
  const pass = (item: A) => {
    busy = true;
    const timed = watch?.passing() === true;
    const started = timed ? now() : 0;
    let answer: V | PromiseLike<V> | undefined;
    let failure: unknown;
    try {
      answer = work(item);
    } catch (error) {
      failure = error ?? new Error('thrown without a reason');
    }
    if (failure === undefined && isPromise(answer as V | PromiseLike<V>)) {
      if (subscriber.closed) {
        // The work itself has ended the run: nobody waits for what comes of it.
        (answer as PromiseLike<V>).then(undefined, () => {});
        abandon?.(item);
        return;
      }
      const slot: Slot<A, B> = {
        item,
        result: undefined,
        state: 'running',
        late: false,
        started: timed ? started : now(),
        next: undefined,
      };
      // What came in from inside the work stands behind it.
      slot.next = head;
      head = slot;
      tail ??= slot;
      running++;
      watch?.stayed();
      follow(slot, answer as PromiseLike<V>);
    } else {
      watch?.passed(timed ? now() - started : undefined);
      const result = settle(item, answer as V, failure);
      if (subscriber.closed) abandon?.(item);
      else emit(result);
    }
    busy = false;
    if (head !== undefined || completed) advance();
  };

  // One timer for all: works start in order, so the first that runs is the first that is due.
  const setAlarm = (slot: Slot<A, B>) => {
    if (timeout === undefined || alarm !== undefined) return;
    alarm = scheduler.schedule(ring, Math.max(0, slot.started + timeout.milliseconds - now()));
  };

  const ring = () => {
    alarm = undefined;
    if (timeout === undefined) return;
    const time = now();
    let slot = head;
    while (slot !== undefined && slot !== unstarted) {
      if (slot.state === 'running') {
        if (slot.started + timeout.milliseconds > time) break;
        slot.result = timeout.late(slot.item);
        slot.state = 'done';
        slot.late = true;
        overdue++;
      }
      slot = slot.next;
    }
    if (slot !== undefined && slot !== unstarted) setAlarm(slot);
    advance();
    if (overdue > 0 && overdue >= limit && !subscriber.closed) subscriber.error(timeout.stuck(limit));
  };

  // Emits what is done at the head and starts what may start. Called again from inside (an emission that brings the next item),
  // it leaves the rest to the loop that is already running.
  const advance = () => {
    if (busy) return;
    busy = true;
    for (;;) {
      if (subscriber.closed) break;
      if (head !== undefined && head.state === 'done') {
        const slot = head;
        head = slot.next;
        if (head === undefined) tail = undefined;
        // Cut off: an old slot that pointed on would keep all that came after it from the young generation's collector.
        slot.next = undefined;
        emit(slot.result as B);
      } else if (unstarted !== undefined && running < limit && (room === undefined || room.take())) {
        const slot = unstarted;
        unstarted = slot.next;
        start(slot);
      } else {
        break;
      }
    }
    busy = false;
    if (completed && head === undefined && !subscriber.closed) {
      try {
        results.complete();
      } catch (error) {
        subscriber.error(error);
      }
    }
  };

  if (typeof concurrency !== 'number') {
    subscriber.add(
      concurrency.subscribe((next) => {
        limit = next;
        watch?.limited(next);
        advance();
      }),
    );
  }
  if (room !== undefined) subscriber.add(room.freed.subscribe(() => advance()));
  feed(source, subscriber, {
    next(item) {
      if (head === undefined && !busy && running < limit && (room === undefined || room.take())) return pass(item);
      const slot: Slot<A, B> = {
        item,
        result: undefined,
        state: 'waiting',
        late: false,
        started: 0,
        next: undefined,
      };
      if (tail === undefined) head = slot;
      else tail.next = slot;
      tail = slot;
      unstarted ??= slot;
      watch?.arrived();
      advance();
    },
    complete() {
      completed = true;
      advance();
    },
  });

  // Returned, not added: the source is then unsubscribed before anything is given up, and cannot send more.
  return () => {
    alarm?.unsubscribe();
    for (let slot = head; slot !== undefined; slot = slot.next) abandon?.(slot.item);
    head = tail = unstarted = undefined;
  };
}
