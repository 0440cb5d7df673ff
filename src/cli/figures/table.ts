import { printable } from '../../errors.ts';
import { cutTo, padded, widthOf } from './width.ts';

/** What stands in a table: a text that is shown whole, or one that may be cut, at its start (a path, whose end tells more) or its end, with what must follow it. */
export type Cell = string | { readonly text: string; readonly cut: 'start' | 'end'; readonly tail?: string };

/** So many columns are left of a text that is cut, before columns are left out. */
const leastLeft = 8;
const gap = '  ';

/**
 * Lines of a table, safe to be shown.
 *
 * @param columns of the terminal that the table is to fit: texts are cut, those of the widest columns first, and where that is not enough, columns at the right are left out.
 * Without it nothing is. @param numbers whether columns but the first are of numbers, which end below each other.
 */
export function tableLines(
  rows: readonly (readonly Cell[])[],
  { columns = Number.POSITIVE_INFINITY, numbers = false }: { columns?: number | undefined; numbers?: boolean } = {},
): string[] {
  const cells = rows.map((row) => row.map(shownCell));
  const widths = fitted(cells, columns);
  const all = Math.max(0, ...cells.map((row) => row.length));
  return cells.map((row) => {
    const line = row.slice(0, widths.length).map((cell, i) => {
      const width = widths[i]!;
      const text = fittedText(cell, width);
      return numbers && i > 0 ? ' '.repeat(Math.max(0, width - widthOf(text))) + text : padded(text, width);
    });
    return [...line, ...(widths.length < all ? ['…'] : [])].join(gap).trimEnd();
  });
}

interface Shown {
  readonly text: string;
  readonly width: number;
  readonly cut?: 'start' | 'end';
  readonly tail: string;
}

function shownCell(cell: Cell): Shown {
  const { cut, tail, ...own } = typeof cell === 'string' ? { text: cell } : { ...cell };
  const text = printable(own.text);
  return { text, width: widthOf(text), ...(cut && { cut }), tail: tail === undefined ? '' : ` ${printable(tail)}` };
}

/** The width of each column that is shown. */
function fitted(rows: readonly (readonly Shown[])[], columns: number): number[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const all = Array.from({ length: count }, (_, i) => rows.flatMap((row) => row[i] ?? []));
  const whole = all.map((cells) => Math.max(...cells.map(({ width, tail }) => width + widthOf(tail))));
  const least = all.map((cells) =>
    Math.max(
      ...cells.map(({ width, cut, tail }) => (cut === undefined ? width : Math.min(leastLeft, width)) + widthOf(tail)),
    ),
  );
  const taken = (widths: readonly number[]) =>
    widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1);
  const more = gap.length + 1;
  let kept = count;
  while (kept > 1 && taken(least.slice(0, kept)) + (kept < count ? more : 0) > columns) kept--;
  const room = columns - (kept < count ? more : 0);
  const [widths, floor] = [whole.slice(0, kept), least.slice(0, kept)];
  while (taken(widths) > room) {
    const widest = widths.reduce(
      (best, width, i) => (width > floor[i]! && (best < 0 || width > widths[best]!) ? i : best),
      -1,
    );
    if (widest < 0) break;
    widths[widest]!--;
  }
  return widths;
}

function fittedText({ text, cut, tail }: Shown, width: number): string {
  return (cut === undefined ? text : cutTo(text, width - widthOf(tail), cut)) + tail;
}
