import { createHook } from 'node:async_hooks';
import { asyncScheduler, type SchedulerLike, VirtualTimeScheduler } from 'rxjs';

/** What the code that runs now has started, by Node's names (`Timeout`, `PROMISE`); nothing is noted while it is undefined. */
let started: Set<string> | undefined;

const hook = createHook({
  init(_, type) {
    started?.add(type);
  },
});

/** Whether an operator has ever started something that may let a sample out later, without being given another: a timer, a promise, an action of virtual time. */
export class Pending {
  readonly #scheduler: SchedulerLike;
  #any = false;
  /** Actions of virtual time that are our own. */
  #beside = 0;

  constructor(scheduler: SchedulerLike = asyncScheduler) {
    this.#scheduler = scheduler;
  }

  get any(): boolean {
    return this.#any;
  }

  /** Runs code of an operator and notes what it starts. True when there is a promise among it. */
  watch(run: () => void): boolean {
    if (this.#scheduler instanceof VirtualTimeScheduler) {
      const [before, beside] = [this.#actions, this.#beside];
      run();
      this.#any ||= this.#actions - before > this.#beside - beside;
      return false;
    }
    const outer = started;
    const mine = new Set<string>();
    started = mine;
    hook.enable();
    try {
      run();
    } finally {
      started = outer;
      if (outer === undefined) hook.disable();
    }
    this.#any ||= mine.size > 0;
    return mine.has('PROMISE');
  }

  /** Runs what is started on our own account while an operator is watched. */
  beside<T>(run: () => T): T {
    const [outer, before] = [started, this.#actions];
    started = undefined;
    try {
      return run();
    } finally {
      started = outer;
      this.#beside += this.#actions - before;
    }
  }

  get #actions(): number {
    return this.#scheduler instanceof VirtualTimeScheduler ? this.#scheduler.actions.length : 0;
  }
}
