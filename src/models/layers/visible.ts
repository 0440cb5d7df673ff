import { fail } from '../../errors.ts';
import type { HostBatch, HostTensor } from '../model.ts';
import { field } from './learned.ts';

/** Where visible and hidden patches stand, int32, each in raster order. */
export interface Visibility {
  /** [N, k], places of the visible patches. */
  readonly keep: HostTensor;
  /** [N, n − k], places of the hidden ones. */
  readonly hide: HostTensor;
  /** [N, n], for each place its index in the visible ones followed by the hidden ones: a gather by it restores raster order. */
  readonly restore: HostTensor;
}

/** The field `masks` over whole grids, uint8 [N, side²]. @throws MODEL_FIELD when it is missing or of another shape. */
export function gridMasks(batch: HostBatch, side: number): HostTensor {
  const masks = field(batch, 'masks', 'uint8', 2);
  if (masks.shape[1] === side ** 2) return masks;
  const [expected, found] = [`uint8 [N, ${side ** 2}]`, `uint8 [${masks.shape.join(', ')}]`];
  throw fail('MODEL_FIELD', { field: 'masks', expected, found });
}

/**
 * Visible and hidden places of a micro-batch. MAE's code keeps the visible ones in the order in which chance drew them; positions are added
 * before attention, which does not look at order, so raster order gives the same tokens.
 *
 * @param masks uint8 [N, n], 1 hidden.
 * @throws MASKS_UNEVEN when pictures have different numbers of visible patches, or none.
 */
export function visibility({ data, shape }: HostTensor): Visibility {
  const [N, n] = shape as [number, number];
  const k = visibleIn(data.subarray(0, n));
  const keep = new Int32Array(N * k);
  const hide = new Int32Array(N * (n - k));
  const restore = new Int32Array(N * n);
  for (let picture = 0; picture < N; picture++) {
    const mask = data.subarray(picture * n, (picture + 1) * n);
    const found = visibleIn(mask);
    if (found !== k || k === 0) throw fail('MASKS_UNEVEN', { n, first: k, found });
    for (let place = 0, kept = 0, hidden = 0; place < n; place++) {
      if (mask[place] === 0) {
        restore[picture * n + place] = kept;
        keep[picture * k + kept++] = place;
      } else {
        restore[picture * n + place] = k + hidden;
        hide[picture * (n - k) + hidden++] = place;
      }
    }
  }
  const int32 = (columns: number, values: Int32Array) =>
    ({ dtype: 'int32', shape: [N, columns], data: values }) as const;
  return { keep: int32(k, keep), hide: int32(n - k, hide), restore: int32(n, restore) };
}

function visibleIn(mask: HostTensor['data']): number {
  let count = 0;
  for (const hidden of mask) if (hidden === 0) count++;
  return count;
}
