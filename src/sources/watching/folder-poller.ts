import { unlessUnreadable } from '../../files/files.ts';
import { inTurns } from '../../files/many-files.ts';
import type { Stamp, WatchedSource } from '../source.ts';
import type { Arrival, ArrivalLog } from './arrival-log.ts';

/** So many files are entered before everything else has its turn: tens of thousands may arrive between two looks. */
const entered = 2048;

/**
 * Which files have arrived since the last look. A file that is still written is left alone: it has arrived when it holds something, and its bytes and
 * the time at which it was last written are those of the look before. One that has been moved within the source has arrived already.
 */
export class FolderPoller {
  readonly #source: Pick<WatchedSource, 'look' | 'stamp'>;
  readonly #arrivals: ArrivalLog;
  #before: ReadonlyMap<string, Stamp> = new Map();

  constructor(source: Pick<WatchedSource, 'look' | 'stamp'>, arrivals: ArrivalLog) {
    this.#source = source;
    this.#arrivals = arrivals;
  }

  /** Files that are there and have not come to rest. */
  get waiting(): number {
    return this.#before.size;
  }

  /** Their keys. */
  get unrested(): Iterable<string> {
    return this.#before.keys();
  }

  /** Looks once, and enters what has arrived. Answers how many that are. @throws what the source says when it cannot be listed; SINK_WRITE */
  async look(): Promise<number> {
    const found = new Map(await this.#source.look((key) => this.#arrivals.has(key)));
    const before = this.#before;
    this.#before = found;
    let fresh = 0;
    let rested: Arrival[] = [];
    for (const [key, stamp] of found) {
      if (!atRest(stamp, before.get(key))) continue;
      found.delete(key);
      rested.push({ key, stamp });
      if (rested.length < entered) continue;
      fresh += await this.#enter(rested);
      rested = [];
    }
    return fresh + (await this.#enter(rested));
  }

  /** Answers how many of the files are new, and not only moved. */
  async #enter(files: readonly Arrival[]): Promise<number> {
    const known = await inTurns(files, 16, (file) => this.#isKnown(file));
    const fresh = files.filter((_, i) => !known[i]);
    await this.#arrivals.add(
      fresh,
      files.filter((_, i) => known[i]),
    );
    return fresh.length;
  }

  /** Whether a file has arrived under another name, which it has no longer: one that has both is two. */
  async #isKnown({ stamp }: Arrival): Promise<boolean> {
    const earlier = this.#arrivals.keyOf(stamp);
    if (earlier === undefined) return false;
    // Of a name that cannot be looked at nobody knows whether it was moved: the file is taken, rather than lost.
    const there = await (async () => this.#source.stamp(earlier))().catch(unlessUnreadable(stamp));
    return there?.inode !== stamp.inode || !isUnchanged(there, stamp);
  }
}

function atRest(now: Stamp, before: Stamp | undefined): boolean {
  return now.bytes > 0 && before !== undefined && isUnchanged(now, before);
}

/** Whether nobody has written to a file, whatever else some file systems say anew each time. */
function isUnchanged(now: Stamp, before: Stamp): boolean {
  return now.bytes === before.bytes && now.written === before.written;
}
