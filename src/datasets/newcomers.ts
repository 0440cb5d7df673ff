import type { Arrival, Arrivals } from './arrivals.ts';
import type { Stamp, WatchedSource } from './source.ts';

/**
 * Which files have arrived since the last look. A file that is still written is left alone: it has arrived when it holds something, and its bytes and
 * the time at which it was last written are those of the look before. One that has been moved within the source has arrived already.
 */
export class Newcomers {
  readonly #source: Pick<WatchedSource, 'look' | 'isThere'>;
  readonly #arrivals: Arrivals;
  #before: ReadonlyMap<string, Stamp> = new Map();

  constructor(source: Pick<WatchedSource, 'look' | 'isThere'>, arrivals: Arrivals) {
    this.#source = source;
    this.#arrivals = arrivals;
  }

  /** Files that are there and have not come to rest. */
  get waiting(): number {
    return this.#before.size;
  }

  /** Looks once, and enters what has arrived. Answers how many that are. @throws what the source says when it cannot be listed; SINK_WRITE */
  async look(): Promise<number> {
    const found = new Map(await this.#source.look((key) => this.#arrivals.has(key)));
    const fresh: Arrival[] = [];
    const moved: Arrival[] = [];
    for (const [key, stamp] of found) {
      if (!atRest(stamp, this.#before.get(key))) continue;
      found.delete(key);
      const earlier = this.#arrivals.keyOf(stamp);
      if (earlier !== undefined && !(await this.#source.isThere(earlier, stamp))) moved.push({ key, stamp });
      else fresh.push({ key, stamp });
    }
    this.#before = found;
    await this.#arrivals.add(fresh, moved);
    return fresh.length;
  }
}

function atRest(now: Stamp, before: Stamp | undefined): boolean {
  return now.bytes > 0 && now.bytes === before?.bytes && now.written === before.written;
}
