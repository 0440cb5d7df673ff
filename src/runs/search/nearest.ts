import type { VectorBatch } from '../../formats/vectors/vector-set.ts';

/** A vector of the set, and how alike it is. */
export interface Neighbour {
  readonly key: string;
  /** Its place in the set, from 0. */
  readonly row: number;
  /** The cosine of the angle between the two, -1 to 1; 0 for a vector of zeros. */
  readonly similarity: number;
}

/** Vectors that are looked for. */
export interface Questions {
  readonly width: number;
  /** float32 [count, width], row by row; all finite. */
  readonly values: Float32Array;
  /** Rows of the set that are not answers, as a question's own: one for each question, or -1. */
  readonly without?: readonly number[];
}

/**
 * Multiplies rows [n, D] by columns [D, Q], which stay the same, to [n, Q], and takes the rows' lengths [n], all in float32. `error` is how far a product of rows
 * and columns of length one may be off, and a length of one. What it gives is good until it is asked again.
 */
export interface Product {
  readonly error: number;
  multiply(rows: Float32Array, count: number): Promise<Products>;
}

export interface Products {
  readonly products: Float32Array;
  readonly lengths: Float32Array;
}

/** Lengths whose squares float32 can hold; beyond them, similarities are computed by themselves. */
const [shortest, longest] = [1e-15, 1e15];

/**
 * The nearest vectors of each question by cosine, exact, while the vectors go by. Similarities are computed in float64 in one order, whatever multiplies:
 * a product in float32 only says which ones may be among the nearest. Of equally similar ones the lower key comes first, of equal keys the earlier row.
 */
export class Nearest {
  readonly #questions: Questions;
  readonly #count: number;
  readonly #top: number;
  readonly #lengths: Float64Array;
  readonly #found: Neighbour[][];
  /** The similarity that a neighbour of a question must reach. */
  readonly #least: Float64Array;
  #rows = 0;

  constructor(questions: Questions, top: number) {
    this.#questions = questions;
    this.#count = questions.values.length / questions.width;
    this.#top = top;
    this.#lengths = lengthsOf(questions.values, questions.width);
    this.#found = Array.from({ length: this.#count }, () => []);
    this.#least = new Float64Array(this.#count).fill(Number.NEGATIVE_INFINITY);
  }

  /** How many vectors went by. */
  get rows(): number {
    return this.#rows;
  }

  /** The questions as columns of length one, [D, Q], for a product. */
  columns(): Float32Array {
    const { width, values } = this.#questions;
    const columns = new Float32Array(values.length);
    for (let q = 0; q < this.#count; q++)
      for (let i = 0; i < width; i++) columns[i * this.#count + q] = values[q * width + i]! / (this.#lengths[q]! || 1);
    return columns;
  }

  /** Compares some more vectors, by a product where there is one. */
  async add({ keys, values }: VectorBatch, product?: Product): Promise<void> {
    if (product === undefined) this.#compareAll(keys, values);
    else this.#compareLikely(keys, values, await product.multiply(values, keys.length), product.error);
    this.#rows += keys.length;
  }

  #compareAll(keys: readonly string[], values: Float32Array): void {
    const lengths = lengthsOf(values, this.#questions.width);
    for (let row = 0; row < keys.length; row++)
      for (let q = 0; q < this.#count; q++) this.#compare(q, row, keys[row]!, values, lengths[row]!);
  }

  #compareLikely(keys: readonly string[], values: Float32Array, { products, lengths }: Products, error: number): void {
    const count = this.#count;
    const { width } = this.#questions;
    // What a product must reach to be looked at, as far as it and the length may be off; renewed where a neighbour was found.
    const off = 2.5 * error;
    const least = this.#least.map((similarity) => similarity - off);
    for (let row = 0, at = 0; row < keys.length; row++) {
      const length = lengths[row]!;
      const plain = length > shortest && length < longest ? length : Number.NaN;
      let exact: number | undefined;
      for (let q = 0; q < count; q++, at++) {
        // Turned round, so that what is no number is looked at.
        if (products[at]! < least[q]! * plain) continue;
        exact ??= lengthsOf(values.subarray(row * width, (row + 1) * width), width)[0]!;
        this.#compare(q, row, keys[row]!, values, exact);
        least[q] = this.#least[q]! - off;
      }
    }
  }

  #compare(q: number, row: number, key: string, values: Float32Array, length: number): void {
    const { width, values: questions, without } = this.#questions;
    const place = this.#rows + row;
    if (without?.[q] === place) return;
    let sum = 0;
    for (let i = 0, a = q * width, b = row * width; i < width; i++, a++, b++) sum += questions[a]! * values[b]!;
    const product = this.#lengths[q]! * length;
    const similarity = product === 0 ? 0 : Math.max(-1, Math.min(1, sum / product));
    if (similarity >= this.#least[q]!) this.#insert(q, { key, row: place, similarity });
  }

  #insert(q: number, neighbour: Neighbour): void {
    const found = this.#found[q]!;
    let at = found.length;
    while (at > 0 && isBefore(neighbour, found[at - 1]!)) at--;
    if (at >= this.#top) return;
    found.splice(at, 0, neighbour);
    if (found.length > this.#top) found.pop();
    if (found.length === this.#top) this.#least[q] = found[this.#top - 1]!.similarity;
  }

  /** The nearest of each question, the most similar first. */
  found(): readonly (readonly Neighbour[])[] {
    return this.#found;
  }
}

function isBefore(one: Neighbour, other: Neighbour): boolean {
  if (one.similarity !== other.similarity) return one.similarity > other.similarity;
  return one.key === other.key ? one.row < other.row : one.key < other.key;
}

/** The length of each row. */
export function lengthsOf(values: Float32Array, width: number): Float64Array {
  const lengths = new Float64Array(values.length / width);
  for (let row = 0, at = 0; row < lengths.length; row++) {
    let sum = 0;
    for (const end = at + width; at < end; at++) sum += values[at]! * values[at]!;
    lengths[row] = Math.sqrt(sum);
  }
  return lengths;
}
