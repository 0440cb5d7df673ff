import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { counted } from '../../counts.ts';
import type { FilePool, PooledFile } from '../../files/positioned.ts';
import { jsonOf } from '../../whole-file.ts';
import { asBroken, broken, originIn, Rows, type VectorBatch, type VectorFile } from './vector-set.ts';

/** Numbers of a row group, which is read in one piece: larger ones would take more memory than a set may. */
const mostNumbers = 2 ** 26;

/** Opens a table of Parquet with the columns `key` and the field's, a list of numbers. @throws VECTORS_BROKEN, FILE_UNREADABLE */
export async function openParquet(pool: FilePool, path: string, field: string): Promise<VectorFile> {
  const file = bufferOf(await pool.file(path, path));
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw asBroken(path, 'in its metadata', error);
  });
  const names = topColumns(metadata);
  for (const name of ['key', field])
    if (!names.includes(name)) throw broken(path, 'in its schema', `no column ${name} among ${names.join(', ')}`);
  const groups = groupsOf(metadata, path, field, file.byteLength);
  const said = metadata.key_value_metadata?.find(({ key }) => key === 'patchstream')?.value;
  const { fields } = (jsonOf(said ?? '') ?? {}) as { readonly fields?: Record<string, { readonly origin?: unknown }> };
  const origin = originIn(fields?.[field]?.origin);
  const read = (group: Group) => readGroup({ file, metadata, path, field }, group);
  const first = groups[0] && (await read(groups[0]))[field]![0];
  const width = Array.isArray(first) ? first.length : undefined;
  if (groups.length > 0 && !width) throw broken(path, 'row 0', `no list of numbers as ${field}`);
  async function* batches(signal?: AbortSignal): AsyncGenerator<VectorBatch> {
    if (width === undefined) return;
    const rows = new Rows(path, width);
    for (const group of groups) {
      signal?.throwIfAborted();
      const { key: keys, [field]: vectors } = await read(group);
      for (let i = 0; i < keys!.length; i++) {
        rows.add(keys![i], vectors![i], `row ${group.from + i}`);
        if (rows.isFull) yield rows.take()!;
      }
    }
    const last = rows.take();
    if (last !== undefined) yield last;
  }
  return { ...(width !== undefined && { width }), ...(origin && { origin }), batches };
}

/** The rows of a group. */
interface Group {
  readonly from: number;
  readonly to: number;
}

interface Reading {
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly path: string;
  readonly field: string;
}

function bufferOf(file: PooledFile): AsyncBuffer {
  return {
    byteLength: file.size,
    async slice(start, end = file.size) {
      const bytes = await file.read(start, Math.min(end, file.size) - start);
      return new Uint8Array(bytes).buffer;
    },
  };
}

/** The names of the columns, whatever lies below them. */
function topColumns({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  const below = (at: number): number => {
    let next = at + 1;
    for (let child = 0; child < (schema[at]?.num_children ?? 0) && next < schema.length; child++) {
      if (at === 0) names.push(schema[next]!.name);
      next = below(next);
    }
    return next;
  };
  below(0);
  return names;
}

/** The row groups, looked at before any memory is taken for them. */
function groupsOf({ row_groups }: FileMetaData, path: string, field: string, size: number): Group[] {
  let to = 0;
  return row_groups.flatMap(({ num_rows, columns }, i) => {
    const from = to;
    to += Number(num_rows);
    const place = `row group ${i}`;
    if (!Number.isSafeInteger(to) || to < from) throw broken(path, place, `${num_rows} rows`);
    for (const { meta_data } of columns) {
      if (meta_data === undefined || !['key', field].includes(meta_data.path_in_schema[0] ?? '')) continue;
      const { num_values, total_compressed_size, total_uncompressed_size, data_page_offset } = meta_data;
      if (
        data_page_offset < 0n ||
        data_page_offset + total_compressed_size > BigInt(size) ||
        total_compressed_size < 0n
      )
        throw broken(path, place, `values at byte ${data_page_offset}, beyond the end`);
      if (num_values > mostNumbers || num_rows > mostNumbers || total_uncompressed_size > 2n ** 30n) {
        const found = `${counted(Number(num_values), 'number')}, which are read at once; at most ${mostNumbers} are`;
        throw broken(path, place, `${found}. Write it with smaller row groups`);
      }
    }
    return to === from ? [] : [{ from, to }];
  });
}

/** The keys and vectors of a group, as lists of equal length. */
async function readGroup({ file, metadata, path, field }: Reading, { from, to }: Group) {
  const columns: Record<string, unknown[]> = { key: [], [field]: [] };
  try {
    await parquetRead({
      file,
      metadata,
      columns: ['key', field],
      rowStart: from,
      rowEnd: to,
      onChunk: ({ columnName, columnData, rowStart }) => {
        const column = columns[columnName]!;
        for (let i = 0; i < columnData.length; i++) column[rowStart - from + i] = columnData[i];
      },
    });
  } catch (error) {
    throw asBroken(path, `rows ${from} to ${to}`, error);
  }
  for (const [name, data] of Object.entries(columns))
    if (data.length !== to - from)
      throw broken(path, `rows ${from} to ${to}`, `${counted(data.length, 'value')} of ${name}`);
  return columns;
}
