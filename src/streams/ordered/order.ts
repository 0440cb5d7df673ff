import { Random } from '../../random.ts';

/** A place in the run: which pass over the data, and the index that the source knows the sample by. */
export interface Place {
  readonly epoch: number;
  readonly index: number;
}

/** What of a source decides its order. */
export interface Ordered {
  readonly count: number;
  readonly turns?: true;
}

/**
 * The order of a run: the permutations of epoch 0, 1, 2 … laid end to end. Each is a pure function of (count, seed, epoch):
 * Fisher–Yates on the generator of stage `order`, sample key ''. Without `shuffle` every epoch is the listing order. Indices of a source that `turns`
 * go on from epoch to epoch: its sample i of epoch e is e · count + i. Only the epoch last asked for is kept (4 bytes a sample), so ask in order.
 */
export function order({ count, turns }: Ordered, seed: number, shuffle: boolean): (position: number) => Place {
  let kept = -1;
  let permutation: Uint32Array | undefined;
  return (position) => {
    const epoch = Math.floor(position / count);
    const start = epoch * count;
    const within = position - start;
    const from = turns ? start : 0;
    if (!shuffle) return { epoch, index: from + within };
    if (permutation === undefined || kept !== epoch) {
      permutation = new Random(seed, 'order', '', epoch).permutation(count);
      kept = epoch;
    }
    return { epoch, index: from + permutation[within]! };
  };
}
