import { combineLatest, distinctUntilChanged, map, type Observable } from 'rxjs';
import { judgeReading, type Reading } from '../../balance/reading.ts';
import { readsAtOnce } from '../../files/native/trials.ts';
import { type Machine, machine } from '../../machine.ts';
import type { Fields, OpenSource } from '../../sources/source.ts';
import { ReadAhead, type ReadingRun } from '../../streams/read-ahead.ts';
import type { Drop } from '../../streams/sample.ts';
import { Picture } from '../../vision/picture.ts';

/** Unless the pipeline says more: each is a thread, and most disks can do no more at a time. */
const mostReads = 256;

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

/** Bytes of files that a run may hold so that a slow read does not stop it: a sixteenth of the memory, and no more than 192 MiB. */
export function readAheadBytes({ memory }: Pick<Machine, 'memory'> = machine()): number {
  return Math.min(192 * 2 ** 20, Math.floor(memory / 16));
}

/** Bytes of files that a run may hold whose stages gather samples: an eighth of the memory, and no more than 1 GiB. */
export function gatheredBytes({ memory }: Pick<Machine, 'memory'> = machine()): number {
  return Math.min(2 ** 30, Math.floor(memory / 8));
}

/** The reads of a run, and how many places the source has: at least `places`, which follow the threads, and more where reads take long. */
export function readingOf(
  places: number | Observable<number>,
  { reads, permits, mostPermits = permits, mostBytes = readAheadBytes() }: ReadingOptions,
  run: Omit<ReadingRun, 'atOnce'>,
): { readonly ahead: ReadAhead; readonly places: Observable<number> } {
  const leastReads = reads ?? (typeof places === 'number' ? places : 8);
  const bounds = {
    leastReads,
    mostReads: reads ?? Math.max(leastReads, mostReads),
    leastPermits: permits,
    mostPermits,
    mostBytes,
  };
  const ahead = new ReadAhead({ ...run, atOnce: () => readsAtOnce.count }, bounds);
  if (reads !== undefined || typeof places === 'number') return { ahead, places: ahead.places };
  const most = combineLatest([places, ahead.places]).pipe(map(([least, more]) => Math.max(least, more)));
  return { ahead, places: most.pipe(distinctUntilChanged()) };
}

/** How the reads of a run go, and what would help; nothing before enough have ended. */
export function readingNow(
  ahead: Pick<ReadAhead, 'pace'>,
  { file }: Pick<OpenSource, 'file'>,
  { reads, permits }: { readonly reads?: unknown; readonly permits?: unknown },
): Reading | undefined {
  const pace = ahead.pace();
  const given = (value: unknown) => (typeof value === 'number' ? value : undefined);
  return pace && judgeReading(pace, { hasFiles: file !== undefined, reads: given(reads), permits: given(permits) });
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
