import { type ColumnMetaData, type PageHeader, parquetRead } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { readOffsetIndex } from 'hyparquet/src/indexes.js';
import { counted } from '../../counts.ts';
import { firstLine, messageOf } from '../../errors.ts';
import { Window } from '../../files/positioned.ts';
import { type PackedPage, soundPages } from './sound.ts';
import { asBroken, broken, type ParquetColumn, type ParquetGroup, type ParquetTable } from './table.ts';
import { endOfStruct } from './thrift.ts';

/** Where headers of pages are looked for, so much is read at a time. A header has the least and the largest value in it, which may be long. */
const windowBytes = 2 ** 14;
const mostHeader = 2 ** 20;

/** Values of a page, and those of lists in a row group, unless the caller takes more. */
const mostOfPage = 2 ** 24;
const mostOfLists = 2 ** 24;

/** What a file begins with. */
const magic = Buffer.from('PAR1');

/** Some rows of a column that lie together in a file. */
export interface ParquetPage {
  /** Its first row in the group. */
  readonly from: number;
  readonly rows: number;
  /** Of its header, in the file. */
  readonly offset: number;
  /** With its header. */
  readonly bytes: number;
}

export interface ParquetPages {
  readonly column: ParquetColumn;
  readonly group: ParquetGroup;
  readonly meta: ColumnMetaData;
  /** Where the values lie that pages may refer to. */
  readonly dictionary?: { readonly offset: number; readonly bytes: number };
  readonly pages: readonly ParquetPage[];
}

/**
 * Where the pages of a column lie in a row group: as the file lists them, else from header to header, reading nothing else. Of a column without lists.
 *
 * @throws PARQUET_BROKEN, and what reading the file throws
 */
export async function pagesOf(
  table: ParquetTable,
  column: ParquetColumn,
  group: ParquetGroup,
  signal?: AbortSignal,
): Promise<ParquetPages> {
  const { name } = table.file;
  const place = `row group ${group.index}, ${column.path.join('.')}`;
  const { meta_data: meta } = table.chunk(column, group);
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const end = start + Number(meta.total_compressed_size);
  const found =
    (await listed(table, column, group, signal)) ?? (await walked(table, group, { start, end, place, signal }));
  let next = start;
  const pages = found.map((page) => {
    if (!(page.offset >= next && page.offset + page.bytes <= end && page.rows > 0))
      throw broken(name, place, `a page of ${counted(page.rows, 'row')} at byte ${page.offset}`);
    next = page.offset + page.bytes;
    return page;
  });
  const rows = pages.reduce((sum, page) => sum + page.rows, 0);
  if (rows !== group.rows)
    throw broken(name, place, `pages of ${counted(rows, 'row')}, where the group has ${group.rows}`);
  const before = (pages[0]?.offset ?? start) - start;
  return { column, group, meta, pages, ...(before > 0 && { dictionary: { offset: start, bytes: before } }) };
}

/** The pages as the file lists them. */
async function listed(
  table: ParquetTable,
  column: ParquetColumn,
  group: ParquetGroup,
  signal: AbortSignal | undefined,
): Promise<ParquetPage[] | undefined> {
  const list = table.pageList(column, group);
  if (list === undefined) return undefined;
  const bytes = await table.file.read(list.offset, list.length, signal);
  try {
    endOfStruct(bytes, 0);
    const { page_locations: places } = readOffsetIndex({
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      offset: 0,
    });
    const firsts = [...places.map(({ first_row_index }) => Number(first_row_index)), group.rows];
    return places.map(({ offset, compressed_page_size }, i) => ({
      ...{ from: firsts[i]!, rows: firsts[i + 1]! - firsts[i]! },
      ...{ offset: Number(offset), bytes: Number(compressed_page_size) },
    }));
  } catch (error) {
    throw asBroken(table.file.name, `the list of pages of row group ${group.index}`, error, signal);
  }
}

/** The pages as one follows the other. */
async function walked(
  table: ParquetTable,
  group: ParquetGroup,
  {
    start,
    end,
    place,
    signal,
  }: { readonly start: number; readonly end: number; readonly place: string; readonly signal: AbortSignal | undefined },
): Promise<ParquetPage[]> {
  const { name } = table.file;
  const window = new Window(table.file, windowBytes);
  const pages: ParquetPage[] = [];
  for (let [at, rows] = [start, 0]; rows < group.rows && at < end; ) {
    const { header, length } = await headerAt(window, at, { name, place, signal });
    const bytes = length + Number(header.compressed_page_size);
    if (!(bytes >= length)) throw broken(name, place, `a page of no size at byte ${at}`);
    if (isData(header)) {
      pages.push({ from: rows, rows: rowsOf(header), offset: at, bytes });
      rows += rowsOf(header);
    }
    at += bytes;
  }
  return pages;
}

