import type { EventOf, RunEvent } from '../../events/events.ts';
import { type Notice, noticeText } from '../../events/notices.ts';

/**
 * The one stream of a run's events. Listeners are called at once, in the order in which they have come, and each sees all events in one order: what a
 * listener emits itself follows the event that it is hearing. It costs a few calls per event, and there is none per sample that comes through.
 */
export class EventHub {
  readonly #listeners: ((event: RunEvent) => void)[] = [];
  readonly #queue: RunEvent[] = [];
  #emitting = false;
  readonly #told = new Set<string>();

  /** @throws what a listener throws. */
  readonly emit = (event: RunEvent): void => {
    this.#queue.push(event);
    if (this.#emitting) return;
    this.#emitting = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
        for (const listener of this.#listeners) listener(next);
    } finally {
      this.#emitting = false;
    }
  };

  readonly notice = ({ code, slots }: Notice): void => this.emit({ type: 'notice', code, slots });

  /** A notice of what stays as it is, which each evaluation finds anew: a sentence that the run has told so before is not told again. */
  readonly noticeOnce = (one: Notice): void => {
    const text = noticeText(one);
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.notice(one);
  };

  /** Hears all events from now on. */
  listen(listener: (event: RunEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** Hears the events of one type. */
  on<T extends RunEvent['type']>(type: T, listener: (event: EventOf<T>) => void): void {
    this.listen((event) => {
      if (event.type === type) listener(event as EventOf<T>);
    });
  }
}
