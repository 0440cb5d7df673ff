import type { Rows } from './protocol.ts';

/**
 * The likeliest classes of each row, the first of equal ones first, by softmax over all. Of a row that is not finite all are NaN.
 *
 * @param scores float32 [rows, classes]. @param most how many of the classes; all where there are fewer. @returns `values`, the probabilities, float32 [rows, top], and `classes`, int32 [rows, top].
 */
export function likeliest(scores: Float32Array, rows: number, most: number): Rows & { readonly classes: Int32Array } {
  const count = scores.length / rows;
  const top = Math.min(most, count);
  const values = new Float32Array(rows * top);
  const classes = new Int32Array(rows * top);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let row = 0; row < rows; row++) {
    const own = scores.subarray(row * count, (row + 1) * count);
    const sound = own.every(Number.isFinite);
    const greatest = own.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
    const sum = own.reduce((total, score) => total + Math.exp(score - greatest), 0);
    const ranked = sound ? [...order].sort((a, b) => own[b]! - own[a]! || a - b) : order;
    for (let i = 0; i < top; i++) {
      classes[row * top + i] = ranked[i]!;
      values[row * top + i] = sound ? Math.exp(own[ranked[i]!]! - greatest) / sum : Number.NaN;
    }
  }
  return { values, classes };
}
