import type { Chance } from '../models/model.ts';
import { Random } from '../random.ts';
import type { MicroBatch } from './loop.ts';

/**
 * The chance of a micro-batch: rows draw by the key and epoch of their sample, the step by the key `batch:<step>`, so that neither depends on
 * how the step is cut, on threads, or on an interruption.
 *
 * @param at `count` samples per epoch; undefined for an endless source, whose epoch is always 0.
 */
export function chanceOf(
  { keys, positions }: Pick<MicroBatch, 'keys' | 'positions'>,
  { seed, step, count }: { readonly seed: number; readonly step: number; readonly count?: number | undefined },
): Chance {
  const epochOf = (n: number) => (count === undefined ? 0 : Math.floor(positions[n]! / count));
  return {
    row: (n, stage) => new Random(seed, stage, keys[n]!, epochOf(n)),
    step: (stage) => new Random(seed, stage, `batch:${step}`),
  };
}
