import { jsonLines } from './lines.ts';
import { Rows, type VectorBatch, type VectorFile, withoutField } from './vector-set.ts';

/** Opens a file of lines of JSON, each with `key` and the field's numbers. @throws VECTORS_NONE, VECTORS_BROKEN, FILE_UNREADABLE */
export async function openJsonl(path: string, field: string): Promise<VectorFile> {
  const width = await firstWidth(path, field);
  async function* batches(signal?: AbortSignal): AsyncGenerator<VectorBatch> {
    if (width === undefined) return;
    const rows = new Rows(path, width);
    for await (const { json, number } of jsonLines(path, signal)) {
      const { key, [field]: numbers } = json as Record<string, unknown>;
      rows.add(key, numbers, `in line ${number}`);
      if (rows.isFull) yield rows.take()!;
    }
    const last = rows.take();
    if (last !== undefined) yield last;
  }
  return { ...(width !== undefined && { width }), batches };
}

async function firstWidth(path: string, field: string): Promise<number | undefined> {
  for await (const { json } of jsonLines(path)) {
    const numbers = (json as Record<string, unknown>)[field];
    if (Array.isArray(numbers) && numbers.length > 0) return numbers.length;
    throw withoutField(path, field, 'no list of numbers in line 1');
  }
  return undefined;
}
