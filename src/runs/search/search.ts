import { fail } from '../../errors.ts';
import type { VectorBatch, VectorSet } from '../../formats/vectors/vector-set.ts';
import { Nearest, type Neighbour, type Questions } from './nearest.ts';
import { backendProduct } from './product.ts';

/** Multiplications that are done here before a backend is loaded for the rest: about half a second. */
const alone = 4e8;
/** Vectors of about so many bytes are multiplied at a time. */
export const blockBytes = 16 * 2 ** 20;

export interface SearchResult {
  /** Vectors in the set. */
  readonly count: number;
  /** The nearest of each question, the most similar first. */
  readonly neighbours: readonly (readonly Neighbour[])[];
}

/**
 * The `top` nearest vectors of a set for each question by cosine, exact, the set read once from front to end, some megabytes at a time.
 *
 * @throws VECTORS_OTHER for questions of another width; what reading the set throws.
 */
export async function searchVectors(
  set: VectorSet,
  questions: Questions,
  { top = 10, signal }: { readonly top?: number; readonly signal?: AbortSignal } = {},
): Promise<SearchResult> {
  const { width } = questions;
  if (set.width !== width) throw otherWidth(set, width);
  const nearest = new Nearest(questions, top);
  const count = questions.values.length / width;
  let product: Awaited<ReturnType<typeof backendProduct>> | undefined;
  try {
    for await (const block of blocksOf(set.batches(signal), width)) {
      const work = (nearest.rows + block.keys.length) * width * count;
      if (product === undefined && work > alone) product = await backendProduct(nearest.columns(), count);
      await nearest.add(block, product);
    }
  } finally {
    product?.close();
  }
  return { count: nearest.rows, neighbours: nearest.found() };
}

/** Vectors of a question must be as long as those of the set. */
export function otherWidth(set: VectorSet, width: number) {
  const slots = { expected: `[${set.width}] numbers`, found: `[${width}]` };
  return fail('VECTORS_OTHER', slots, { where: set.path });
}

/** Batches put together to larger ones. */
async function* blocksOf(batches: AsyncIterable<VectorBatch>, width: number): AsyncGenerator<VectorBatch> {
  const most = Math.max(1, Math.floor(blockBytes / 4 / width));
  let waiting: VectorBatch[] = [];
  let rows = 0;
  for await (const batch of batches) {
    if (rows + batch.keys.length > most && rows > 0) {
      yield together(waiting, rows, width);
      [waiting, rows] = [[], 0];
    }
    waiting.push(batch);
    rows += batch.keys.length;
  }
  if (rows > 0) yield together(waiting, rows, width);
}

function together(batches: readonly VectorBatch[], rows: number, width: number): VectorBatch {
  if (batches.length === 1) return batches[0]!;
  const values = new Float32Array(rows * width);
  let at = 0;
  for (const batch of batches) {
    values.set(batch.values, at);
    at += batch.values.length;
  }
  return { keys: batches.flatMap(({ keys }) => keys), values };
}
