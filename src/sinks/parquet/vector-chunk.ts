import type { ColumnChunk } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';

/** Definition levels of an optional list of required elements: no list, an empty one, an element. */
const [noList, emptyList, element] = [0, 1, 2] as const;

/**
 * Writes a column of `LIST<FLOAT>` for the rows of a row group: one page, plain. The library would take each number by itself, which costs more than to compute
 * a small model's vector; a vector's bytes are in the file as they are in memory.
 *
 * @param rows null where a row has no list.
 */
export function writeVectors(writer: ByteWriter, name: string, rows: readonly (Float32Array | null)[]): ColumnChunk {
  const begun = writer.offset;
  const { levels, values, nulls, repetitionBytes } = levelsOf(rows);
  const bytes = levels.length + (values - nulls) * 4;
  writePageHeader(writer, {
    type: 'DATA_PAGE_V2',
    uncompressed_page_size: bytes,
    compressed_page_size: bytes,
    data_page_header_v2: {
      num_values: values,
      num_nulls: nulls,
      num_rows: rows.length,
      encoding: 'PLAIN',
      definition_levels_byte_length: levels.length - repetitionBytes,
      repetition_levels_byte_length: repetitionBytes,
      is_compressed: false,
    },
  });
  writer.appendBytes(levels);
  for (const row of rows)
    if (row !== null) writer.appendBytes(new Uint8Array(row.buffer, row.byteOffset, row.byteLength));
  const size = BigInt(writer.offset - begun);
  return {
    file_offset: BigInt(begun),
    meta_data: {
      type: 'FLOAT',
      encodings: ['PLAIN'],
      path_in_schema: [name, 'list', 'element'],
      codec: 'UNCOMPRESSED',
      num_values: BigInt(values),
      total_compressed_size: size,
      total_uncompressed_size: size,
      data_page_offset: BigInt(begun),
    },
  };
}

/** Repetition levels, then definition levels, as runs; and how many entries there are: a row without numbers is one, which is null. */
function levelsOf(rows: readonly (Float32Array | null)[]) {
  const levels = new ByteWriter();
  const run = (count: number, level: number) => {
    if (count === 0) return;
    levels.appendVarInt(count * 2);
    levels.appendUint8(level);
  };
  let values = 0;
  let nulls = 0;
  for (const row of rows) {
    const entries = row?.length || 1;
    // The first of a row begins it.
    run(1, 0);
    run(entries - 1, 1);
    values += entries;
    if (!row?.length) nulls++;
  }
  const repetitionBytes = levels.offset;
  let [count, level] = [0, 0];
  for (const row of rows) {
    const own = row === null ? noList : row.length === 0 ? emptyList : element;
    if (own !== level) {
      run(count, level);
      [count, level] = [0, own];
    }
    count += row?.length || 1;
  }
  run(count, level);
  return { levels: levels.getBytes(), values, nulls, repetitionBytes };
}
