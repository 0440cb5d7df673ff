import { type SchedulerLike, VirtualTimeScheduler } from 'rxjs';

/** A scheduler whose time passes only in `flush`, all at once. Tests never sleep. */
export function virtualTime(): VirtualTimeScheduler {
  return new VirtualTimeScheduler();
}

type Settle<T> = { readonly value: T } | { readonly error: unknown };

/** A promise of virtual time: it settles when its scheduler says so, without microtasks. */
export class VirtualPromise<T> implements PromiseLike<T> {
  #settled: Settle<T> | undefined;
  readonly #heard: ((settle: Settle<T>) => void)[] = [];

  constructor(run: (settle: (result: Settle<T>) => void) => void) {
    run((result) => {
      if (this.#settled !== undefined) return;
      this.#settled = result;
      for (const hear of this.#heard) hear(result);
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: being a thenable is what this class is for
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return new VirtualPromise<A | B>((settle) => {
      const hear = (result: Settle<T>) => {
        try {
          if ('value' in result)
            settle({ value: onValue ? (onValue(result.value) as A) : (result.value as unknown as A) });
          else if (onError) settle({ value: onError(result.error) as B });
          else settle(result);
        } catch (error) {
          settle({ error });
        }
      };
      if (this.#settled !== undefined) hear(this.#settled);
      else this.#heard.push(hear);
    });
  }
}

/** `make()` (its value, or its error) after so many milliseconds of virtual time. */
export function after<T>(scheduler: SchedulerLike, milliseconds: number, make: () => T): PromiseLike<T> {
  return new VirtualPromise<T>((settle) => {
    scheduler.schedule(() => {
      try {
        settle({ value: make() });
      } catch (error) {
        settle({ error });
      }
    }, milliseconds);
  });
}

/** Never settles. */
export function never<T>(): PromiseLike<T> {
  return new VirtualPromise<T>(() => undefined);
}
