import type { VectorBatch, VectorSet } from '../../formats/vectors/vector-set.ts';
import { Groups } from '../../sinks/duplicates/groups.ts';
import { lengthsOf } from './nearest.ts';
import { backendProduct } from './product.ts';

/** Vectors that all later ones are compared with in one pass over the set, and how many of those are multiplied at a time: 16 MiB of products. */
const [block, slice] = [8192, 512];

/** Multiplications that are done here: loading a backend takes as long. */
const doneHere = 4e8;

/**
 * Groups of vectors whose cosine is at least `above`, all pairs compared, exactly: a product in float32 only says which pairs may be alike, the rest is in float64. The set is read once
 * for each 8,192 of its vectors; no more than these are held, and the groups.
 *
 * @throws what reading the set throws.
 */
export async function similarVectors(
  set: VectorSet,
  above: number,
  {
    signal,
    size = block,
    alone = doneHere,
  }: { readonly signal?: AbortSignal; readonly size?: number; readonly alone?: number } = {},
): Promise<Groups> {
  const groups = new Groups();
  for (let start = 0, more = true; more; start += size) {
    const { held, count } = await heldFrom(set, start, size, signal);
    if (start === 0) groups.see(count);
    if (held.keys.length > 0) await compareBlock(set, { held, start, count, above, groups, alone, signal });
    more = start + size < count;
  }
  return groups;
}

/** Lengths whose squares float32 can hold. */
const isPlain = (length: number) => length > 1e-15 && length < 1e15;

/** Some of the vectors, and how many there are in all where they are the first. */
async function heldFrom(set: VectorSet, start: number, size: number, signal?: AbortSignal) {
  const keys: string[] = [];
  const values: Float32Array[] = [];
  let row = 0;
  for await (const batch of set.batches(signal)) {
    const first = Math.max(0, start - row);
    const last = Math.min(batch.keys.length, start + size - row);
    if (last > first) {
      keys.push(...batch.keys.slice(first, last));
      values.push(batch.values.slice(first * set.width, last * set.width));
    }
    row += batch.keys.length;
  }
  const all = new Float32Array(keys.length * set.width);
  values.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return { held: { keys, values: all }, count: row };
}

interface Block {
  readonly held: VectorBatch;
  /** The row of the first of `held`. */
  readonly start: number;
  /** Rows of the set. */
  readonly count: number;
  readonly above: number;
  readonly groups: Groups;
  readonly alone: number;
  readonly signal: AbortSignal | undefined;
}

/** Compares vectors with all that come after them. */
async function compareBlock(
  set: VectorSet,
  { held, start, count, above, groups, alone, signal }: Block,
): Promise<void> {
  const { width } = set;
  const lengths = lengthsOf(held.values, width);
  const size = held.keys.length;
  const product =
    size * (count - start) * width > alone ? await backendProduct(columnsOf(held, lengths, width), size) : undefined;
  try {
    let row = 0;
    for await (const { keys, values } of set.batches(signal)) {
      for (let at = Math.max(0, start - row); at < keys.length; at += slice) {
        const rows = Math.min(slice, keys.length - at);
        const some = values.slice(at * width, (at + rows) * width);
        const others = lengthsOf(some, width);
        const products = (await product?.multiply(some, rows))?.products;
        for (let i = 0; i < rows; i++) {
          const place = row + at + i;
          const least =
            product !== undefined && isPlain(others[i]!)
              ? (above - product.error) * others[i]!
              : Number.NEGATIVE_INFINITY;
          // Each pair once: the earlier one is held.
          for (let q = 0; q < size && start + q < place; q++) {
            if (products !== undefined && products[i * size + q]! < least && isPlain(lengths[q]!)) continue;
            const likeness = cosine(held.values, q, some, i, width, lengths[q]! * others[i]!);
            if (likeness < above) continue;
            const earlier = { key: held.keys[q]!, position: start + q, likeness: Math.round(likeness * 1e6) / 1e6 };
            groups.join({ key: keys[at + i]!, position: place }, earlier);
          }
        }
      }
      row += keys.length;
    }
  } finally {
    product?.close();
  }
}

function cosine(a: Float32Array, q: number, b: Float32Array, i: number, width: number, product: number): number {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += a[q * width + d]! * b[i * width + d]!;
  return product === 0 ? 0 : Math.min(1, sum / product);
}

/** float32 [D, count], of length one. */
function columnsOf({ keys, values }: VectorBatch, lengths: Float64Array, width: number): Float32Array {
  const columns = new Float32Array(values.length);
  for (let q = 0; q < keys.length; q++)
    for (let d = 0; d < width; d++) columns[d * keys.length + q] = values[q * width + d]! / (lengths[q]! || 1);
  return columns;
}
