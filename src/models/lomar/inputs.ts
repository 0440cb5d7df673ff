import { fail } from '../../errors.ts';
import { pathInputs } from '../classifier/drop-path.ts';
import { field } from '../layers/learned.ts';
import { gridBuckets } from '../layers/relative.ts';
import { visibility } from '../layers/visible.ts';
import type { HostBatch, HostTensor, RandomSource } from '../model.ts';
import { blocksOfVisible, type LomarShape, partsHidden } from './options.ts';

/**
 * Pictures as they are, and places computed from windows and masks: `tokens` [N, M·K²], the windows' patches in the picture's grid. Where only
 * visible patches are seen first, also what `visibleInputs` makes.
 *
 * @throws MODEL_FIELD, WINDOW_OUTSIDE; MASKS_UNEVEN where only visible patches are seen first.
 */
export function lomarInputs(batch: HostBatch, shape: LomarShape, chance?: RandomSource): HostBatch {
  const { lowResolution } = shape;
  const tokens = windowPlaces(batch, shape);
  const masks = field(batch, 'masks', 'uint8', 3);
  const [N, M] = masks.shape as [number, number];
  return {
    picture: batch.picture!,
    ...(lowResolution !== undefined && { lr: field(batch, 'lr', 'uint8', 4) }),
    tokens,
    masks,
    ...(partsHidden(shape) && visibleInputs(masks, tokens.data as Int32Array, shape)),
    ...pathInputs(chance, shape, N, M),
  };
}

/**
 * The places of the windows' patches in the picture's grid, window by window: int32 [N, M·K²].
 *
 * @throws MODEL_FIELD, WINDOW_OUTSIDE
 */
export function windowPlaces(batch: HostBatch, { patch, K }: Pick<LomarShape, 'patch' | 'K'>): HostTensor {
  const picture = field(batch, 'picture', 'uint8', 4);
  const windows = field(batch, 'windows', 'int32', 3);
  const [N, M] = windows.shape as [number, number];
  const [rows, columns] = [Math.floor(picture.shape[1]! / patch), Math.floor(picture.shape[2]! / patch)];
  const tokens = new Int32Array(N * M * K * K);
  for (let view = 0, to = 0; view < N * M; view++) {
    const [top, left] = [windows.data[2 * view]!, windows.data[2 * view + 1]!];
    if (top < 0 || left < 0 || top + K > rows || left + K > columns) {
      throw fail('WINDOW_OUTSIDE', { K, rows, columns, top, left });
    }
    for (let row = top; row < top + K; row++)
      for (let column = left; column < left + K; column++) tokens[to++] = row * columns + column;
  }
  return { dtype: 'int32', shape: [N, M * K * K], data: tokens };
}

/**
 * Of each window, int32: `visible` [N, M·k] and `hidden` [N, M·(K² − k)], places in the picture's grid; `restore` [N, M·(K² + 1)], where cls and every patch
 * stand among (cls, visible, hidden); `buckets` [N, M·(k + 1)²], those of all pairs of (cls, visible), where blocks with relative positions see them
 * alone.
 */
function visibleInputs(masks: HostTensor, tokens: Int32Array, shape: LomarShape): HostBatch {
  const { K, absolute } = shape;
  const [N, M, n] = masks.shape as [number, number, number];
  const { keep, hide, restore } = visibility({ ...masks, shape: [N * M, n] });
  const [k, h] = [keep.shape[1]!, hide.shape[1]!];
  const int32 = (length: number, numberAt: (view: number, i: number) => number): HostTensor => ({
    dtype: 'int32',
    shape: [N, M * length],
    data: Int32Array.from({ length: N * M * length }, (_, i) => numberAt(Math.floor(i / length), i % length)),
  });
  // Of (cls, all patches); a visible one has the bucket that it has among all.
  const all = gridBuckets(K, K);
  const rowOf = (view: number, token: number) => (token === 0 ? 0 : 1 + keep.data[view * k + token - 1]!);
  const bucket = (view: number, pair: number) =>
    all[rowOf(view, Math.floor(pair / (k + 1))) * (n + 1) + rowOf(view, pair % (k + 1))]!;
  return {
    visible: int32(k, (view, i) => tokens[view * n + keep.data[view * k + i]!]!),
    hidden: int32(h, (view, i) => tokens[view * n + hide.data[view * h + i]!]!),
    restore: int32(n + 1, (view, i) => (i === 0 ? 0 : 1 + restore.data[view * n + i - 1]!)),
    ...(absolute === undefined && blocksOfVisible(shape) > 0 && { buckets: int32((k + 1) ** 2, bucket) }),
  };
}
