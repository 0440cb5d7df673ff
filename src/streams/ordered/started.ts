import { createHook, executionAsyncId } from 'node:async_hooks';
import type { VirtualTimeScheduler } from 'rxjs';

/** Something that code has started and that may call back: a timer, a promise, a request. */
export interface Started {
  /** Which call led to it, directly or through something that it had started. */
  root: number;
  readonly isTimer: boolean;
  /** When it was started, or last called back. */
  since: number;
  /** False for what was taken back, and what would not keep a process alive, as a connection that is only kept for later. */
  isAwaited(): boolean;
}

/** What a follower asks, and whom it calls. */
export interface Following {
  /** The present moment, as `since` counts it. */
  moment(): number;
  /** Something has called back, or will not any more. Called in its midst: only to be remembered. */
  changed(): void;
}

/** Follows what calls have started, and what that has started, until it is over. */
export interface Follower {
  run(root: number, code: () => void): void;
  /** Runs code that is not to be followed. */
  beside<T>(code: () => T): T;
  /** What is not over. */
  all(): Iterable<Started>;
  close(): void;
}

/** Of Node's timers, promises, requests and handles, by its hooks. They are on only while something is followed. */
export class NodeFollower implements Follower {
  readonly following: Following;
  readonly started = new Map<number, Started>();

  constructor(following: Following) {
    this.following = following;
  }

  run(root: number, code: () => void): void {
    const outer = now;
    now = { follower: this, root };
    hook.enable();
    try {
      code();
    } finally {
      now = outer;
      rest();
    }
  }

  beside<T>(code: () => T): T {
    const outer = now;
    now = 'beside';
    try {
      return code();
    } finally {
      now = outer;
    }
  }

  all(): Iterable<Started> {
    return this.started.values();
  }

  close(): void {
    for (const id of this.started.keys()) owners.delete(id);
    this.started.clear();
    rest();
  }
}

/** Whose the code is that runs now, where that is known without looking. */
let now: { readonly follower: NodeFollower; readonly root: number } | 'beside' | undefined;
/** By Node's numbers, everything that is followed. */
const owners = new Map<number, NodeFollower>();

/** Whoever follows nothing, pays nothing: every promise of the process is slower while hooks are on. */
function rest(): void {
  if (owners.size === 0 && (now === undefined || now === 'beside')) hook.disable();
}

function over(id: number): void {
  const follower = owners.get(id);
  if (follower === undefined) return;
  owners.delete(id);
  follower.started.delete(id);
  follower.following.changed();
  rest();
}

const hook = createHook({
  init(id, type, _, resource) {
    if (now === 'beside') return;
    const parent = executionAsyncId();
    const follower = now?.follower ?? owners.get(parent);
    if (follower === undefined) return;
    const root = now?.root ?? follower.started.get(parent)!.root;
    // Handles and timers can be asked. What else there is, is not held here: a promise that nobody holds is over.
    const handle = 'hasRef' in resource ? (resource as { hasRef(): boolean | null }) : undefined;
    const since = follower.following.moment();
    owners.set(id, follower);
    follower.started.set(id, {
      root,
      isTimer: type === 'Timeout',
      since,
      isAwaited: () => handle === undefined || handle.hasRef() === true,
    });
  },
  before(id) {
    const follower = owners.get(id);
    const started = follower?.started.get(id);
    if (follower === undefined || started === undefined) return;
    started.since = follower.following.moment();
    follower.following.changed();
  },
  destroy: over,
  promiseResolve: over,
});

/** An action of virtual time, which is over when it has been executed or taken back. */
type Action = VirtualTimeScheduler['actions'][number];

/** Of the actions of virtual time. */
export class VirtualFollower implements Follower {
  readonly #scheduler: VirtualTimeScheduler;
  readonly #following: Following;
  readonly #started = new Map<Action, Started>();
  readonly #beside = new WeakSet<Action>();

  constructor(scheduler: VirtualTimeScheduler, following: Following) {
    this.#scheduler = scheduler;
    this.#following = following;
  }

  run(root: number, code: () => void): void {
    for (const action of this.#newOf(code)) this.#follow(action, root);
  }

  beside<T>(code: () => T): T {
    let result: { readonly value: T } | undefined;
    for (const action of this.#newOf(() => (result = { value: code() }))) this.#beside.add(action);
    return result!.value;
  }

  all(): Iterable<Started> {
    for (const action of this.#started.keys()) if (action.closed) this.#started.delete(action);
    return this.#started.values();
  }

  close(): void {
    this.#started.clear();
  }

  #newOf(code: () => void): Action[] {
    const before = new Set(this.#scheduler.actions);
    code();
    return this.#scheduler.actions.filter((action) => !before.has(action) && !this.#beside.has(action));
  }

  #follow(action: Action, root: number): void {
    if (this.#started.has(action)) return;
    const since = this.#following.moment();
    const started = { root, isTimer: true, since, isAwaited: () => !action.closed };
    this.#started.set(action, started);
    const execute = action.execute;
    action.execute = (state, delay) => {
      let error: unknown;
      this.run(started.root, () => {
        error = execute.call(action, state, delay);
      });
      this.#started.delete(action);
      this.#following.changed();
      return error;
    };
  }
}
