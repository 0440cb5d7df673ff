import { combineLatest, distinctUntilChanged, map, type Observable } from 'rxjs';
import { readsAtOnce } from '../../files/native/files.ts';
import { type Machine, machine } from '../../machine.ts';
import type { Fields } from '../../sources/source.ts';
import type { Permits } from '../../streams/permits.ts';
import { ReadAhead } from '../../streams/read-ahead.ts';
import type { Drop } from '../../streams/sample.ts';
import { Picture } from '../../vision/picture.ts';

/** No more reads than that are in flight, nor has the addon more threads. */
const mostReads = 1024;

/** How far reading may go. */
export interface ReadingOptions {
  /** Reads in flight, where they are fixed. */
  readonly reads?: number | undefined;
  /** Samples in flight at least, and at most where reads take long. */
  readonly permits: number;
  readonly mostPermits?: number | undefined;
  /** Bytes of files that may be held where reads take long. */
  readonly mostBytes?: number;
}

/** Bytes of files that a run may hold so that a slow read does not stop it: a sixteenth of the memory, and no more than 256 MiB. */
export function readAheadBytes({ memory }: Pick<Machine, 'memory'> = machine()): number {
  return Math.min(2 ** 28, Math.floor(memory / 16));
}

/** The reads of a run, and how many places the source has: at least `places`, which follow the threads, and more where reads take long. */
export function readingOf(
  permits: Permits,
  places: number | Observable<number>,
  options: ReadingOptions,
  now: () => number,
  behind: () => number,
): { readonly ahead: ReadAhead; readonly places: Observable<number> } {
  const { reads, mostPermits = options.permits, mostBytes = readAheadBytes() } = options;
  const bounds = {
    leastReads: reads ?? (typeof places === 'number' ? places : 8),
    mostReads: reads ?? mostReads,
    leastPermits: options.permits,
    mostPermits,
    mostBytes,
  };
  const ahead = new ReadAhead(permits, bounds, now, behind, () => readsAtOnce.count);
  if (reads !== undefined || typeof places === 'number') return { ahead, places: ahead.places };
  const most = combineLatest([places, ahead.places]).pipe(map(([least, more]) => Math.max(least, more)));
  return { ahead, places: most.pipe(distinctUntilChanged()) };
}

/** Bytes of memory that a sample keeps from being used otherwise. */
export function bytesHeld(fields: Fields | Drop): number {
  const { bytes, picture } = fields as { readonly bytes?: unknown; readonly picture?: unknown };
  const held = picture instanceof Picture ? dataOf(picture) : bytes;
  if (!(held instanceof Uint8Array)) return 0;
  const whole = held.buffer.byteLength;
  // Room that was lent is larger than what lies in it; a view of a large array is not all of it.
  return whole <= 2 * held.byteLength + 2 ** 16 ? whole : held.byteLength;
}

function dataOf({ origin }: Picture): Uint8Array {
  return origin.kind === 'raw' ? origin.data : origin.bytes;
}
