import { createHash, type Hash } from 'node:crypto';
import { fail } from '../../errors.ts';
import type { VectorBatch, VectorSet } from '../../formats/vectors/vector-set.ts';
import { Groups } from '../../sinks/duplicates/groups.ts';
import type { Compared, Join } from './compared.ts';
import { lengthsOf } from './nearest.ts';
import { backendProduct } from './product.ts';

/** Vectors that are compared with all before them in one pass over the set, and how many of those are multiplied at a time: 16 MiB of products. */
const [block, slice] = [8192, 512];

/** Multiplications that are done here: loading a backend takes as long. */
const doneHere = 4e8;

interface Options {
  readonly signal?: AbortSignal;
  /** What earlier runs have compared: only vectors behind those are compared, with all before them, and written down. */
  readonly compared?: Compared | undefined;
  readonly size?: number;
  readonly alone?: number;
}

/**
 * Groups of vectors whose cosine is at least `above`, all pairs compared, exactly: a product in float32 only says which pairs may be alike, the rest is in float64. The set is read once
 * for each 8,192 of its vectors; no more than these are held, and the groups.
 *
 * @throws COMPARED_CHANGED where the set no longer begins with what was compared; what reading the set throws; FILE_WRITE
 */
export async function similarVectors(
  set: VectorSet,
  above: number,
  { signal, compared, size = block, alone = doneHere }: Options = {},
): Promise<Groups> {
  const groups = compared?.groups ?? new Groups();
  const hash = createHash('sha256');
  const first = compared?.rows ?? 0;
  for (let start = first; ; start += size) {
    // The digest goes on behind what it has seen.
    const seen = start === first ? 0 : start;
    const held = await heldFrom(set, { start, size, seen, hash, compared, signal });
    const { length } = held.keys;
    if (length === 0) return groups;
    const joins = await compareBlock(set, { held, start, above, groups, alone, signal });
    groups.see(length);
    await compared?.add({ rows: start + length, digest: hash.copy().digest('hex'), joins });
    if (length < size) return groups;
  }
}

/** Lengths whose squares float32 can hold. */
const isPlain = (length: number) => length > 1e-15 && length < 1e15;

interface Holding {
  readonly start: number;
  readonly size: number;
  /** Rows that the digest has seen. */
  readonly seen: number;
  readonly hash: Hash;
  readonly compared: Compared | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Some of the vectors. What was compared before must be as it was. */
async function heldFrom(set: VectorSet, { start, size, seen, hash, compared, signal }: Holding): Promise<VectorBatch> {
  const keys: string[] = [];
  const values: Float32Array[] = [];
  let row = 0;
  const digest = (batch: VectorBatch, from: number, to: number) => {
    if (compared === undefined) return;
    const some = batch.values.subarray(from * set.width, to * set.width);
    // Row by row, so that batches do not matter.
    for (let i = from; i < to; i++) {
      hash.update(`${batch.keys[i]}\n`);
      const at = (i - from) * set.width;
      hash.update(new Uint8Array(some.buffer, some.byteOffset + 4 * at, 4 * set.width));
    }
  };
  const inside = (place: number, count: number) => Math.min(count, Math.max(0, place - row));
  for await (const batch of set.batches(signal)) {
    const count = batch.keys.length;
    const [old, from, to] = [inside(seen, count), inside(start, count), inside(start + size, count)];
    digest(batch, old, from);
    if (row <= start && start < row + count && seen === 0) mustBegin(set, compared, hash);
    digest(batch, Math.max(old, from), to);
    if (to > from) {
      keys.push(...batch.keys.slice(from, to));
      values.push(batch.values.slice(from * set.width, to * set.width));
    }
    row += count;
    if (row >= start + size) break;
  }
  if (row <= start && seen === 0) {
    if (row < start) throw changed(set, compared!, `${row} vectors`);
    mustBegin(set, compared, hash);
  }
  const all = new Float32Array(keys.length * set.width);
  values.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return { keys, values: all };
}

/** The digest is now that of all vectors that were compared before. */
function mustBegin(set: VectorSet, compared: Compared | undefined, hash: Hash): void {
  if (compared === undefined || compared.rows === 0) return;
  if (hash.copy().digest('hex') !== compared.digest) throw changed(set, compared, 'others');
}

function changed(set: VectorSet, { rows }: Compared, found: string) {
  return fail('COMPARED_CHANGED', { rows, found }, { where: set.path });
}

interface Block {
  readonly held: VectorBatch;
  /** The row of the first of `held`. */
  readonly start: number;
  readonly above: number;
  readonly groups: Groups;
  readonly alone: number;
  readonly signal: AbortSignal | undefined;
}

/** Compares vectors with all that come before them, in any order: groups do not depend on it. @returns what has changed the groups. */
async function compareBlock(
  set: VectorSet,
  { held, start, above, groups, alone, signal }: Block,
): Promise<readonly Join[]> {
  const { width } = set;
  const lengths = lengthsOf(held.values, width);
  const size = held.keys.length;
  const joins: Join[] = [];
  const product =
    size * (start + size) * width > alone ? await backendProduct(columnsOf(held, lengths, width), size) : undefined;
  try {
    let row = 0;
    for await (const { keys, values } of set.batches(signal)) {
      const count = Math.min(keys.length, start + size - row);
      for (let at = 0; at < count; at += slice) {
        const rows = Math.min(slice, count - at);
        const some = values.slice(at * width, (at + rows) * width);
        const others = lengthsOf(some, width);
        const products = (await product?.multiply(some, rows))?.products;
        for (let i = 0; i < rows; i++) {
          const place = row + at + i;
          const least =
            product !== undefined && isPlain(others[i]!)
              ? (above - product.error) * others[i]!
              : Number.NEGATIVE_INFINITY;
          // Each pair once: the later one is held.
          for (let q = Math.max(0, place - start + 1); q < size; q++) {
            if (products !== undefined && products[i * size + q]! < least && isPlain(lengths[q]!)) continue;
            const exact = cosine(held.values, q, some, i, width, lengths[q]! * others[i]!);
            if (exact < above) continue;
            const likeness = Math.round(exact * 1e6) / 1e6;
            const [later, earlier] = [
              { key: held.keys[q]!, position: start + q },
              { key: keys[at + i]!, position: place },
            ];
            if (groups.join(later, { ...earlier, likeness }))
              joins.push([later.key, later.position, earlier.key, earlier.position, likeness]);
          }
        }
      }
      row += keys.length;
      if (row >= start + size) break;
    }
  } finally {
    product?.close();
  }
  return joins;
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
