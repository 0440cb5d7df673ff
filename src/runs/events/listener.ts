import type { RunEvent } from '../../events/events.ts';

/**
 * Who has asked to hear a run's events. Events are emitted wherever they come up, in timers and behind messages of threads too, where an error of the listener
 * would end the process: it ends the run instead. A listener that has failed is not called again.
 */
export class Listener {
  readonly #hear: ((event: RunEvent) => void) | undefined;
  readonly #controller = new AbortController();
  /** What it has thrown. */
  failure: { readonly error: unknown } | undefined;

  constructor(hear: ((event: RunEvent) => void) | undefined) {
    this.#hear = hear;
  }

  /** Aborted when it has failed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  hear(event: RunEvent): void {
    if (this.failure !== undefined) return;
    try {
      this.#hear?.(event);
    } catch (error) {
      this.failure = { error };
      this.#controller.abort(error);
    }
  }
}
