import type { FilePool } from '../../files/positioned.ts';
import { jsonOf } from '../../whole-file.ts';
import { readChunk } from '../parquet/pages.ts';
import { type ParquetColumn, type ParquetGroup, ParquetTable } from '../parquet/table.ts';
import { broken, originIn, Rows, type VectorBatch, type VectorFile, withoutField } from './vector-set.ts';

/** Of a row group, which is read in one piece: what is larger would take more memory than a set may. */
const most = { mostBytes: 2 ** 30, mostValues: 2 ** 26 };

/** Opens a table of Parquet with the columns `key` and the field's, a list of numbers. @throws VECTORS_NONE, VECTORS_BROKEN, PARQUET_BROKEN, FILE_UNREADABLE */
export async function openParquet(pool: FilePool, path: string, field: string): Promise<VectorFile> {
  const table = await ParquetTable.open(await pool.file(path, path));
  const columnOf = (name: string) => {
    if (!table.names.includes(name))
      throw withoutField(path, field, `no column ${name} among ${table.names.join(', ')}`);
    const column = table.column(name);
    if (column === undefined) throw broken(path, 'in its schema', `${name}, which is more than one column of values`);
    return column;
  };
  const columns = { key: columnOf('key'), vector: columnOf(field) };
  const groups = table.groups.filter(({ rows }) => rows > 0);
  const { fields } = (jsonOf(table.said('patchstream') ?? '') ?? {}) as {
    readonly fields?: Record<string, { readonly origin?: unknown }>;
  };
  const origin = originIn(fields?.[field]?.origin);
  const read = (column: ParquetColumn, group: ParquetGroup, signal?: AbortSignal) =>
    readChunk(table, column, group, { ...most, signal });
  const [first] = groups[0] === undefined ? [] : await read(columns.vector, groups[0]);
  const width = Array.isArray(first) ? first.length : undefined;
  if (groups.length > 0 && !width) throw withoutField(path, field, 'no list of numbers in row 0');
  async function* batches(signal?: AbortSignal): AsyncGenerator<VectorBatch> {
    if (width === undefined) return;
    const rows = new Rows(path, width);
    for (const group of groups) {
      signal?.throwIfAborted();
      const keys = await read(columns.key, group, signal);
      const vectors = await read(columns.vector, group, signal);
      for (let i = 0; i < keys.length; i++) {
        rows.add(textOf(keys[i]), vectors[i], `row ${group.from + i}`);
        if (rows.isFull) yield rows.take()!;
      }
    }
    const last = rows.take();
    if (last !== undefined) yield last;
  }
  return { ...(width !== undefined && { width }), ...(origin && { origin }), batches };
}

/** A key; of a column that does not say that it is text, its bytes. */
function textOf(key: unknown): unknown {
  return key instanceof Uint8Array ? Buffer.from(key.buffer, key.byteOffset, key.length).toString() : key;
}
