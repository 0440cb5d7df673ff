import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer';
import type { Spec } from '../../vision/spec.ts';
import type { Entry, Form } from '../durable/rotating-files.ts';
import { Columns, type Row, type VectorColumn } from './columns.ts';
import { writeVectors } from './vector-chunk.ts';

export type ParquetRow = Row & Entry;

/** A row group has at most so many rows, and is closed when its values have so many bytes: that many are held until it is written. */
const groupRows = 10_000;
const groupBytes = 4 * 2 ** 20;

export interface ParquetOptions {
  readonly spec: Spec;
  /** About how many bytes the file has at most. */
  readonly limit: number;
  /** What the file says of itself, under keys of its own. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A file of Apache Parquet while it is written: row groups, and at the end the schema and where they lie. */
export class ParquetForm implements Form<ParquetRow> {
  readonly #options: ParquetOptions;
  readonly #bytes = new ByteWriter();
  #file: { readonly columns: Columns; readonly writer: ParquetWriter } | undefined;
  #rows: ParquetRow[] = [];
  #waiting = 0;
  #last: number | undefined;

  constructor(options: ParquetOptions) {
    this.#options = options;
  }

  /** What a file begins with is written with its first row group, whose rows say what columns there are. */
  head(): readonly Uint8Array[] {
    return [];
  }

  isFull(row: ParquetRow): boolean {
    if (this.#file !== undefined && !this.#file.columns.takes(row)) return true;
    const isNext = this.#last !== undefined && row.position !== this.#last;
    return isNext && this.#bytes.offset + this.#waiting + row.bytes > this.#options.limit;
  }

  entry(row: ParquetRow): readonly Uint8Array[] {
    this.#rows.push(row);
    this.#waiting += row.bytes;
    this.#last = row.position;
    return this.#rows.length < groupRows && this.#waiting < groupBytes ? [] : this.#group();
  }

  tail(): readonly Uint8Array[] {
    const last = this.#group();
    this.#file?.writer.finish();
    return [...last, this.#taken()];
  }

  #group(): readonly Uint8Array[] {
    if (this.#rows.length === 0) return [];
    const rows = this.#rows;
    this.#file ??= this.#begin(rows);
    const { columns, writer } = this.#file;
    writeGroup(writer, this.#bytes, columns.data(rows), rows.length);
    this.#rows = [];
    this.#waiting = 0;
    return [this.#taken()];
  }

  #begin(rows: readonly ParquetRow[]) {
    const { spec, metadata } = this.#options;
    const columns = new Columns(spec, rows);
    const writer = new ParquetWriter({
      writer: this.#bytes,
      schema: columns.schema(),
      kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      createdBy: 'patchstream',
    });
    return { columns, writer };
  }

  /** What was written since the last time. Offsets count on. */
  #taken(): Uint8Array {
    const taken = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    return taken;
  }
}

/** Writes a row group: columns of lists of float32 by ourselves, after the others, and listed among them in the schema's order. */
function writeGroup(
  writer: ParquetWriter,
  bytes: ByteWriter,
  columns: readonly (ColumnSource | VectorColumn)[],
  rows: number,
): void {
  const columnData = columns.filter((column) => 'data' in column);
  writer.write({ columnData, rowGroupSize: rows });
  const group = writer.row_groups.at(-1)!;
  for (const [at, column] of columns.entries()) {
    if (!('vectors' in column)) continue;
    const chunk = writeVectors(bytes, column.name, column.vectors);
    // Each column has one leaf.
    group.columns.splice(at, 0, chunk);
    const { total_compressed_size: size } = chunk.meta_data!;
    group.total_byte_size += size;
    group.total_compressed_size = (group.total_compressed_size ?? 0n) + size;
  }
}
