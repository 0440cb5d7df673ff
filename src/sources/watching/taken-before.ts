import { keysDigest } from '../keys-digest.ts';
import type { Stamp } from '../source.ts';
import type { Arrival } from './arrival-log.ts';

/**
 * The files that a job has listed before its source was watched, in the order of its positions, as far as they are there still: all, or those that were there when
 * it began. A digest says whether they are the ones; nothing where none of these are, as where one was removed since.
 *
 * @param found what is there now, in listing order. @param began when the job began, in nanoseconds.
 */
export function takenBefore(
  found: ReadonlyMap<string, Stamp>,
  { count, keys }: { readonly count: number; readonly keys: string },
  began: bigint,
): readonly Arrival[] | undefined {
  const all = [...found].map(([key, stamp]) => ({ key, stamp }));
  const isEarlier = (time: string | undefined) => time !== undefined && time !== '' && BigInt(time) <= began;
  const ways = [
    () => all,
    () => all.filter(({ stamp }) => isEarlier(stamp.changed)),
    () => all.filter(({ stamp }) => isEarlier(stamp.written) && (stamp.born === '' || isEarlier(stamp.born))),
  ];
  for (const way of ways) {
    const files = way();
    if (files.length === count && keysDigest(files.map(({ key }) => key)) === keys) return files;
  }
  return undefined;
}
