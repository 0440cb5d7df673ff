import { basename } from 'node:path';
import { printable } from '../../errors.ts';
import type { FilePool } from '../../files/positioned.ts';
import { openShard } from '../shard/reader.ts';
import { broken, originIn, Rows, type VectorBatch, type VectorFile, withoutField } from './vector-set.ts';

/** Opens a shard whose records have the field, float32 [D]. @throws VECTORS_NONE, VECTORS_BROKEN, those of shards, FILE_UNREADABLE */
export async function openShardVectors(pool: FilePool, path: string, field: string): Promise<VectorFile> {
  const shard = await openShard(pool, path, { name: basename(path), damage: 'fail', maxBytes: 2 ** 28 });
  const { count } = shard.index;
  const numbersOf = async (record: number, signal?: AbortSignal) => {
    const { key, fields } = await shard.read(record, signal);
    const stored = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (stored?.type === 'float32' && stored.shape.length === 1) return { key, data: stored.data };
    if (record === 0) throw withoutField(path, field, 'no float32 [D] of that name in record 0');
    throw broken(path, `record ${record}, key ${printable(key)}`, `no float32 [D] as ${field}`);
  };
  const known = shard.info?.fields;
  const said = known !== undefined && Object.hasOwn(known, field) ? known[field] : undefined;
  const { origins = {} } = shard.info ?? {};
  const shapeless = Object.hasOwn(origins, field) ? origins[field] : undefined;
  const origin = originIn(typeof said === 'object' && 'origin' in said ? said.origin : shapeless);
  const width = count === 0 ? undefined : (await numbersOf(0)).data.length;
  async function* batches(signal?: AbortSignal): AsyncGenerator<VectorBatch> {
    if (width === undefined) return;
    const rows = new Rows(path, width);
    for (let record = 0; record < count; record++) {
      const { key, data } = await numbersOf(record, signal);
      rows.add(key, data, `record ${record}`);
      if (rows.isFull) yield rows.take()!;
    }
    const last = rows.take();
    if (last !== undefined) yield last;
  }
  return { ...(width !== undefined && { width }), ...(origin && { origin }), batches };
}
