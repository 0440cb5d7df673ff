import type { ColumnMetaData, PageHeader } from 'hyparquet';
import { counted } from '../../counts.ts';
import type { ParquetColumn } from './table.ts';
import { unpacked as unpackedPage } from './unpack.ts';

/** So wide the reader takes numbers of a dictionary. */
const mostWidth = 30;

/** A page with its header. */
export interface PackedPage {
  readonly header: PageHeader;
  /** Behind the header. */
  readonly body: Uint8Array;
}

/**
 * Unpacks the pages of a column and looks at all that counts in them: levels, numbers of a dictionary, how many values there are. The reader trusts what it finds, and would fill the memory
 * by a run of 2³¹ equal values.
 *
 * @returns the unpacked pages, as the reader will ask for them
 * @throws an Error with what is wrong
 */
export function soundPages(
  pages: readonly PackedPage[],
  column: ParquetColumn,
  { codec }: ColumnMetaData,
): Uint8Array[] {
  let dictionary = 0;
  const unpacked: Uint8Array[] = [];
  for (const { header, body } of pages) {
    const { uncompressed_page_size: size, data_page_header: first, data_page_header_v2: second } = header;
    const unpack = (bytes: Uint8Array, length: number) => {
      if (codec === 'UNCOMPRESSED') return bytes;
      const page = unpackedPage(codec, bytes, length);
      unpacked.push(page);
      return page;
    };
    if (header.type === 'DICTIONARY_PAGE') {
      dictionary = header.dictionary_page_header?.num_values ?? 0;
      checkValues(unpack(body, size), { encoding: 'PLAIN', values: dictionary, dictionary: 0 }, column);
    } else if (header.type === 'DATA_PAGE' && first !== undefined)
      checkFirst(unpack(body, size), first, column, dictionary);
    else if (header.type === 'DATA_PAGE_V2' && second !== undefined) {
      const { repetition_levels_byte_length: repetitions, definition_levels_byte_length: definitions } = second;
      const levels = repetitions + definitions;
      if (!(repetitions >= 0 && definitions >= 0 && levels <= Math.min(body.length, size)))
        throw new Error('levels beyond the page');
      const values = body.subarray(levels);
      const page = second.is_compressed === false ? values : unpack(values, size - levels);
      checkSecond({ levels: body.subarray(0, levels), page }, second, column, dictionary);
    }
  }
  return unpacked;
}

function checkFirst(
  page: Uint8Array,
  header: NonNullable<PageHeader['data_page_header']>,
  column: ParquetColumn,
  dictionary: number,
): void {
  const { num_values: count, encoding } = header;
  const { definition, repetition } = levelsOf(column);
  let at = 0;
  let values = count;
  for (const [level, isDefinition] of [
    [repetition, false],
    [definition, true],
  ] as const) {
    if (level === 0) continue;
    const length = new DataView(page.buffer, page.byteOffset, page.length).getUint32(at, true);
    const block = page.subarray(at + 4, at + 4 + length);
    if (block.length !== length) throw new Error('levels beyond the page');
    const levels = runs(block, bitsOf(level), count, level);
    if (isDefinition) values = levels.filter((own) => own === level).length;
    at += 4 + length;
  }
  checkValues(page.subarray(at), { encoding, values, dictionary }, column);
}

function checkSecond(
  { levels, page }: { readonly levels: Uint8Array; readonly page: Uint8Array },
  header: NonNullable<PageHeader['data_page_header_v2']>,
  column: ParquetColumn,
  dictionary: number,
): void {
  const { num_values: count, num_nulls: nulls, encoding, repetition_levels_byte_length: repetitions } = header;
  const { definition, repetition } = levelsOf(column);
  if (repetition > 0) runs(levels.subarray(0, repetitions), bitsOf(repetition), count, repetition);
  let values = count;
  if (definition > 0)
    values = runs(levels.subarray(repetitions), bitsOf(definition), count, definition).filter(
      (own) => own === definition,
    ).length;
  if (values !== count - nulls) throw new Error(`${counted(values, 'value')} of ${count}, where ${nulls} are missing`);
  checkValues(page, { encoding, values, dictionary }, column);
}

