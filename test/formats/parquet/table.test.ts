import t from 'tap';
import type { Positioned } from '../../../src/files/positioned.ts';
import { ParquetTable } from '../../../src/formats/parquet/table.ts';

/** A file of so many bytes, of which the last are written out, and how many bytes are read of it. */
function ending(size: number, last: Buffer): Positioned & { bytes: number } {
  return {
    ...{ name: 'a.parquet', size, bytes: 0 },
    async read(offset, length) {
      this.bytes += length;
      const all = Buffer.alloc(length);
      last.copy(all, Math.max(0, size - last.length - offset));
      return all;
    },
  };
}

/** Metadata as they lie at the end of a file. @param said their length, as the file says it */
function tail(metadata: Uint8Array, said = metadata.length): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(said);
  return Buffer.concat([metadata, length, Buffer.from('PAR1')]);
}

t.test('metadata that are longer than what is read, or than the file, are not read', async (t) => {
  const most = /in its metadata.*1,073,741,824 bytes, of which 67,108,864 bytes are read at most/;
  for (const [size, said, message] of [
    [2 ** 32, 2 ** 30, most],
    [2 ** 30, 2 ** 30, /1,073,741,824 bytes in 1,073,741,824 bytes/],
  ] as const) {
    const file = ending(size, tail(Buffer.alloc(0), said));
    await t.rejects(ParquetTable.open(file), { code: 'PARQUET_BROKEN', message });
    t.ok(file.bytes <= 2 ** 19, `${file.bytes} bytes`);
  }
});

t.test('no memory is taken for values that the metadata only say they have', async (t) => {
  // The second field is the schema: a list of structures.
  const list = Buffer.from([0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0x0f, 0x35, 2, 0, 0]);
  const file = ending(1000, tail(list));
  await t.rejects(ParquetTable.open(file), { code: 'PARQUET_BROKEN', message: /a list of 33554431 in 4 bytes/ });
});
