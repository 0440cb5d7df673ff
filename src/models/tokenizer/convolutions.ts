import { linear } from '../../backends/ops.ts';
import type * as tf from '../../backends/tf.ts';
import { parameter } from '../layers/vit.ts';
import type { Params } from '../model.ts';

/** Convolutions of 4 × 4 with stride 2 as products of matrices, which every backend has, with gradients: a square of 2 × 2 cells is one cell of four times the channels. */

/** The four places of a cell of 2 × 2 under a filter of 4 × 4. */
const corners = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
] as const;

/**
 * Halves the sides: a convolution of 4 × 4, stride 2, with a border of one zero.
 *
 * @param x [N, H, W, C], sides even. @param name of its parameters: weight [4, 4, C, F], bias [F].
 * @returns [N, H/2, W/2, F].
 */
export function halved(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  const [N, H, W, C] = x.shape;
  const weight = parameter(params, `${name}.weight`) as tf.Tensor4D;
  const F = weight.shape[3];
  const bordered = x.pad([
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const cells = squares(bordered as tf.Tensor4D);
  const parts = corners.map(([row, column], i) => {
    const part = cells.slice([0, row, column, 0], [N, H / 2, W / 2, 4 * C]);
    const own = weight.slice([2 * row, 2 * column, 0, 0], [2, 2, C, F]).reshape([4 * C, F]);
    return linear(part, own, i === 0 ? parameter(params, `${name}.bias`) : undefined);
  });
  return total(parts) as tf.Tensor4D;
}

/**
 * Doubles the sides: the transposed convolution of 4 × 4, stride 2, with a border of one cut off.
 *
 * @param x [N, H, W, C]. @param name of its parameters: weight [4, 4, F, C], bias [F].
 * @returns [N, 2H, 2W, F].
 */
export function doubled(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  const [N, H, W, C] = x.shape;
  const weight = parameter(params, `${name}.weight`) as tf.Tensor4D;
  const F = weight.shape[2];
  const parts = corners.map(([row, column]) => {
    const own = weight.slice([2 * row, 2 * column, 0, 0], [2, 2, F, C]).reshape([4 * F, C]);
    return linear(x, own.transpose()).pad([
      [0, 0],
      [row, 1 - row],
      [column, 1 - column],
      [0, 0],
    ]);
  });
  // [N, H + 1, W + 1, 4F] -> [N·(H + 1), 2, W + 1, 2F] -> [N, 2H + 2, 2W + 2, F]
  const cells = total(parts).reshape([N * (H + 1), W + 1, 2, 2 * F]);
  const lines = cells.transpose([0, 2, 1, 3]).reshape([N, 2 * (H + 1), 2 * (W + 1), F]);
  return lines.slice([0, 1, 1, 0], [N, 2 * H, 2 * W, F]).add(parameter(params, `${name}.bias`)) as tf.Tensor4D;
}

/** [N, H, W, C] to [N, H/2, W/2, 4C], a square's cells row by row. */
function squares(x: tf.Tensor4D): tf.Tensor4D {
  const [N, H, W, C] = x.shape;
  const lines = x.reshape([(N * H) / 2, 2, W / 2, 2 * C]).transpose([0, 2, 1, 3]);
  return lines.reshape([N, H / 2, W / 2, 4 * C]);
}

function total(parts: readonly tf.Tensor[]): tf.Tensor {
  return parts.reduce((sum, part) => sum.add(part));
}
