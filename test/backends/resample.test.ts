import t from 'tap';
import { enlarging, halving, mixCells } from '../../src/backends/resample.ts';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { expectClose, expectOperation, type Numbers, referred, waves } from '../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

/** 2 × 2 means of [N, rows, columns, C]; what is odd at the end is left out. */
const halved = (rows: number, columns: number, C: number) => (x: Float64Array) => {
  const [h, w] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  return Float64Array.from({ length: (x.length / rows / columns) * h * w }, (_, i) => {
    const [c, column, row, n] = [i % C, Math.floor(i / C) % w, Math.floor(i / C / w) % h, Math.floor(i / C / w / h)];
    const at = (dr: number, dc: number) => x[((n * rows + 2 * row + dr) * columns + 2 * column + dc) * C + c]!;
    return (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
  });
};

/** Bilinear, corners to corners, of [N, h, w, C] to [N, rows, columns, C]. */
const enlarged = ([h, w]: readonly [number, number], [rows, columns]: readonly [number, number], C: number) => {
  const along = (i: number, to: number, from: number) => {
    const at = to === 1 ? 0 : (i * (from - 1)) / (to - 1);
    const low = Math.min(Math.floor(at), from - 1);
    return [low, Math.min(low + 1, from - 1), at - low] as const;
  };
  return (x: Float64Array) =>
    Float64Array.from({ length: (x.length / h / w) * rows * columns }, (_, i) => {
      const [c, n] = [i % C, Math.floor(i / C / rows / columns)];
      const [top, bottom, down] = along(Math.floor(i / C / columns) % rows, rows, h);
      const [left, right, across] = along(Math.floor(i / C) % columns, columns, w);
      const at = (r: number, k: number) => x[((n * h + r) * w + k) * C + c]!;
      const line = (r: number) => at(r, left) * (1 - across) + at(r, right) * across;
      return line(top) * (1 - down) + line(bottom) * down;
    });
};

for (const [rows, columns] of [
  [4, 6],
  [5, 7],
  [2, 3],
  [7, 2],
] as const) {
  t.test(`a grid of ${rows} × ${columns}, halved and enlarged again`, async (t) => {
    const [N, C] = [2, 3];
    const half = [Math.floor(rows / 2), Math.floor(columns / 2)] as const;
    const matrices = { down: halving([rows, columns]), up: enlarging(half, [rows, columns]) };
    const mixed = (matrix: tf.Tensor2D) => (x?: tf.Tensor) => mixCells(x as tf.Tensor3D, matrix);
    const hold = (matrix: tf.Tensor2D, reference: unknown, input: Numbers) =>
      expectOperation(t, mixed(matrix), referred(reference as never, [input]), [input]);
    await hold(matrices.down, halved(rows, columns, C), waves([N, rows * columns, C]));
    await hold(matrices.up, enlarged(half, [rows, columns], C), waves([N, half[0] * half[1], C]));
    tf.dispose([matrices.down, matrices.up]);
  });
}

t.test('corners stay, and rows of both matrices add up to one', (t) => {
  tf.tidy(() => {
    const up = enlarging([3, 3], [7, 7]);
    const small = tf.range(0, 9).reshape([1, 9, 1]) as tf.Tensor3D;
    const large = mixCells(small, up).reshape([7, 7]).arraySync() as number[][];
    t.same([large[0]![0], large[0]![6], large[6]![0], large[6]![6], large[3]![3]], [0, 2, 6, 8, 4]);
    for (const matrix of [up, halving([7, 5])])
      expectClose(t, matrix.sum(1).dataSync(), new Float32Array(matrix.shape[0]).fill(1), 1e-6);
  });
  t.end();
});
