import type { Parameter } from './parameters.ts';

/**
 * BEiT's relative positions: a number for each head and each offset between two patches of a grid, and three more for what concerns the cls token.
 * Pure arithmetic. Source: Bao et al. 2021 (arXiv 2106.08254), and the order of its published code's tables.
 */

/** Rows for the cls token: cls to patch, patch to cls, cls to itself. They stand behind the offsets. */
const ofCls = 3;

/** Offsets along one side of a grid: 1 − side … side − 1. */
const spanOf = (side: number) => 2 * side - 1;

/** Rows of a table: (2·side − 1)² + 3. */
export function biasRows(side: number): number {
  return spanOf(side) ** 2 + ofCls;
}

/** The side of the grid that a table of so many rows is of; undefined where it is of none. */
export function biasSide(rows: number): number | undefined {
  const side = (Math.sqrt(rows - ofCls) + 1) / 2;
  return Number.isInteger(side) && side > 0 ? side : undefined;
}

/** A table of a grid, zero at first: [(2·side − 1)² + 3, h]. */
export function biasParameter(name: string, side: number, heads: number): Parameter {
  return {
    name: `${name}.relative_position_bias_table`,
    shape: [biasRows(side), heads],
    layout: 'same',
    start: 'zeros',
  };
}

/** Which offset each pair of places along a side has, query minus key, one-hot: [side², 2·side − 1], pair (query, key) in row query·side + key. */
export function offsetsOneHot(side: number): Float32Array {
  const span = spanOf(side);
  const matrix = new Float32Array(side * side * span);
  for (let query = 0; query < side; query++)
    for (let key = 0; key < side; key++) matrix[(query * side + key) * span + query - key + side - 1] = 1;
  return matrix;
}

/**
 * The matrix [(2·to − 1)² + 3, (2·from − 1)² + 3] that brings a table to another grid: along each side a cubic spline through the numbers of the offsets,
 * which are placed at 0, ±1, ±(1 + q), ±(1 + q + q²) …, q such that the outermost meets that of the new grid; the rows of cls stay.
 * Source: BEiT's published code for fine-tuning, which interpolates by FITPACK's splines.
 */
export function biasResampling(from: number, to: number): Float64Array {
  const line = splineRows(
    placesOf(from, to),
    Array.from({ length: spanOf(to) }, (_, i) => i - (to - 1)),
  );
  const [rows, columns] = [biasRows(to), biasRows(from)];
  const matrix = new Float64Array(rows * columns);
  const [wide, narrow] = [spanOf(to), spanOf(from)];
  for (let r = 0; r < wide; r++)
    for (let c = 0; c < wide; c++)
      for (let s = 0; s < narrow; s++)
        for (let d = 0; d < narrow; d++)
          matrix[(r * wide + c) * columns + s * narrow + d] = line[r]![s]! * line[c]![d]!;
  for (let i = 1; i <= ofCls; i++) matrix[(rows - i) * columns + columns - i] = 1;
  return matrix;
}

/** A table [biasRows(from), h] brought to another grid: [biasRows(to), h]. */
export function resizedBias(table: Float32Array, heads: number, from: number, to: number): Float32Array {
  const [rows, columns] = [biasRows(to), biasRows(from)];
  const matrix = biasResampling(from, to);
  const resized = new Float32Array(rows * heads);
  for (let row = 0; row < rows; row++)
    for (let head = 0; head < heads; head++) {
      let sum = 0;
      for (let column = 0; column < columns; column++)
        sum += matrix[row * columns + column]! * table[column * heads + head]!;
      resized[row * heads + head] = sum;
    }
  return resized;
}

/** Where the offsets of a grid are placed among those of another, ascending. */
function placesOf(from: number, to: number): number[] {
  const reach = (q: number) => {
    const places = [0];
    for (let i = 0; i < from - 1; i++) places.push(places[i]! + q ** i);
    return places;
  };
  let [low, high] = [1.01, 1.5];
  while (high - low > 1e-6) {
    const q = (low + high) / 2;
    if (reach(q).at(-1)! > to - 1) high = q;
    else low = q;
  }
  const right = from === to ? Array.from({ length: from }, (_, i) => i) : reach(low);
  return [
    ...right
      .slice(1)
      .map((place) => -place)
      .reverse(),
    ...right,
  ];
}

/**
 * What the value of a cubic spline at each of `at` takes of the values at `places`: [at, places]. The third derivative is continuous at the second place from
 * either end ("not a knot"); beyond the ends the value is the end's. Of fewer than four places the polynomial through them.
 */
function splineRows(places: readonly number[], at: readonly number[]): number[][] {
  const n = places.length;
  const inside = at.map((x) => Math.min(places[n - 1]!, Math.max(places[0]!, x)));
  if (n < 4) return inside.map((x) => polynomialRow(places, x));
  const curvature = curvatures(places);
  return inside.map((x) => {
    let i = 0;
    while (i < n - 2 && x > places[i + 1]!) i++;
    const h = places[i + 1]! - places[i]!;
    const [a, b] = [(places[i + 1]! - x) / h, (x - places[i]!) / h];
    const [c, d] = [((a ** 3 - a) * h ** 2) / 6, ((b ** 3 - b) * h ** 2) / 6];
    return places.map(
      (_, j) => c * curvature[i]![j]! + d * curvature[i + 1]![j]! + (j === i ? a : j === i + 1 ? b : 0),
    );
  });
}

/** Lagrange's polynomial. */
function polynomialRow(places: readonly number[], x: number): number[] {
  return places.map((place, j) =>
    places.reduce((product, other, i) => (i === j ? product : (product * (x - other)) / (place - other)), 1),
  );
}

/** The second derivatives of the spline at its places by the values there: [n, n]. */
function curvatures(places: readonly number[]): number[][] {
  const n = places.length;
  const h = places.slice(1).map((place, i) => place - places[i]!);
  const left = places.map(() => new Array<number>(n).fill(0));
  const right = places.map(() => new Array<number>(n).fill(0));
  for (let i = 1; i < n - 1; i++) {
    left[i]![i - 1] = h[i - 1]! / 6;
    left[i]![i] = (h[i - 1]! + h[i]!) / 3;
    left[i]![i + 1] = h[i]! / 6;
    right[i]![i - 1] = 1 / h[i - 1]!;
    right[i]![i] = -1 / h[i - 1]! - 1 / h[i]!;
    right[i]![i + 1] = 1 / h[i]!;
  }
  for (const [row, i] of [
    [0, 1],
    [n - 1, n - 2],
  ] as const) {
    left[row]![i - 1] = 1 / h[i - 1]!;
    left[row]![i] = -1 / h[i - 1]! - 1 / h[i]!;
    left[row]![i + 1] = 1 / h[i]!;
  }
  return solved(left, right);
}

/** Gauss's elimination with the largest pivot: the X of left · X = right. Both are used up. */
function solved(left: number[][], right: number[][]): number[][] {
  const n = left.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++)
      if (Math.abs(left[row]![column]!) > Math.abs(left[pivot]![column]!)) pivot = row;
    for (const matrix of [left, right]) [matrix[column], matrix[pivot]] = [matrix[pivot]!, matrix[column]!];
    for (let row = 0; row < n; row++) {
      if (row === column) continue;
      const factor = left[row]![column]! / left[column]![column]!;
      if (factor === 0) continue;
      for (const matrix of [left, right]) for (let i = 0; i < n; i++) matrix[row]![i]! -= factor * matrix[column]![i]!;
    }
  }
  return right.map((values, row) => values.map((value) => value / left[row]![row]!));
}
