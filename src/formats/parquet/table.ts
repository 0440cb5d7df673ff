import { type ColumnChunk, type FileMetaData, parquetMetadata, parquetSchema, type SchemaTree } from 'hyparquet';
import { counted } from '../../counts.ts';
import { fail, firstLine, messageOf, PatchstreamError } from '../../errors.ts';
import type { Positioned } from '../../files/positioned.ts';
import { endOfStruct } from './thrift.ts';

/** What the metadata of a file may take, and how much of its end is read first: most metadata are in it. */
const [mostMetadata, firstRead] = [2 ** 26, 2 ** 19];
/** Behind the metadata: their length, and what a file ends with. */
const [tailBytes, magic] = [8, 'PAR1'];

/** Rows of a row group: of a column that is read in one piece there are no more values. */
const mostRows = 2 ** 22;

/** A column with one value a row, or a list of them. */
export interface ParquetColumn {
  /** At the top of the schema. */
  readonly name: string;
  /** The names down to its values: `image`, `bytes`. */
  readonly path: readonly string[];
  /** The kind of its values, as the format calls it: `INT64`, `BYTE_ARRAY`. */
  readonly type: string | undefined;
  /** Whether its rows are lists, of which a page need not begin with one. */
  readonly isList: boolean;
  /** The schema of a file that has this column alone. */
  readonly schema: FileMetaData['schema'];
}

export interface ParquetGroup {
  readonly index: number;
  /** Its first row in the file. */
  readonly from: number;
  readonly rows: number;
}

/** A file of Apache Parquet whose metadata has been read and judged: columns by name, row groups, and the file to read them from. */
export class ParquetTable {
  readonly file: Positioned;
  readonly metadata: FileMetaData;
  readonly groups: readonly ParquetGroup[];
  readonly rows: number;
  readonly #tree: SchemaTree;

  private constructor(file: Positioned, metadata: FileMetaData) {
    this.file = file;
    this.metadata = metadata;
    this.#tree = parquetSchema(metadata);
    let from = 0;
    this.groups = metadata.row_groups.map(({ num_rows }, index) => {
      const rows = Number(num_rows);
      if (!(rows >= 0 && rows <= mostRows)) {
        const most = `at most ${counted(mostRows, 'row')} are read at once; write it with smaller row groups`;
        throw broken(file.name, `row group ${index}`, `${num_rows} rows; ${most}`);
      }
      from += rows;
      return { index, from: from - rows, rows };
    });
    this.rows = from;
    if (BigInt(from) !== metadata.num_rows)
      throw broken(file.name, 'in its metadata', `${metadata.num_rows} rows, and ${from} in its row groups`);
  }

  /** @throws PARQUET_BROKEN, and what reading the file throws */
  static async open(file: Positioned, signal?: AbortSignal): Promise<ParquetTable> {
    try {
      return new ParquetTable(file, parquetMetadata(await endOf(file, signal), { geoparquet: false }));
    } catch (error) {
      throw asBroken(file.name, 'in its metadata', error, signal);
    }
  }

  /** The names of the columns. */
  get names(): string[] {
    return this.#tree.children.map(({ element }) => element.name);
  }

  /** What the file says of itself under a key. */
  said(key: string): string | undefined {
    return this.metadata.key_value_metadata?.find((pair) => pair.key === key)?.value;
  }