interface Values {
  readonly encoding: string;
  readonly values: number;
  readonly dictionary: number;
}

/** Bytes of a value; of others the schema says how many. */
const widths: Readonly<Record<string, number>> = {
  ...{ BOOLEAN: 1 / 8, INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8, INT96: 12 },
};

function checkValues(bytes: Uint8Array, { encoding, values, dictionary }: Values, column: ParquetColumn): void {
  const { type } = column;
  if (encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY') {
    const [width = 0] = bytes;
    if (width > mostWidth) throw new Error(`numbers of ${width} bits`);
    if (width > 0) runs(bytes.subarray(1), width, values, dictionary - 1);
    else if (values > 0 && dictionary === 0) throw new Error('numbers without a dictionary');
  } else if (encoding === 'RLE' && type === 'BOOLEAN') runs(bytes.subarray(4), 1, values, 1);
  else if (encoding === 'PLAIN' || encoding === 'BYTE_STREAM_SPLIT') {
    // The reader takes memory for all of them before it looks, and would go on behind the page.
    if (values > 0 && !(bytesOf(bytes, values, column) <= bytes.length))
      throw new Error(`${counted(values, 'value')} of ${type} in ${counted(bytes.length, 'byte')}`);
  } else
    throw new Error(
      `values as ${encoding}, which are not read here: write the table with plain values or dictionaries`,
    );
}

/** How many bytes plain values take that `bytes` begin with; NaN where that cannot be said. */
function bytesOf(bytes: Uint8Array, values: number, { type, schema }: ParquetColumn): number {
  if (type !== 'BYTE_ARRAY') {
    const width = widths[type ?? ''] ?? schema.at(-1)?.type_length ?? 0;
    return width > 0 ? Math.ceil(values * width) : Number.NaN;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  for (let i = 0; i < values; i++) {
    if (at + 4 > bytes.length) return Number.NaN;
    at += 4 + view.getUint32(at, true);
  }
  return at;
}

/** How deep a value may be missing, and lists may lie in another. */
function levelsOf({ schema }: ParquetColumn) {
  const own = schema.slice(1).map(({ repetition_type }) => repetition_type);
  const repetition = own.filter((type) => type === 'REPEATED').length;
  return { repetition, definition: repetition + own.filter((type) => type === 'OPTIONAL').length };
}

function bitsOf(level: number): number {
  return 32 - Math.clz32(level);
}

/**
 * Whole numbers of `width` bits in runs of equal ones and in groups of eight (RLE and bit-packing of the format).
 *
 * @throws an Error where there are not `count`, where a run is longer, or where one is above `most`
 */
export function runs(bytes: Uint8Array, width: number, count: number, most: number): number[] {
  const numbers: number[] = [];
  const byte = (at: number) => {
    if (at >= bytes.length) throw new Error('runs beyond the page');
    return bytes[at]!;
  };
  let at = 0;
  while (numbers.length < count) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const next = byte(at++);
      header += (next & 127) * 2 ** shift;
      if (next < 128) break;
      if (shift >= 28) throw new Error('a run of no length');
    }
    const left = count - numbers.length;
    const isPacked = header % 2 === 1;
    const own = isPacked ? 8 * ((header - 1) / 2) : header / 2;
    // The last group of eight may not be full.
    if (own === 0 || own > (isPacked ? 8 * Math.ceil(left / 8) + 504 : left))
      throw new Error(`a run of ${own} where ${left} are left`);
    if (isPacked) {
      for (let i = 0; i < Math.min(own, left); i++) numbers.push(bitsAt(i * width, at));
      at += (own / 8) * width;
    } else {
      let value = 0;
      for (let i = 0; i < width; i += 8) value += byte(at++) * 2 ** i;
      for (let i = 0; i < own; i++) numbers.push(value);
    }
  }
  const strange = numbers.find((number) => number > most);
  if (strange !== undefined) throw new Error(`the number ${strange}, where ${most} is the most`);
  return numbers;

  function bitsAt(bit: number, from: number): number {
    let value = 0;
    for (let i = 0; i < width; i++) {
      const place = bit + i;
      value += ((byte(from + (place >> 3)) >> (place & 7)) & 1) * 2 ** i;
    }
    return value;
  }
}