function isData({ type }: PageHeader): boolean {
  return type === 'DATA_PAGE' || type === 'DATA_PAGE_V2';
}

/** How many rows a page has, of a column without lists. */
function rowsOf({ data_page_header: first, data_page_header_v2: second }: PageHeader): number {
  return Number(first?.num_values ?? second?.num_rows ?? 0);
}

async function headerAt(
  window: Window,
  at: number,
  { name, place, signal }: { readonly name: string; readonly place: string; readonly signal?: AbortSignal | undefined },
): Promise<{ header: PageHeader; length: number }> {
  for (let length = windowBytes; ; length *= 8) {
    const bytes = await window.at(at, length, signal);
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
    try {
      endOfStruct(bytes, 0);
      return { header: parquetHeader(reader), length: reader.offset };
    } catch (error) {
      // It may go on behind what was read.
      if (bytes.length < length || length >= mostHeader) throw asBroken(name, `${place}, at byte ${at}`, error);
    }
  }
}

/** The values of a page, one a row; null where there is none. @throws PARQUET_BROKEN, and what reading the file throws */
export async function readPage(
  table: ParquetTable,
  { column, group, meta, dictionary }: ParquetPages,
  page: ParquetPage,
  { mostBytes, signal }: { readonly mostBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<readonly unknown[]> {
  const place = `rows ${group.from + page.from} to ${group.from + page.from + page.rows}, ${column.path.join('.')}`;
  const before = dictionary && (await table.file.read(dictionary.offset, dictionary.bytes, signal));
  const own = await table.file.read(page.offset, page.bytes, signal);
  const pages = (before === undefined ? [own] : [before, own]).map((bytes): PackedPage => {
    const { header, body, found } = headerIn(bytes, mostBytes);
    if (found !== undefined) throw broken(table.file.name, place, found);
    const fits = bytes === own ? isData(header) && rowsOf(header) === page.rows : header.type === 'DICTIONARY_PAGE';
    if (!fits) throw broken(table.file.name, place, `another page, of ${counted(rowsOf(header), 'row')}`);
    return { header, body };
  });
  // A file of this page alone, as if the column had no other. To the reader a place of 0 is none.
  const bytes = new Uint8Array(Buffer.concat([magic, ...(before === undefined ? [] : [before]), own]));
  const { dictionary_page_offset: _, ...rest } = meta;
  const alone: ColumnMetaData = {
    ...rest,
    ...(before && { dictionary_page_offset: BigInt(magic.length) }),
    data_page_offset: BigInt(magic.length + (before?.length ?? 0)),
    total_compressed_size: BigInt(bytes.length - magic.length),
    num_values: BigInt(page.rows),
  };
  return valuesOf(table, column, { meta: alone, file: fileOf(bytes), rows: page.rows, place, pages }, signal);
}

type FoundHeader =
  | (PackedPage & { readonly bytes: number; readonly found?: undefined })
  | { readonly found: string; readonly header?: undefined; readonly body?: undefined; readonly bytes?: undefined };

/** The header that bytes begin with and the bytes of its page, or what is wrong with it. */
function headerIn(bytes: Buffer, mostBytes: number): FoundHeader {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  let header: PageHeader;
  try {
    endOfStruct(bytes, 0);
    header = parquetHeader(reader);
  } catch (error) {
    // Whatever the parser throws of bytes that are no header.
    return { found: firstLine(messageOf(error)) };
  }
  const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
  const { dictionary_page_header: dictionary, data_page_header: first, data_page_header_v2: second } = header;
  const values = first?.num_values ?? second?.num_values ?? dictionary?.num_values ?? 0;
  // A damaged header may have numbers of other types where these are read.
  if (![packed, unpacked, values].every((number) => typeof number === 'number'))
    return { found: 'a header without sizes' };
  if (!(packed >= 0 && reader.offset + packed <= bytes.length))
    return { found: `a page of ${counted(packed, 'byte')} in ${counted(bytes.length, 'byte')}` };
  if (!(unpacked >= 0 && unpacked <= mostBytes))
    return { found: `a page of ${counted(unpacked, 'byte')}, of which ${mostBytes} are read at once` };
  if (!(values >= 0 && values <= mostOfPage)) return { found: `a page of ${counted(values, 'value')}` };
  const body = bytes.subarray(reader.offset, reader.offset + packed);
  return { header, body, bytes: reader.offset + packed };
}

function fileOf(bytes: Uint8Array<ArrayBuffer>) {
  return { byteLength: bytes.length, slice: (from: number, to?: number) => bytes.buffer.slice(from, to) };
}

/** What a part of a row group may have, which is read in one piece. */
interface ChunkBounds {
  /** As it lies in the file, and of its pages unpacked, together. */
  readonly mostBytes: number;
  /** Of the lists of a column of lists, together. */
  readonly mostValues?: number;
  readonly signal?: AbortSignal | undefined;
}

/** All values of a column in a row group, one a row, lists as lists. @throws PARQUET_BROKEN, and what reading the file throws */
export async function readChunk(
  table: ParquetTable,
  column: ParquetColumn,
  group: ParquetGroup,
  { mostBytes, mostValues = mostOfLists, signal }: ChunkBounds,
): Promise<readonly unknown[]> {
  const { name } = table.file;
  const { meta_data: meta } = table.chunk(column, group);
  const place = `rows ${group.from} to ${group.from + group.rows}, ${column.path.join('.')}`;
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const packed = Number(meta.total_compressed_size);
  if (packed > mostBytes)
    throw broken(name, place, `${counted(packed, 'byte')} of values; write it with smaller row groups`);
  const own = await table.file.read(start, packed, signal);
  let [values, unpacked] = [0, 0];
  const pages: PackedPage[] = [];
  for (let at = 0; at < own.length; ) {
    const { header, body, found, bytes } = headerIn(own.subarray(at), mostBytes);
    if (found !== undefined) throw broken(name, place, found);
    pages.push({ header, body });
    unpacked += header.uncompressed_page_size;
    if (unpacked > mostBytes)
      throw broken(name, place, `more than ${counted(mostBytes, 'byte')} of values; write it with smaller row groups`);
    if (isData(header)) values += header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0;
    at += bytes;
  }
  // A list has any number of values, but all of them are in memory.
  if (column.isList ? values > mostValues : values !== group.rows) throw broken(name, place, counted(values, 'value'));
  const bytes = new Uint8Array(Buffer.concat([magic, own]));
  const moved = (place: bigint) => place - BigInt(start - magic.length);
  const { dictionary_page_offset: dictionary, ...rest } = meta;
  const alone: ColumnMetaData = {
    ...rest,
    ...(dictionary && { dictionary_page_offset: moved(dictionary) }),
    data_page_offset: moved(meta.data_page_offset),
  };
  return valuesOf(table, column, { meta: alone, file: fileOf(bytes), rows: group.rows, place, pages }, signal);
}

interface Piece {
  readonly meta: ColumnMetaData;
  readonly file: Parameters<typeof parquetRead>[0]['file'];
  readonly rows: number;
  readonly place: string;
  readonly pages: readonly PackedPage[];
}

/** Of one column alone: of two that are read together the failure of the second leaves the first unheard. */
async function valuesOf(
  table: ParquetTable,
  column: ParquetColumn,
  { meta, file, rows, place, pages }: Piece,
  signal: AbortSignal | undefined,
): Promise<readonly unknown[]> {
  const { name, path, schema } = column;
  const values: unknown[] = [];
  try {
    const unpacked = soundPages(pages, column, meta).values();
    const next = () => unpacked.next().value ?? new Uint8Array(0);
    const num_rows = BigInt(rows);
    const group = { columns: [{ file_offset: 0n, meta_data: meta }], num_rows, total_byte_size: 0n };
    await parquetRead({
      file,
      metadata: { ...table.metadata, schema, num_rows, row_groups: [group] },
      columns: [name],
      // Unpacked already: pages are asked for one after the other.
      compressors: { [meta.codec]: next },
      // Bytes of pictures are no text; what is text is said by its column.
      utf8: false,
      onChunk({ columnData, rowStart }) {
        for (let i = 0; i < columnData.length; i++) values[rowStart + i] = columnData[i];
      },
    });
  } catch (error) {
    throw asBroken(table.file.name, place, error, signal);
  }
  if (values.length !== rows) throw broken(table.file.name, place, counted(values.length, 'value'));
  return path.length > 1 ? values.map((value) => below(value, path.slice(1))) : values;
}

/** What lies in a struct at a path; a list stays as it is. */
function below(value: unknown, [name, ...path]: readonly string[]): unknown {
  if (name === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (ArrayBuffer.isView(value)) return value;
  return below((value as Readonly<Record<string, unknown>>)[name], path);
}
