import { withGradient } from './gradient.ts';
import * as tf from './tf.ts';

/** Grids made larger or smaller by constant matrices: exact, with a gradient on every backend, where kernels that resize have none. */

/**
 * Mixes the cells of a grid: out[i] = Σ matrix[i, j] · x[j]. The gradient is the same with the matrix turned over.
 *
 * @param x [N, n, C]. @param matrix [m, n], constant: no gradient goes there.
 * @returns [N, m, C].
 */
export function mixCells(x: tf.Tensor3D, matrix: tf.Tensor2D): tf.Tensor3D {
  const [m, n] = matrix.shape;
  return withGradient([x], (a) => ({
    value: tf.matMul(matrix.reshape([1, m, n]), a),
    saved: [matrix],
    backward: (dy, [matrix]) => [tf.matMul(matrix!.reshape([1, m, n]), dy, true, false)],
  })) as tf.Tensor3D;
}

type Grid = readonly [rows: number, columns: number];

/** The matrix [⌊rows/2⌋·⌊columns/2⌋, rows·columns] that averages squares of 2 × 2 cells; an odd row or column at the end is left out. */
export function halving([rows, columns]: Grid): tf.Tensor2D {
  return alongBoth(halvingLine(rows), halvingLine(columns));
}

/** The matrix [to rows·columns, from rows·columns] that enlarges bilinearly, corners kept in their places. */
export function enlarging(from: Grid, to: Grid): tf.Tensor2D {
  return alongBoth(enlargingLine(from[0], to[0]), enlargingLine(from[1], to[1]));
}

type Line = readonly (readonly number[])[];

function halvingLine(cells: number): Line {
  return Array.from({ length: Math.floor(cells / 2) }, (_, i) =>
    Array.from({ length: cells }, (_, j) => (Math.floor(j / 2) === i ? 0.5 : 0)),
  );
}

function enlargingLine(from: number, to: number): Line {
  return Array.from({ length: to }, (_, i) => {
    const at = to === 1 ? 0 : (i * (from - 1)) / (to - 1);
    return Array.from({ length: from }, (_, j) => Math.max(0, 1 - Math.abs(at - j)));
  });
}

/** The product of a matrix along the rows and one along the columns, over cells in raster order. */
function alongBoth(rows: Line, columns: Line): tf.Tensor2D {
  return tf.tensor2d(rows.flatMap((row) => columns.map((column) => row.flatMap((a) => column.map((b) => a * b)))));
}
