import { printable } from '../errors.ts';

/** Why a name is not read, in words for one and for many. */
const reasons = {
  ending: ['with another ending', 'with other endings'],
  hidden: ['hidden', 'hidden'],
  nowhere: ['link that leads nowhere', 'links that lead nowhere'],
  again: ['folder that is read under another name', 'folders that are read under other names'],
  kind: ['that is no file', 'that are no files'],
  link: ['link', 'links'],
  further: ['further picture of a sample', 'further pictures of samples'],
  alone: [
    'label or map of fields without a picture next to it',
    'labels or maps of fields without a picture next to them',
  ],
  small: ['face smaller than `minSide`', 'faces smaller than `minSide`'],
  fold: ['of another fold', 'of other folds'],
  limit: ['beyond `limit`', 'beyond `limit`'],
  part: ['of the other `part`', 'of the other `part`'],
  between: ['frame that shows no whole expression', 'frames that show no whole expression'],
  unlabelled: ['frame of a sequence without an emotion', 'frames of sequences without an emotion'],
  split: ['of another `split`', 'of other splits'],
  writing: ['that is still written', 'that are still written'],
  unseen: ['that cannot be looked at now', 'that cannot be looked at now'],
} as const;

export type Reason = keyof typeof reasons;

/** Names that a source has seen and does not read, for one reason. */
export interface PassedOverRow {
  readonly reason: Reason;
  readonly count: number;
  /** One of them. */
  readonly example: string;
  /** How many have which ending, the most frequent first; `none` for those without. Of the reason `ending`. */
  readonly endings?: Readonly<Record<string, number>>;
}

/** Endings that are counted one by one; a folder of numbered endings must not fill the memory. */
const mostEndings = 1000;
/** Endings that are kept in a row, and those that are shown in a line. */
const [keptEndings, shownEndings] = [20, 5];
const longestEnding = 24;
const rest = 'others';

interface Tally {
  count: number;
  readonly example: string;
  readonly endings: Map<string, number>;
}

/** Counts what is passed over, by reason. */
export class PassedOver {
  readonly #tallies = new Map<Reason, Tally>();

  /** @param ending with its dot, '' for none; of the reason `ending`. */
  add(reason: Reason, example: string, ending?: string): void {
    const tally = this.#of(reason, example);
    tally.count++;
    if (ending !== undefined) count(tally.endings, ending === '' ? 'none' : ending.slice(0, longestEnding), 1);
  }

  /** Takes over what another has counted. */
  join(rows: readonly PassedOverRow[]): void {
    for (const { reason, count: more, example, endings = {} } of rows) {
      const tally = this.#of(reason, example);
      tally.count += more;
      for (const [ending, times] of Object.entries(endings)) count(tally.endings, ending, times);
    }
  }

  get rows(): readonly PassedOverRow[] {
    return [...this.#tallies].map(([reason, { count, example, endings }]) => ({
      reason,
      count,
      example,
      ...(endings.size > 0 && { endings: mostFrequent(endings) }),
    }));
  }

  #of(reason: Reason, example: string): Tally {
    const found = this.#tallies.get(reason) ?? { count: 0, example, endings: new Map<string, number>() };
    this.#tallies.set(reason, found);
    return found;
  }
}

function count(endings: Map<string, number>, ending: string, times: number): void {
  const isKnown = endings.has(ending) || endings.size < mostEndings;
  const key = isKnown ? ending : rest;
  endings.set(key, (endings.get(key) ?? 0) + times);
}

function mostFrequent(endings: ReadonlyMap<string, number>): Record<string, number> {
  const sorted = [...endings].sort(([a, m], [b, n]) => Number(a === rest) - Number(b === rest) || n - m);
  const kept = sorted.slice(0, keptEndings);
  const more = sorted.slice(keptEndings).reduce((sum, [, times]) => sum + times, 0);
  // Without a prototype: an ending is a name from outside, `.__proto__` too.
  const found: Record<string, number> = Object.create(null);
  for (const [ending, times] of kept) found[ending] = times;
  if (more > 0) found[rest] = (found[rest] ?? 0) + more;
  return found;
}

/** How many names are passed over. */
export function countOf(rows: readonly PassedOverRow[] = []): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}

/** `3 with other endings (.bmp 2, none 1; notes), 1 hidden (.git)`; '' where nothing is passed over. */
export function passedOverText(rows: readonly PassedOverRow[]): string {
  return rows
    .filter(({ count }) => count > 0)
    .map(({ reason, count, example, endings }) => {
      const shown = Object.entries(endings ?? {}).slice(0, shownEndings);
      const more = Object.keys(endings ?? {}).length > shown.length ? ', …' : '';
      const list = shown.map(([ending, times]) => `${printable(ending)} ${times.toLocaleString('en')}`).join(', ');
      const inside = list === '' ? shortened(example) : `${list}${more}; as ${shortened(example)}`;
      return `${count.toLocaleString('en')} ${reasons[reason][count === 1 ? 0 : 1]} (${inside})`;
    })
    .join(', ');
}

function shortened(name: string): string {
  const shown = printable(name);
  return shown.length > 60 ? `…${shown.slice(-59)}` : shown;
}
