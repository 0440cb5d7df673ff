import { fail } from '../../errors.ts';
import type { BufferPool } from '../../files/buffer-pool.ts';
import { joined } from '../../files/many-files.ts';
import { Held } from '../../formats/parquet/held.ts';
import { type ParquetPages, pagesOf, readChunk, readPage } from '../../formats/parquet/pages.ts';
import type { ParquetColumn, ParquetGroup, ParquetTable } from '../../formats/parquet/table.ts';
import { boxOf } from './boxes.ts';
import { fieldValue, type TableField } from './fields.ts';

/** Of a page, and of a column of labels or fields in a row group, when they are unpacked. */
export const mostPage = 2 ** 28;
/** What was read is held up to so many bytes: neighbours of a picture come with it. */
const heldBytes = 2 ** 28;
const heldFields = 2 ** 25;

/** What was read of files and may be read again. */
export class HeldValues {
  readonly pages = new Held<readonly unknown[]>(heldBytes, sizeOf);
  readonly fields = new Held<readonly unknown[]>(heldFields, sizeOf);
}

interface Wanted {
  readonly columns: { readonly image: string; readonly label: string; readonly box: string | readonly string[] };
  readonly labels: boolean;
  readonly boxes: boolean;
  readonly boxForm: 'size' | 'corners';
  readonly fields: Readonly<Record<string, TableField>>;
  readonly maxBytes: number;
}

/** A file with the columns that are read of it. */
export class OpenTable {
  readonly table: ParquetTable;
  readonly label: ParquetColumn | undefined;
  readonly #wanted: Wanted;
  readonly #image: ParquetColumn;
  readonly #boxes: readonly ParquetColumn[];
  readonly #fields: ReadonlyMap<string, ParquetColumn>;
  readonly #pages = new Map<number, Promise<ParquetPages>>();
  readonly #groups: (row: number) => { readonly file: ParquetGroup; readonly within: number };

  /** @throws TABLE_COLUMN */
  constructor(table: ParquetTable, wanted: Wanted) {
    const { columns, labels, boxes, fields } = wanted;
    this.table = table;
    this.#wanted = wanted;
    this.#image = this.#column(
      columns.image,
      '`columns.image`',
      table.column(columns.image, 'bytes') ?? table.column(columns.image),
    );
    if (this.#image.isList || this.#image.type !== 'BYTE_ARRAY')
      throw this.#missing(
        columns.image,
        `${this.#image.isList ? 'lists' : this.#image.type} as ${columns.image}`,
        '`columns.image`',
      );
    if (labels) this.label = this.#column(columns.label, '`labels`');
    this.#boxes = boxes ? [columns.box].flat().map((name) => this.#column(name, '`boxes`')) : [];
    this.#fields = new Map(
      Object.entries(fields).map(([name, { column = name }]) => [name, this.#column(column, `the field ${name}`)]),
    );
    this.#groups = joined(table.groups, ({ rows }) => rows).place;
  }

  #column(name: string, option: string, found = this.table.column(name)): ParquetColumn {
    if (found !== undefined) return found;
    const isThere = this.table.names.includes(name);
    throw this.#missing(
      name,
      isThere ? `${name}, which is several columns in one` : this.table.names.join(', '),
      option,
    );
  }

  #missing(column: string, found: string, option: string): Error {
    const slots = { column, option, found: found.slice(0, 200) || 'none' };
    return fail('TABLE_COLUMN', slots, { where: this.table.file.name });
  }

  /** What is read of a row, by its number in the file. */
  row(row: number, held: HeldValues, signal: AbortSignal) {
    const { table } = this;
    const { boxes, boxForm, fields, columns, maxBytes } = this.#wanted;
    const { file: group, within } = this.#groups(row);
    const { name } = table.file;
    const at = `row ${row}`;
    const valueIn = async (column: ParquetColumn) => {
      const key = `${name}/${group.index}/${column.path.join('.')}`;
      const read = () => readChunk(table, column, group, { mostBytes: mostPage, signal });
      return (await held.fields.get(key, read))[within];
    };
    return {
      label: async () => this.label && valueIn(this.label),
      fields: async () => {
        const read: Record<string, unknown> = {};
        const box: unknown[] = [];
        for (const column of this.#boxes) box.push(await valueIn(column));
        if (boxes) read.box = boxOf(typeof columns.box === 'string' ? box[0] : box, boxForm, at, name);
        for (const [field, column] of this.#fields)
          read[field] = fieldValue(field, fields[field]!, await valueIn(column), at, name);
        return read;
      },
      picture: async (memory: BufferPool | undefined) => {
        const value = await this.#picture(group, within, held, signal);
        if (!(value instanceof Uint8Array)) {
          const slots = { expected: `the bytes of a picture as ${columns.image}`, place: at, found: 'nothing' };
          throw fail(
            'TABLE_ROW',
            { ...slots, advice: ', or fetch the table with its pictures in it' },
            { where: name },
          );
        }
        if (value.length > maxBytes) throw fail('FILE_LARGE', { limit: maxBytes, size: value.length });
        // Of its own: the page is read by others too, and goes when nobody holds it.
        const bytes = memory?.take(value.length).subarray(0, value.length) ?? new Uint8Array(value.length);
        bytes.set(value);
        return bytes;
      },
    };
  }

  async #picture(
    group: ParquetGroup,
    within: number,
    { pages: held }: HeldValues,
    signal: AbortSignal,
  ): Promise<unknown> {
    const lying = await this.#pagesOf(group, signal);
    const page = lying.pages.findLast(({ from }) => from <= within)!;
    const key = `${this.table.file.name}/${page.offset}`;
    const values = await held.get(key, () => readPage(this.table, lying, page, { mostBytes: mostPage, signal }));
    return values[within - page.from];
  }

  #pagesOf(group: ParquetGroup, signal: AbortSignal): Promise<ParquetPages> {
    const known = this.#pages.get(group.index);
    if (known !== undefined) return known;
    const pages = pagesOf(this.table, this.#image, group, signal);
    this.#pages.set(group.index, pages);
    // Whoever waits for it hears of it; the next one who wants it tries again.
    pages.catch(() => this.#pages.delete(group.index));
    return pages;
  }
}

/** Of values that were read; of lists about. */
function sizeOf(values: readonly unknown[]): number {
  return values.reduce<number>((sum, value) => {
    const own = value instanceof Uint8Array ? value.length : Array.isArray(value) ? 8 * value.length : 0;
    return sum + own + 16;
  }, 16);
}
