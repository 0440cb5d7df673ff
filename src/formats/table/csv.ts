import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { counted } from '../../counts.ts';
import { fail, firstLine, messageOf } from '../../errors.ts';
import { textOf } from './text.ts';
import type { TableVisitor } from './visitor.ts';

export interface CsvForm {
  /** One character. */
  readonly delimiter: string;
  /** The names of the columns of a file whose first line is a row; else that line has them. */
  readonly header?: readonly string[] | undefined;
}

/**
 * Passes over the rows of a file of comma-separated values (RFC 4180): UTF-8 with or without a mark at its beginning, line ends of any system, fields in
 * double quotes where they hold the delimiter, quotes or line ends. Blanks around fields without quotes are no part of them; empty lines are passed over.
 *
 * @param file how it is called in messages
 * @throws MANIFEST_BROKEN for bytes that are no text, quotes that do not fit, rows of another length, no header; TABLE_COLUMNS; what the visitor throws
 */
export function readCsv(bytes: Buffer, { delimiter, header }: CsvForm, file: string, visit: TableVisitor): void {
  const apart = delimiter === ',' ? 'comma-separated values' : `values with ${JSON.stringify(delimiter)} between them`;
  const expected = `${apart} in UTF-8`;
  let columns: ReadonlyMap<string, number> | undefined;
  const begin = (names: readonly string[]) => {
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) throw fail('TABLE_COLUMNS', { column: twice }, { where: file });
    columns = new Map(names.map((name, i) => [name, i]));
    visit.columns?.(names);
  };
  if (header !== undefined) begin(header);
  const refuse = (line: number, found: string, cause?: unknown) =>
    fail('MANIFEST_BROKEN', { expected, line, found, advice: ', or say `delimiter`' }, { where: file, cause });
  let last = 0;
  try {
    parse(textOf(bytes, file, expected), {
      bom: true,
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'],
      ltrim: true,
      rtrim: true,
      skip_empty_lines: true,
      // Judged below: a row is compared with the header, which may not be in the file.
      relax_column_count: true,
      on_record(record: readonly string[], { lines: line }: { readonly lines: number }) {
        last = line;
        const known = columns;
        if (known === undefined) begin(record);
        else if (record.length === known.size) visit.row((name) => record[known.get(name) ?? -1], line);
        else
          throw refuse(
            line,
            `${counted(record.length, 'field')} of ${counted(known.size, 'column')}, ${shown(record)}`,
          );
        // Nothing is kept.
        return null;
      },
    });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    // The parser names the end of the file where a quote is not closed.
    throw refuse(last + 1, firstLine(messageOf(cause)), cause);
  }
  if (columns === undefined) throw refuse(1, 'no line of column names');
}

/** The first fields of a row, to be known again. */
function shown(record: readonly string[]): string {
  const text = JSON.stringify(record.slice(0, 4).map((field) => field.slice(0, 40)));
  return record.length > 4 ? `${text.slice(0, -1)},…]` : text;
}
