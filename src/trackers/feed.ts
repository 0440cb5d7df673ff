import { type AwakeTimer, awake } from '../awake-clock.ts';
import { percentOf } from '../counts.ts';
import { fail, messageOf, valueText } from '../errors.ts';
import type { Finished, RunEvent, Started } from '../events/events.ts';
import { type Notice, notice } from '../events/notices.ts';
import { called, isPromise } from '../own-code.ts';
import type { Tracker, TrackerValue } from './define.ts';

/** Where and for whom trackers are fed. */
export interface FeedOptions {
  /** The run's own folder, absolute. */
  readonly folder: string;
  /** Relative paths of options start here. */
  readonly base: string;
  notice(notice: Notice): void;
  /** Milliseconds. Tests give their own. */
  readonly clock?: Pick<typeof awake, 'now' | 'timer'>;
}

/** Events that may wait for a tracker; further ones are not given to it, and counted. */
const mostWaiting = 10_000;
/** Milliseconds in which a tracker answers an event, and in which it takes its last ones and closes when the run has ended. */
const patience = { event: 30_000, end: 5000 };
/** Milliseconds of the run's own thread that a tracker may take, or a share of its time where that is more. */
const busy = { least: 1000, share: 0.05 };

/** Feeds the trackers of a run. */
export class Trackers {
  readonly #feeds: readonly TrackerFeed[];

  constructor(trackers: readonly TrackerValue['tracker'][], options: FeedOptions) {
    this.#feeds = trackers.map((tracker) => new TrackerFeed(tracker, options));
  }

