import { printable } from '../../errors.ts';

/** What stands in a table: a text that is shown whole, or one that may be cut, at its start (a path, whose end tells more) or its end, with what must follow it. */
export type Cell = string | { readonly text: string; readonly cut: 'start' | 'end'; readonly tail?: string };

/** So many characters are left of a text that is cut, before columns are left out. */
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
  const cells = rows.map((row) => row.map(charactersOf));
  const widths = fitted(cells, columns);
  const all = Math.max(0, ...cells.map((row) => row.length));
  return cells.map((row) => {
    const line = row.slice(0, widths.length).map((cell, i) => {
      const text = shown(cell, widths[i]!);
      const space = ' '.repeat(Math.max(0, widths[i]! - lengthOf(text)));
      return numbers && i > 0 ? space + text : text + space;
    });
    return [...line, ...(widths.length < all ? ['…'] : [])].join(gap).trimEnd();
  });
}

interface Characters {
  readonly text: readonly string[];
  readonly cut?: 'start' | 'end';
  readonly tail: string;
}

function charactersOf(cell: Cell): Characters {
  if (typeof cell === 'string') return { text: [...printable(cell)], tail: '' };
  return { text: [...printable(cell.text)], cut: cell.cut, tail: cell.tail === undefined ? '' : ` ${cell.tail}` };
}

/** The width of each column that is shown. */
function fitted(rows: readonly (readonly Characters[])[], columns: number): number[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const all = Array.from({ length: count }, (_, i) => rows.flatMap((row) => row[i] ?? []));
  const whole = all.map((cells) => Math.max(...cells.map(({ text, tail }) => text.length + tail.length)));
  const least = all.map((cells) =>
    Math.max(
      ...cells.map(
        ({ text, cut, tail }) => (cut === undefined ? text.length : Math.min(leastLeft, text.length)) + tail.length,
      ),
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

function shown({ text, cut, tail }: Characters, width: number): string {
  const room = width - tail.length;
  if (cut === undefined || text.length <= room) return text.join('') + tail;
  const left = cut === 'start' ? ['…', ...text.slice(text.length - room + 1)] : [...text.slice(0, room - 1), '…'];
  return left.join('') + tail;
}

function lengthOf(text: string): number {
  return [...text].length;
}
