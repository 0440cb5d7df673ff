import { Random } from '../../random.ts';

/** A place in the run: which pass over the data, and which sample of the source's listing. */
export interface Place {
  readonly epoch: number;
  readonly index: number;
}

/**
 * The order of a run: the permutations of epoch 0, 1, 2 … laid end to end. Each is a pure function of (count, seed, epoch):
 * Fisher–Yates on the generator of stage `order`, sample key ''. Without `shuffle` every epoch is the listing order.
 * Only the epoch last asked for is kept (4 bytes a sample), so ask in order.
 */
export function order(count: number, seed: number, shuffle: boolean): (position: number) => Place {
  let kept = -1;
  let permutation: Uint32Array | undefined;
  return (position) => {
    const epoch = Math.floor(position / count);
    const within = position - epoch * count;
    if (!shuffle) return { epoch, index: within };
    if (permutation === undefined || kept !== epoch) {
      permutation = new Random(seed, 'order', '', epoch).permutation(count);
      kept = epoch;
    }
    return { epoch, index: permutation[within]! };
  };
}
