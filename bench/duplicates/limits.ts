import type { PictureRow } from '../../src/sinks/duplicates/row.ts';
import { type Change, changes, type Planted } from './pictures.ts';

/** What the sink's options allow, from tight to loose. */
const withins = Array.from({ length: 25 }, (_, i) => 4 * i);
const aboves = Array.from({ length: 21 }, (_, i) => Math.round(1000 - 5 * i) / 1000);

/** A pair that was found at the loosest limits: `bits` counts where both show the same, `likeness` elsewhere. */
interface Pair {
  readonly change: Change | undefined;
  readonly isSame: boolean;
  readonly bits: number;
  readonly likeness: number;
}

export interface AtLimits {
  readonly within: number;
  readonly above: number;
  /** The share of what is found that was planted. */
  readonly precision: number;
  /** Of each kind of change, how many were found. */
  readonly found: Readonly<Record<Change, number>>;
}

/** Reads the lines of a job at the loosest limits, within 96 and above 0.9. */
export async function pairsOf(rows: AsyncIterable<PictureRow>, planted: readonly Planted[]): Promise<readonly Pair[]> {
  const change = new Map(planted.map((one) => [pairOf(one.original, one.copy), one.change]));
  const pairs: Pair[] = [];
  for await (const { key, like } of rows) {
    for (const { key: other, bits, likeness, mirrored, crop } of like) {
      // A copy of a crop or of a mirror image is found by its likeness, all others by their bits.
      const isSame = mirrored === undefined && crop === undefined && bits <= 96;
      pairs.push({ change: change.get(pairOf(key, other)), isSame, bits, likeness });
    }
  }
  return pairs;
}

export const pairOf = (a: string, b: string) => (a < b ? `${a}|${b}` : `${b}|${a}`);

/** What is found at tighter limits than those of the job: pairs that are the same by `within`, or alike by `above`. */
export function atLimits(pairs: readonly Pair[], within: number, above: number): AtLimits {
  const found = Object.fromEntries(changes.map((change) => [change, 0])) as Record<Change, number>;
  let [given, right] = [0, 0];
  for (const { change, isSame, bits, likeness } of pairs) {
    if (isSame ? bits > within && likeness < above : likeness < above) continue;
    given++;
    if (change === undefined) continue;
    right++;
    found[change]++;
  }
  return { within, above, precision: given === 0 ? 1 : right / given, found };
}

/** The limits at which most is found with a precision of at least 99 %; of equal ones the tightest. */
export function bestLimits(pairs: readonly Pair[]): AtLimits {
  const all = withins.flatMap((within) => aboves.map((above) => atLimits(pairs, within, above)));
  const sum = ({ found }: AtLimits) => changes.reduce((total, change) => total + found[change], 0);
  return all.filter(({ precision }) => precision >= 0.99).reduce((best, one) => (sum(one) > sum(best) ? one : best));
}
