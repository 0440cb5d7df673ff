import {
  type AsyncBuffer,
  type ColumnChunk,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet';
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
  const leaves = leavesOf(metadata, path, ['key', field]);
  const groups = sound(() => groupsOf(metadata, path, leaves, file.byteLength), path, 'in its row groups');
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
  /** By the name of its column. */
  readonly chunks: ReadonlyMap<string, ColumnChunk>;
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
    slice(start, end = file.size) {
      // Thrown at once: the reader asks for some places ahead, and would not hear of what becomes of them.
      if (!(start >= 0 && start <= end && start <= file.size))
        throw new Error(`bytes ${start} to ${end} of ${file.size}`);
      return file.read(start, Math.min(end, file.size) - start).then((bytes) => new Uint8Array(bytes).buffer);
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

/** The one column of values below each of the names, as `path_in_schema` has it. */
function leavesOf(metadata: FileMetaData, path: string, names: readonly string[]): ReadonlyMap<string, string> {
  const tree = sound(() => parquetSchema(metadata), path, 'in its schema');
  return new Map(
    names.map((name) => {
      let at: SchemaTree | undefined = tree.children.find((child) => child.element.name === name);
      while (at !== undefined && at.children.length > 0) at = at.children.length === 1 ? at.children[0] : undefined;
      if (at === undefined) throw broken(path, 'in its schema', `${name}, which is more than one column of values`);
      return [name, at.path.join('.')];
    }),
  );
}

/** What is found of a part of the metadata, of which a damaged file may have anything. @throws VECTORS_BROKEN */
function sound<T>(find: () => T, path: string, place: string): T {
  try {
    return find();
  } catch (error) {
    throw asBroken(path, place, error);
  }
}

/**
 * The row groups, looked at before any memory is taken for them. Each must have the columns that are read, once each and under their names of the schema: where the reader finds that out
 * itself it has begun to read others, whose failure nobody hears.
 */
function groupsOf(
  { row_groups }: FileMetaData,
  path: string,
  leaves: ReadonlyMap<string, string>,
  size: number,
): Group[] {
  let to = 0;
  return row_groups.flatMap(({ num_rows, columns }, i) => {
    const from = to;
    to += Number(num_rows);
    const place = `row group ${i}`;
    if (!Number.isSafeInteger(to) || to < from) throw broken(path, place, `${num_rows} rows`);
    const read = columns.filter(({ meta_data }) => leaves.has(meta_data?.path_in_schema[0] ?? ''));
    const found = read.map(({ meta_data }) => meta_data!.path_in_schema.join('.')).sort();
    if (found.join() !== [...leaves.values()].sort().join())
      throw broken(path, place, `the columns ${found.join(', ') || 'of none'}, not ${[...leaves.values()].join(', ')}`);
    for (const { meta_data } of read) {
      const { num_values, total_compressed_size, total_uncompressed_size } = meta_data!;
      const { data_page_offset, dictionary_page_offset = data_page_offset } = meta_data!;
      for (const begin of [data_page_offset, dictionary_page_offset]) {
        if (begin < 0n || total_compressed_size < 0n || begin + total_compressed_size > BigInt(size))
          throw broken(path, place, `values at byte ${begin}, beyond the end`);
      }
      if (num_values > mostNumbers || num_rows > mostNumbers || total_uncompressed_size > 2n ** 30n) {
        const found = `${counted(Number(num_values), 'number')}, which are read at once; at most ${mostNumbers} are`;
        throw broken(path, place, `${found}. Write it with smaller row groups`);
      }
    }
    const chunks = new Map(read.map((column) => [column.meta_data!.path_in_schema[0]!, withoutIndexes(column)]));
    return to === from ? [] : [{ from, to, chunks }];
  });
}

/** Indexes of pages and statistics are not needed, and may lead anywhere. */
function withoutIndexes({ file_offset, meta_data }: ColumnChunk): ColumnChunk {
  const { statistics: _s, bloom_filter_offset: _o, bloom_filter_length: _l, ...needed } = meta_data!;
  return { file_offset, meta_data: needed };
}

/** The keys and vectors of a group, as lists of equal length. */
async function readGroup({ file, metadata, path, field }: Reading, { from, to, chunks }: Group) {
  const columns: Record<string, unknown[]> = { key: [], [field]: [] };
  try {
    // One at a time, of a file that has nothing else: of two that are read together the failure of the second leaves the first unheard.
    for (const [name, column] of Object.entries(columns)) {
      const num_rows = BigInt(to - from);
      const group = { columns: [chunks.get(name)!], num_rows, total_byte_size: 0n };
      await parquetRead({
        file,
        metadata: { ...metadata, num_rows, row_groups: [group] },
        columns: [name],
        onChunk: ({ columnData, rowStart }) => {
          for (let i = 0; i < columnData.length; i++) column[rowStart + i] = columnData[i];
        },
      });
    }
  } catch (error) {
    throw asBroken(path, `rows ${from} to ${to}`, error);
  }
  for (const [name, data] of Object.entries(columns))
    if (data.length !== to - from)
      throw broken(path, `rows ${from} to ${to}`, `${counted(data.length, 'value')} of ${name}`);
  return columns;
}