  /** Hands an event to all. Returns at once, and never throws. */
  readonly hear = (event: RunEvent): void => {
    for (const feed of this.#feeds) feed.hear(event);
  };

  /** Hands over the last event and waits for all to close, for a few seconds at most. */
  async end(last: Finished): Promise<void> {
    await Promise.all(this.#feeds.map((feed) => feed.end(last)));
  }
}

/**
 * Gives events to one tracker, in their order, each when the one before was answered. Whatever the tracker does, it is a notice at most: it is called from a
 * microtask of its own, what waits for it is bounded, and its answers are waited for by nobody but this.
 */
class TrackerFeed {
  readonly #tracker: TrackerValue['tracker'];
  readonly #options: FeedOptions;
  readonly #clock: NonNullable<FeedOptions['clock']>;
  #waiting: RunEvent[] = [];
  #dropped = 0;
  #isOut = false;
  #ends = false;
  #busyMs = 0;
  #began = 0;
  /** What it is doing: `open`, the type of an event, `close`. */
  #doing = 'open';
  #timer: AwakeTimer | undefined;
  #open: Tracker | undefined;
  #wake = () => {};
  #work: Promise<void> | undefined;

  constructor(tracker: TrackerValue['tracker'], options: FeedOptions) {
    this.#tracker = tracker;
    this.#options = options;
    this.#clock = options.clock ?? awake;
  }

  hear(event: RunEvent): void {
    // Behind `finished` comes nothing, not even what trackers say as they close.
    if (this.#isOut || this.#ends) return;
    if (this.#waiting.length < mostWaiting) this.#waiting.push(event);
    else this.#dropped++;
    if (event.type === 'started') this.#work ??= this.#feed(event);
    this.#wake();
  }

  /** A run that has not begun has no tracker to close. */
  async end(last: Finished): Promise<void> {
    if (this.#work !== undefined && !this.#isOut) {
      this.#waiting.push(last);
      this.#ends = true;
      this.#wake();
      const late = this.#late(patience.end);
      await Promise.race([this.#work, late.ring]);
      late.timer.clear();
      if (!this.#isOut && this.#doing !== 'closed') this.#blocked(patience.end);
    }
    const { name } = this.#tracker;
    if (this.#dropped > 0) this.#options.notice(notice('TRACKER_DROPPED', { tracker: name, count: this.#dropped }));
  }

  async #feed(started: Started): Promise<void> {
    // Not within the call that brings the event.
    await undefined;
    this.#began = this.#clock.now();
    const { definition, options, name } = this.#tracker;
    const { folder, base } = this.#options;
    const say = (text: string) => this.#options.notice(notice('TRACKER', { tracker: name, text }));
    try {
      const tracker: Tracker | null | undefined = await this.#answer({ hook: 'open' }, () =>
        definition.open(options, { started, folder, base, say }),
      );
      this.#open = tracker ?? undefined;
      if (typeof tracker?.event !== 'function') throw fail('TRACKER_OPEN', { found: openedText(tracker) });
      await this.#feedAll(tracker);
      if (this.#isOut) return this.#release();
      this.#open = undefined;
      await this.#answer({ hook: 'close' }, () => tracker.close?.());
      this.#doing = 'closed';
    } catch (error) {
      this.#leave(notice('TRACKER_FAILED', { tracker: name, found: messageOf(error) }));
    }
  }

  async #feedAll(tracker: Tracker): Promise<void> {
    while (!this.#isOut) {
      const event = this.#waiting.shift();
      if (event !== undefined) await this.#answer({ hook: 'event', doing: event.type }, () => tracker.event(event));
      else if (this.#ends) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Has a function of the tracker do something. @throws STAGE_BROKEN, which names it, for what it throws or rejects with. */
  async #answer<T>(
    { hook, doing = hook }: { readonly hook: 'open' | 'event' | 'close'; readonly doing?: string },
    work: () => T | Promise<T>,
  ): Promise<T> {
    this.#doing = doing;
    const began = this.#clock.now();
    const answer = called(`tracker ${this.#tracker.name}`, hook, work);
    const now = this.#clock.now();
    this.#busyMs += now - began;
    const share = this.#busyMs / Math.max(1, now - this.#began);
    if (this.#busyMs > busy.least && share > busy.share) this.#slow(share);
    if (!isPromise(answer)) return answer;
    const late = this.#late(patience.event);
    this.#timer = late.timer;
    try {
      const first = await Promise.race([answer, late.ring]);
      if (first !== late.mark) return first as T;
      this.#blocked(patience.event);
      if (hook === 'open') void this.#closeLate(answer as Promise<unknown> as Promise<Tracker>);
      // It is left out: no answer of it is waited for.
      return await new Promise<never>(() => {});
    } finally {
      late.timer.clear();
    }
  }

  /** A tracker that has opened when it was left out already is closed again. */
  async #closeLate(opening: Promise<Tracker>): Promise<void> {
    // What it throws was reported as its being late.
    await Promise.allSettled([opening.then((tracker) => tracker.close?.())]);
  }

  #late(milliseconds: number) {
    const mark = Symbol('late');
    let timer!: AwakeTimer;
    const ring = new Promise<typeof mark>((resolve) => {
      timer = this.#clock.timer(milliseconds, () => resolve(mark));
    });
    return { mark, timer, ring };
  }

  #blocked(milliseconds: number): void {
    const slots = { tracker: this.#tracker.name, seconds: milliseconds / 1000, what: this.#doing };
    this.#leave(notice('TRACKER_BLOCKED', slots));
  }

  #slow(share: number): void {
    const text = `${Math.round(percentOf(Math.min(1, share), 1))} %`;
    this.#leave(notice('TRACKER_SLOW', { tracker: this.#tracker.name, busy: text }));
  }

  /** From here on it is given nothing. The first reason is said. What has opened since it was left out is closed too. */
  #leave(why: Notice): void {
    if (!this.#isOut) {
      this.#isOut = true;
      this.#waiting = [];
      this.#timer?.clear();
      this.#options.notice(why);
    }
    this.#release();
  }

  /** Lets a tracker that is left out close what it has open; nobody waits for it. */
  #release(): void {
    const tracker = this.#open;
    this.#open = undefined;
    void Promise.allSettled([(async () => tracker?.close?.())()]);
  }
}

/** What a tracker that cannot hear events has given in its place. */
function openedText(opened: unknown): string {
  return typeof opened === 'object' && opened !== null ? 'an object without it' : valueText(opened);
}
