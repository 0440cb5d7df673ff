import type { Observable } from 'rxjs';

/**
 * An observable as an async iterable, for `for await`. Values wait in a queue until they are asked for; what is in front of it (a ring
 * of cells, permits) bounds that. Leaving the loop unsubscribes; an error is thrown after the values before it. Aborting `signal`
 * unsubscribes at once and ends the loop.
 */
export async function* iterate<T>(source: Observable<T>, signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
  const queue: T[] = [];
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const heard = () => {
    wake?.();
    wake = undefined;
  };
  const subscription = source.subscribe({
    next(value) {
      queue.push(value);
      heard();
    },
    error(error: unknown) {
      failure = { error };
      heard();
    },
    complete() {
      ended = true;
      heard();
    },
  });
  const abort = () => {
    subscription.unsubscribe();
    queue.length = 0;
    ended = true;
    heard();
  };
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      if (queue.length > 0) {
        yield queue.shift() as T;
      } else if (failure !== undefined) {
        throw failure.error;
      } else if (ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    subscription.unsubscribe();
  }
}
