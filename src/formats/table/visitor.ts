/** Hears the rows of a table one after the other. */
export interface TableVisitor {
  /** The names of the columns, before the first row, where all rows have the same. */
  columns?(names: readonly string[]): void;
  /** @param value what stands in a column of the row; nothing where the row has no such column. @param line from 1 */
  row(value: (column: string) => unknown, line: number): void;
}
