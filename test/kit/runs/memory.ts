import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Resident memory in MiB after a full collection: what is left is held by someone, not waiting for the collector. */
export function residentMiB(): number {
  collect();
  return process.memoryUsage.rss() / 2 ** 20;
}

/** The most by which a reading lies above an earlier one. Memory that is given back is no growth, and hides none that comes after. */
export function growth(readings: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const reading of readings) {
    least = Math.min(least, reading);
    most = Math.max(most, reading - least);
  }
  return most;
}
