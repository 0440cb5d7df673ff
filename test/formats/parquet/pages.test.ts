import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import t from 'tap';
import { FilePool } from '../../../src/files/positioned.ts';
import { readChunk } from '../../../src/formats/parquet/pages.ts';
import { ParquetTable } from '../../../src/formats/parquet/table.ts';

t.test('pages that are small in the file and large unpacked are counted together', async (t) => {
  const path = join(t.testdir(), 'zeros.parquet');
  const count = 40_000;
  const columnData = [{ name: 'x', data: new Float32Array(count), type: 'FLOAT', encoding: 'PLAIN' }] as const;
  writeFileSync(
    path,
    Buffer.from(parquetWriteBuffer({ columnData: [...columnData], pageSize: 20_000, rowGroupSize: count })),
  );
  const pool = new FilePool();
  t.teardown(() => pool.close());
  const table = await ParquetTable.open(await pool.file(path, 'zeros.parquet'));
  const [group] = table.groups;
  const column = table.column('x')!;
  const packed = Number(table.chunk(column, group!).meta_data.total_compressed_size);
  const read = (mostBytes: number) => readChunk(table, column, group!, { mostBytes });
  t.ok(packed < 50_000, `${packed} bytes in the file`);
  t.equal((await read(4 * count + 1000)).length, count);
  await t.rejects(read(50_000), { code: 'PARQUET_BROKEN', message: /more than 50,000 bytes.*smaller row groups/ });
});
