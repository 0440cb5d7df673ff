import { asyncScheduler, type SchedulerLike, VirtualTimeScheduler } from 'rxjs';
import { type Follower, NodeFollower, type Started, VirtualFollower } from './started.ts';

/**
 * Whether an operator has started something that may let out, without being given another sample, one of those that it has. Moments are numbers that only grow:
 * each sample is fed at one, and each timer starts and goes off at one.
 */
export class Pending {
  readonly #follower: Follower;
  #moment = 0;
  #fed = 0;
  /** Timers that the operator has when it has no sample, such as that of bufferTime. */
  #standing = 0;
  #isWanted = false;

  /** @param wake called at a time of its own, once after each `want`, when something has changed. */
  constructor(wake: () => void, scheduler: SchedulerLike = asyncScheduler) {
    const following = {
      moment: () => this.moment(),
      changed: () => {
        if (!this.#isWanted) return;
        this.#isWanted = false;
        this.beside(() => (scheduler === asyncScheduler ? setImmediate(wake) : scheduler.schedule(wake)));
      },
    };
    this.#follower =
      scheduler instanceof VirtualTimeScheduler
        ? new VirtualFollower(scheduler, following)
        : new NodeFollower(following);
  }

  /** Subscribes to the operator. */
  subscribe(run: () => void): void {
    this.#follower.run(0, run);
    this.#standing = this.#timersOf(0).length;
  }

  /** Feeds a sample. */
  feed(run: () => void): void {
    const root = this.moment();
    const standing = this.#timersOf(0);
    this.#follower.run(root, run);
    // A timer that the operator always has may begin anew with a sample, as that of bufferTime when its buffer is full.
    const gone = standing.filter((timer) => !timer.isAwaited()).length;
    if (gone > 0) for (const timer of this.#timersOf(root).slice(-gone)) timer.root = 0;
    this.#fed = this.moment();
  }

  #timersOf(root: number): Started[] {
    return [...this.#follower.all()].filter((each) => each.isTimer && each.root === root && each.isAwaited());
  }

  /** A new moment, after all that was. */
  moment(): number {
    return ++this.#moment;
  }

  /** Asks to be woken. */
  want(): void {
    this.#isWanted = true;
  }

  /** Whether anything is on its way that was started for samples which had been fed by then. */
  works(by: number = this.#fed): boolean {
    let timers = 0;
    for (const started of this.#follower.all()) {
      if (!started.isAwaited()) continue;
      if (started.root > 0 ? started.root <= by : !started.isTimer || ++timers > this.#standing) return true;
    }
    return false;
  }

  /** Whether what had been fed by then stays inside unless more is fed: nothing is on its way, and all timers that the operator always has went off since. */
  isOver(by: number = this.#fed): boolean {
    if (this.works(by)) return false;
    return this.#timersOf(0).every(({ since }) => since > by);
  }

  /** Runs what is done on our own account while code of an operator runs. */
  beside<T>(run: () => T): T {
    return this.#follower.beside(run);
  }

  close(): void {
    this.#follower.close();
  }
}
