/** Which values of a number are better. */
export type Better = 'higher' | 'lower';

/** What a number was after so many steps. */
export interface Judged {
  readonly step: number;
  readonly value: number;
}

/** The best of the values; the earliest of those that are equal. Undefined of none. */
export function bestOf(judged: readonly Judged[], better: Better): Judged | undefined {
  return judged.reduce<Judged | undefined>(
    (best, one) => (best === undefined || gain(best, one, better) > 0 ? one : best),
    undefined,
  );
}

/** How many of the last values in a row have brought nothing better than the best before them by more than `minDelta`, as Keras and Lightning count them. */
export function withoutGain(
  judged: readonly Judged[],
  { better, minDelta }: { readonly better: Better; readonly minDelta: number },
): number {
  let best: Judged | undefined;
  let count = 0;
  for (const one of judged) {
    if (best === undefined || gain(best, one, better) > minDelta) [best, count] = [one, 0];
    else count += 1;
  }
  return count;
}

function gain(before: Judged, now: Judged, better: Better): number {
  return better === 'higher' ? now.value - before.value : before.value - now.value;
}
