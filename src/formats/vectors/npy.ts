import { basename } from 'node:path';
import { counted } from '../../counts.ts';
import { printable } from '../../errors.ts';
import type { FilePool } from '../../files/positioned.ts';
import { jsonLines } from './lines.ts';
import { parseNpyHeader } from './npy-header.ts';
import { broken, originIn, Rows, type VectorBatch, type VectorFile, withoutField } from './vector-set.ts';

/** The file of keys that lies beside an array. */
export function keysPath(path: string): string {
  return path.replace(/\.npy$/, '.jsonl');
}

/** Opens an array of NumPy, float32 [N, D], with the file of keys beside it. @throws VECTORS_NONE, VECTORS_BROKEN, FILE_UNREADABLE */
export async function openNpy(pool: FilePool, path: string, field: string): Promise<VectorFile> {
  const file = await pool.file(path, path);
  const header = parseNpyHeader(await file.read(0, Math.min(file.size, 65_536)));
  if (typeof header === 'string') throw broken(path, 'in its header', header);
  const { dtype, shape, offset } = header;
  if (dtype !== '<f4') throw broken(path, 'in its header', `numbers of type ${printable(dtype)}, not float32 (<f4)`);
  const [count, width] = shape as [number, number];
  if (shape.length !== 2 || !(width > 0)) {
    throw broken(path, 'in its header', `shape [${shape.join(', ')}], not [N, D]`);
  }
  const expected = offset + count * width * 4;
  if (file.size !== expected)
    throw broken(path, `at byte ${file.size}`, `an end; the header announces ${counted(expected, 'byte')}`);
  const keys = keysPath(path);
  const head = await firstLine(keys);
  const said = (head as { readonly vectors?: { readonly field?: unknown; readonly origin?: unknown } }).vectors;
  if (typeof said?.field === 'string' && said.field !== field)
    throw withoutField(path, field, `the field ${printable(said.field)}`);
  if (said?.field !== field) {
    throw broken(
      keys,
      'in line 1',
      `${printable(JSON.stringify(head).slice(0, 80))}, not the head of keys for ${field}`,
    );
  }
  const origin = originIn(said.origin);
  async function* batches(signal?: AbortSignal): AsyncGenerator<VectorBatch> {
    const rows = new Rows(path, width);
    let row = 0;
    for await (const { json, number } of jsonLines(keys, signal)) {
      if (number === 1) continue;
      if (row === count) throw broken(keys, `in line ${number}`, `a key without a vector: the array has ${count}`);
      const bytes = await window(row, signal);
      rows.add((json as { readonly key?: unknown }).key, bytes, `row ${row}`);
      row++;
      if (rows.isFull) yield rows.take()!;
    }
    if (row < count)
      throw broken(keys, `after line ${row + 1}`, `an end: ${basename(path)} has ${counted(count, 'vector')}`);
    const last = rows.take();
    if (last !== undefined) yield last;
  }
  // Read in pieces of many rows.
  const step = Math.max(1, Math.floor(2 ** 20 / (width * 4)));
  let held: { readonly from: number; readonly values: Float32Array } | undefined;
  async function window(row: number, signal?: AbortSignal): Promise<Float32Array> {
    if (held === undefined || row < held.from || (row - held.from + 1) * width > held.values.length) {
      const bytes = await file.read(offset + row * width * 4, Math.min(step, count - row) * width * 4, signal);
      held = { from: row, values: new Float32Array(new Uint8Array(bytes).buffer) };
    }
    return held.values.subarray((row - held.from) * width, (row - held.from + 1) * width);
  }
  return { width, ...(origin && { origin }), batches };
}

async function firstLine(path: string): Promise<object> {
  for await (const { json } of jsonLines(path)) return json;
  throw broken(path, 'at byte 0', 'an end, where a line was expected');
}
