import type { RandomSource } from '../models/model.ts';
import { Random } from '../random.ts';

/**
 * The chance of a micro-batch: rows draw by the key and epoch of their sample, the step by the key `batch:<step>`, so that neither depends on
 * how the step is cut, on threads, or on an interruption.
 *
 * @param at `count` samples per epoch; undefined for an endless source, whose epoch is always 0.
 */
export function chanceOf(
  { keys, positions }: { readonly keys: readonly string[]; readonly positions: readonly number[] },
  { seed, step, count }: { readonly seed: number; readonly step: number; readonly count?: number | undefined },
): RandomSource {
  const epochOf = (n: number) => (count === undefined ? 0 : Math.floor(positions[n]! / count));
  return {
    row: (n, stage) => new Random(seed, stage, keys[n]!, epochOf(n)),
    step: (stage) => new Random(seed, stage, `batch:${step}`),
    stepNumber: step,
  };
}
