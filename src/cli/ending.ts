import { exits, type Signal, type Terminal } from './command.ts';

/** A process that is to end, uses less than so many of a thousand milliseconds of a core and reads and writes nothing, for so many seconds on end, stands still. */
const [idleMs, mostIdle] = [20, 120];

/**
 * Ends the process at once, by the signal itself: `process.exit` waits for threads, of which one may never come back. Where the signal has no effect, as for the
 * first process of a container, it exits.
 */
export function endNow(
  terminal: Terminal,
  signal: Signal,
  listeners: readonly (readonly [Signal, () => void])[],
): never {
  for (const [name, listener] of listeners) terminal.off(name, listener);
  if (terminal.pid !== undefined) terminal.kill?.(terminal.pid, signal);
  return terminal.exit(exits[signal]);
}

/** Calls `ring` once when a process that is to end has stood still: what it waits for never comes. */
export class StillWatch {
  readonly #used: () => number;
  readonly #ring: () => void;
  #before: number;
  #idle = 0;

  /** @param used milliseconds in which all threads of the process have computed; a second of its own for what it has read and written since. */
  constructor(ring: () => void, used: () => number = usedMs) {
    this.#ring = ring;
    this.#used = used;
    this.#before = used();
  }

  /** To be called once a second while the process runs: seconds in which it was stopped do not count. */
  tick(): void {
    const now = this.#used();
    this.#idle = now - this.#before < idleMs ? this.#idle + 1 : 0;
    this.#before = now;
    if (this.#idle === mostIdle) this.#ring();
  }

  /** Looks by itself. Returns the way to stop that. */
  start(): () => void {
    const timer = setInterval(() => this.tick(), 1000);
    timer.unref();
    return () => clearInterval(timer);
  }
}

/** A disk that is slow is no standstill: blocks read and written count as work. */
function usedMs(): number {
  const { userCPUTime, systemCPUTime, fsRead, fsWrite } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1000 + (fsRead + fsWrite) * idleMs;
}