  /** The column of values at a path, or the one column below it; nothing where there is none, or more than one. */
  column(...path: readonly [string, ...string[]]): ParquetColumn | undefined {
    const schema: FileMetaData['schema'] = [{ ...this.#tree.element, num_children: 1 }];
    let at: SchemaTree = this.#tree;
    for (let depth = 0; depth < path.length || at.children.length > 0; depth++) {
      const next =
        depth < path.length ? childOf(at, path[depth]!) : at.children.length === 1 ? at.children[0] : undefined;
      if (next === undefined) return undefined;
      at = next;
      schema.push({ ...at.element, ...(at.children.length > 0 && { num_children: 1 }) });
    }
    const isList = schema.some(({ repetition_type }) => repetition_type === 'REPEATED');
    return { name: path[0], path: at.path, type: at.element.type, isList, schema };
  }

  /** The column's part of a row group, without indexes and statistics, which may lead anywhere. @throws PARQUET_BROKEN */
  chunk({ path }: ParquetColumn, { index }: ParquetGroup): ColumnChunk & Required<Pick<ColumnChunk, 'meta_data'>> {
    const { name, size } = this.file;
    const place = `row group ${index}`;
    const wanted = path.join('.');
    const found = this.metadata.row_groups[index]!.columns.filter(
      (column) => column.meta_data?.path_in_schema.join('.') === wanted,
    );
    if (found.length !== 1 || found[0]!.file_path !== undefined)
      throw broken(
        name,
        place,
        `${counted(found.length, 'column')} ${wanted}${found.length === 1 ? ' in another file' : ''}`,
      );
    const { file_offset, meta_data } = found[0]!;
    const { statistics: _s, bloom_filter_offset: _o, bloom_filter_length: _l, ...needed } = meta_data!;
    const {
      data_page_offset: first,
      dictionary_page_offset: dictionary = first,
      total_compressed_size: bytes,
    } = needed;
    // A damaged file may have numbers of other types where these are read.
    const isSound = [first, dictionary, bytes, needed.num_values].every((number) => typeof number === 'bigint');
    if (!isSound) throw broken(name, place, `no place and size of ${wanted}`);
    for (const begin of [first, dictionary])
      if (begin < 0n || bytes < 0n || begin + bytes > BigInt(size) + (first > dictionary ? first - dictionary : 0n))
        throw broken(name, place, `values of ${wanted} at byte ${begin}, beyond the end`);
    return { file_offset, meta_data: needed };
  }

  /** Where the file says that it lists the pages of the column's part of a row group; nothing where it does not. */
  pageList(
    { path }: ParquetColumn,
    { index }: ParquetGroup,
  ): { readonly offset: number; readonly length: number } | undefined {
    const wanted = path.join('.');
    const { offset_index_offset: offset, offset_index_length: length } =
      this.metadata.row_groups[index]!.columns.find(
        (column) => column.meta_data?.path_in_schema.join('.') === wanted,
      ) ?? {};
    if (typeof offset !== 'bigint' || typeof length !== 'number') return undefined;
    if (!offset || !length || offset < 0n || length < 0 || offset + BigInt(length) > BigInt(this.file.size))
      return undefined;
    return { offset: Number(offset), length };
  }
}

function childOf({ children }: SchemaTree, name: string): SchemaTree | undefined {
  return children.find(({ element }) => element.name === name);
}

/** The end of a file, from its metadata on, in which every length has been looked at. @throws an Error where it is none, and what reading the file throws */
async function endOf(file: Positioned, signal?: AbortSignal): Promise<Uint8Array> {
  const from = Math.max(0, file.size - firstRead);
  const end = await file.read(from, file.size - from, signal);
  if (end.length < tailBytes || end.toString('latin1', end.length - magic.length) !== magic)
    throw new Error(`an end that is not ${magic}`);
  const length = end.readUInt32LE(end.length - tailBytes);
  const all = tailBytes + length;
  if (all > file.size) throw new Error(`metadata of ${counted(length, 'byte')} in ${counted(file.size, 'byte')}`);
  if (length > mostMetadata)
    throw new Error(
      `metadata of ${counted(length, 'byte')}, of which ${counted(mostMetadata, 'byte')} are read at most`,
    );
  const before = all > end.length ? await file.read(file.size - all, all - end.length, signal) : undefined;
  const whole = before === undefined ? end.subarray(end.length - all) : Buffer.concat([before, end]);
  endOfStruct(whole.subarray(0, length), 0);
  return whole;
}

export function broken(name: string, place: string, found: string, cause?: unknown): PatchstreamError {
  return fail('PARQUET_BROKEN', { place, found }, { where: name, cause });
}

/** What a reader throws, of which a damaged file may have it throw anything, as an error of ours. @throws the signal's reason */
export function asBroken(name: string, place: string, error: unknown, signal?: AbortSignal): PatchstreamError {
  if (signal?.aborted) throw signal.reason;
  return error instanceof PatchstreamError ? error : broken(name, place, firstLine(messageOf(error)), error);
}
