/** Does `work` for all items, `limit` at a time; the results are in the order of the items. The first failure is thrown. */
export async function inTurns<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!, i);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}

/** Samples that lie in several files, one file behind the other. */
export interface Joined<F> {
  readonly count: number;
  /** The file of a sample, and its number there. */
  place(index: number): { readonly file: F; readonly within: number };
}

/** Joins files that have so many samples each. */
export function joined<F>(files: readonly F[], countOf: (file: F) => number): Joined<F> {
  let count = 0;
  const ends = files.map((file) => {
    count += countOf(file);
    return count;
  });
  return {
    count,
    place(index) {
      let [low, high] = [0, ends.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ends[middle]! > index) high = middle;
        else low = middle + 1;
      }
      return { file: files[low]!, within: index - (ends[low - 1] ?? 0) };
    },
  };
}
