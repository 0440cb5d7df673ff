import { Random } from '../../random.ts';
import type { PartShare } from '../open-source.ts';

/** A sample of a mixture. */
export interface Turn {
  /** Which part, and which of its samples. */
  readonly part: number;
  readonly index: number;
  /** How many times the epoch had passed over the part before. */
  readonly again: number;
}

/** Whole numbers in the proportions of the weights, `samples` in all: what is left after rounding down goes to those that have lost most, the first of equals first. */
export function sharesOf(weights: readonly number[], samples: number): number[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const exact = weights.map((weight) => (samples * weight) / whole);
  const shares = exact.map(Math.floor);
  const left = samples - shares.reduce((sum, share) => sum + share, 0);
  const lost = exact.map((share, i) => ({ i, lost: share - shares[i]! })).sort((a, b) => b.lost - a.lost || a.i - b.i);
  for (const { i } of lost.slice(0, left)) shares[i]!++;
  return shares;
}

/**
 * Which sample of which part sample `index` of a mixture is; indices go on from epoch to epoch (`OpenSource.turns`). In an epoch the parts lie one behind the other. Each is passed over again
 * and again, and an epoch goes on where the one before has ended: so the samples of a part are met equally often, but for one time, whatever its share. One of which an epoch has no
 * whole number of passes is passed over in an order of its own, always the same (`docs/chance.md`): else an epoch would have the classes of a sorted folder one by one.
 */
export function turnsOf(parts: readonly PartShare[]): (index: number) => Turn {
  const samples = parts.reduce((sum, { share }) => sum + share, 0);
  const orders = parts.map(({ name, count, share }) =>
    share % count === 0 ? undefined : new Random(0, 'mixture', name, 0).permutation(count),
  );
  return (index) => {
    const epoch = Math.floor(index / samples);
    let within = index - epoch * samples;
    let part = 0;
    for (; within >= parts[part]!.share; part++) within -= parts[part]!.share;
    const { count, share } = parts[part]!;
    const turn = epoch * share + within;
    const pass = Math.floor(turn / count);
    const place = turn - pass * count;
    return { part, index: orders[part]?.[place] ?? place, again: pass - Math.floor((epoch * share) / count) };
  };
}
