import { relative, resolve, sep } from 'node:path';
import { fail } from '../../errors.ts';
import type { TableVisitor } from '../../formats/table/visitor.ts';
import { boxOf } from './boxes.ts';
import { FieldValues, type TableField } from './fields.ts';
import { Labels } from './labels.ts';

/** The columns of a list of pictures, by what they have. */
export interface Columns {
  readonly path: string;
  readonly label: string;
  readonly box: string | readonly string[];
  readonly split: string;
  readonly subject?: string | undefined;
}

interface RowOptions {
  readonly columns: Columns;
  readonly labels: boolean;
  readonly boxes: boolean;
  readonly boxForm: 'size' | 'corners';
  readonly split?: string | undefined;
  readonly fields: Readonly<Record<string, TableField>>;
  /** Where relative paths start. */
  readonly root: string;
  /** How the file is called in messages. */
  readonly file: string;
}

/** The rows of a list of pictures, checked one by one and kept column by column. */
export class ManifestRows implements TableVisitor {
  readonly #options: RowOptions;
  readonly #keys: string[] = [];
  readonly #paths: string[] = [];
  readonly #subjects: string[] = [];
  readonly #boxes: number[] = [];
  readonly #fields: ReadonlyMap<string, FieldValues>;
  readonly #taken = new Set<string>();
  readonly #times = new Map<string, number>();
  readonly labels = new Labels();
  /** How many rows there are of each split. */
  readonly splits = new Map<string, number>();
  /** The keys of rows of other splits. */
  readonly others: string[] = [];

  constructor(options: RowOptions) {
    this.#options = options;
    this.#fields = new Map(Object.entries(options.fields).map(([name, field]) => [name, new FieldValues(name, field)]));
  }

  /** @throws TABLE_COLUMN for a column that is asked for and is not there */
  columns(names: readonly string[]): void {
    const { columns, labels, boxes, split, fields, file } = this.#options;
    const wanted: (readonly [column: string, option: string])[] = [
      [columns.path, '`columns.path`'],
      ...(labels ? [[columns.label, '`labels`'] as const] : []),
      ...(boxes ? [columns.box].flat().map((column) => [column, '`boxes`'] as const) : []),
      ...(split === undefined ? [] : [[columns.split, '`split`'] as const]),
      ...(columns.subject === undefined ? [] : [[columns.subject, '`columns.subject`'] as const]),
      ...Object.entries(fields).map(([name, { column = name }]) => [column, `the field ${name}`] as const),
    ];
    const missing = wanted.find(([column]) => !names.includes(column));
    if (missing === undefined) return;
    const [column, option] = missing;
    throw fail('TABLE_COLUMN', { column, option, found: names.join(', ').slice(0, 200) || 'none' }, { where: file });
  }

  row(value: (column: string) => unknown, line: number): void {
    const { columns, labels, boxes, boxForm, split, fields, file } = this.#options;
    const place = `line ${line}`;
    const path = this.#pathOf(value(columns.path), place);
    const key = this.#keyOf(path);
    const own = split === undefined ? undefined : textIn(value(columns.split));
    if (own !== undefined) this.splits.set(own, (this.splits.get(own) ?? 0) + 1);
    if (own !== split) {
      this.others.push(key);
      if (labels) this.labels.see(value(columns.label), place);
      return;
    }
    if (labels) this.labels.add(value(columns.label), place, file);
    this.#keys.push(key);
    this.#paths.push(path);
    if (columns.subject !== undefined) this.#subjects.push(this.#subjectOf(value(columns.subject), place));
    if (boxes) {
      const { box } = columns;
      const written = typeof box === 'string' ? value(box) : box.map(value);
      this.#boxes.push(...boxOf(written, boxForm, place, file));
    }
    for (const [name, values] of this.#fields) values.add(value(fields[name]?.column ?? name), place, file);
  }

  /** The path of a file, from `root` on, with forward slashes. @throws TABLE_ROW for what is none */
  #pathOf(written: unknown, place: string): string {
    const { root, file } = this.#options;
    const refuse = (found: string, advice: string) =>
      fail('TABLE_ROW', { expected: 'the path of a file', place, found, advice }, { where: file });
    if (typeof written !== 'string' || written === '' || written.includes('\0'))
      throw refuse(written === undefined || written === '' ? 'nothing' : String(written).slice(0, 80), '');
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(written))
      throw refuse(written.slice(0, 80), ': addresses are not read, fetch the file first');
    const inside = relative(root, resolve(root, written)).split(sep).join('/');
    if (inside === '') throw refuse(written.slice(0, 80), '');
    return inside;
  }

  /** A key for each row: the path, and for further rows of one file `#2`, `#3` … behind it. */
  #keyOf(path: string): string {
    let times = this.#times.get(path) ?? 0;
    let key: string;
    do {
      times++;
      key = times === 1 ? path : `${path}#${times}`;
    } while (this.#taken.has(key));
    this.#times.set(path, times);
    this.#taken.add(key);
    return key;
  }

  #subjectOf(written: unknown, place: string): string {
    const text = textIn(written);
    if (text !== '') return text;
    const slots = { expected: 'whom or what the picture is of', place, found: 'nothing', advice: '' };
    throw fail('TABLE_ROW', slots, { where: this.#options.file });
  }

  /** How many rows of the split there are. */
  get count(): number {
    return this.#keys.length;
  }

  key = (row: number): string => this.#keys[row]!;
  path = (row: number): string => this.#paths[row]!;
  /** Rows of one file are of one subject, where no column says it. */
  subject = (row: number): string => this.#subjects[row] ?? this.#paths[row]!;
  box = (row: number): Int32Array => Int32Array.from(this.#boxes.slice(4 * row, 4 * row + 4));

  /** Gives the fields of a row, by its number in the split. */
  settle(): (row: number) => Record<string, unknown> {
    const readers = [...this.#fields].map(([name, values]) => [name, values.settle()] as const);
    return (row) => Object.fromEntries(readers.map(([name, read]) => [name, read(row)]));
  }
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
