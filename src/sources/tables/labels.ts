import { z } from 'zod';
import { counted } from '../../counts.ts';
import { fail, nearest } from '../../errors.ts';
import { readWhole } from '../../files/files.ts';
import { byCodeUnit } from '../../files/listing.ts';
import { pathOption } from '../../files/path-option.ts';

/** More classes than any data set has: their names are in memory. */
export const mostClasses = 2 ** 16;

/** Of a file of names. */
const mostBytes = 2 ** 24;

export const classesOption = z
  .union([z.array(z.string()).min(1).max(mostClasses), pathOption()])
  .optional()
  .describe(
    'The names of the classes in the order of their numbers, or a file with one on each line. Without it names are numbered by code unit, and numbers stay as they are.',
  );

/**
 * The classes as an option names them, in NFC.
 *
 * @param path of the file, where the option is one
 * @throws TABLE_CLASSES, FILE_UNREADABLE, FILE_LARGE
 */
export async function namedClasses(option: readonly string[] | string, path: string, signal: AbortSignal) {
  const written =
    typeof option === 'string'
      ? Buffer.from(await readWhole(path, option, { maxBytes: mostBytes, signal }))
          .toString('utf8')
          .replace(/^\uFEFF|\r?\n$/g, '')
          .split(/\r?\n/)
      : option;
  return soundClasses(written);
}

/** Names in NFC, where they can be classes. @throws TABLE_CLASSES */
export function soundClasses(written: readonly string[], where?: string): string[] {
  const names = written.map((name) => name.normalize('NFC'));
  const refuse = (found: string) => fail('TABLE_CLASSES', { found }, { where });
  if (names.length === 0) throw refuse('no name');
  if (names.length > mostClasses) throw refuse(counted(names.length, 'name'));
  const seen = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    if (name.trim() === '') throw refuse(`an empty name, number ${i}`);
    const first = seen.get(name);
    if (first !== undefined) throw refuse(`${name} twice, as numbers ${first} and ${i}`);
    seen.set(name, i);
  }
  return names;
}

/** A label that is a number of its class, in the one way to write it. */
const wholeNumber = /^(0|[1-9]\d{0,8})$/;

/** A label as it stands in a table. */
interface LabelText {
  readonly number: number;
  /** Of the first row that has it. */
  readonly place: string;
  /** A row that is read has it. */
  isRead: boolean;
}

/** Labels of a table as they stand there, numbers or names, each kept as the number of its text. */
export class Labels {
  readonly #texts = new Map<string, LabelText>();
  readonly #rows: number[] = [];

  /** The label of a row. @param place of the row, for messages. @throws TABLE_ROW for what is no label */
  add(value: unknown, place: string, where: string): void {
    const text = labelText(value);
    if (text === undefined) {
      const found = value === '' || value === null || value === undefined ? 'no label' : `the label ${String(value)}`;
      const slots = { expected: 'a label, a name or a whole number from 0', place, found: found.slice(0, 80) };
      throw fail('TABLE_ROW', { ...slots, advice: '' }, { where });
    }
    const known = this.#known(text, place);
    known.isRead = true;
    this.#rows.push(known.number);
  }

  /** The label of a row that is not read: its class has a number all the same. A row without one has none. */
  see(value: unknown, place: string): void {
    const text = labelText(value);
    if (text !== undefined) this.#known(text, place);
  }

  #known(text: string, place: string): LabelText {
    const known = this.#texts.get(text) ?? { number: this.#texts.size, place, isRead: false };
    this.#texts.set(text, known);
    return known;
  }

  /**
   * The classes, and of each row that is read the number of its own. With `classes` a label is one of their names or, where none of the names is a number, a number among them. Without,
   * whole numbers are what they are, and names are numbered by code unit, those of rows that are not read among them.
   *
   * @throws TABLE_ROW for a label of none of the classes; TABLE_LABELS where numbers and names are mixed
   */
  settle(classes: readonly string[] | undefined, where: string): { ranks: Int32Array; names: readonly string[] } {
    const names = classes ?? this.#names([...this.#texts.keys()], where);
    const rankOf = new Map(names.map((name, rank) => [name, rank]));
    const byNumber = !names.some((name) => wholeNumber.test(name));
    const ranks = [...this.#texts].map(([text, { place, isRead }]) => {
      if (!isRead) return -1;
      const rank = rankOf.get(text) ?? (byNumber && wholeNumber.test(text) ? Number(text) : names.length);
      if (rank < names.length) return rank;
      const slip = nearest(text, names);
      const slots = { expected: `a label of ${counted(names.length, 'class', 'classes')}`, found: `the label ${text}` };
      const advice = `, or \`classes\`${slip === undefined ? '' : `; did you mean ${slip}?`}`;
      throw fail('TABLE_ROW', { ...slots, place, advice }, { where });
    });
    return { ranks: Int32Array.from(this.#rows, (number) => ranks[number]!), names };
  }

  #names(texts: readonly string[], where: string): string[] {
    const number = texts.find((text) => wholeNumber.test(text));
    // A text that a program may have made of a number, as `1.0` and `01`, sorts elsewhere than the number.
    const other = texts.find(
      (text) => !wholeNumber.test(text) && (number !== undefined || Number.isFinite(Number(text))),
    );
    if (other !== undefined) {
      const first = number ?? texts.find((text) => text !== other) ?? other;
      const place = (text: string) => this.#texts.get(text)!.place;
      const slots = { first, firstPlace: place(first), found: other, place: place(other) };
      throw fail('TABLE_LABELS', slots, { where });
    }
    if (number === undefined) return soundClasses(texts.toSorted(byCodeUnit), where);
    const most = texts.reduce((most, text) => Math.max(most, Number(text)), 0);
    if (most >= mostClasses) {
      const place = this.#texts.get(String(most))!.place;
      const slots = {
        expected: `a label below ${mostClasses.toLocaleString('en')}`,
        place,
        found: `the label ${most}`,
      };
      throw fail('TABLE_ROW', { ...slots, advice: '' }, { where });
    }
    return Array.from({ length: most + 1 }, (_, i) => String(i));
  }
}

/** A label's text, a name in NFC; nothing for what is no label. */
function labelText(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim() === '' ? undefined : value.normalize('NFC');
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
  return wholeNumber.test(text) ? text : undefined;
}

/** How many rows have each of `classes`. */
export function countsOf(ranks: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const rank of ranks) counts[rank]!++;
  return counts;
}
