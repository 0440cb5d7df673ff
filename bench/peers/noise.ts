import type { HostBatch, HostTensor } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { hiddenInWindow, hiddenOnGrid, sampleMasks } from '../../src/vision/masks.ts';
import { sampleWindows } from '../../src/vision/windows.ts';

/** A micro-batch of noise with windows and masks as the stages draw them. Sides in pixels, K in patches. */
export interface NoiseShape {
  readonly N: number;
  readonly side: number;
  readonly patch: number;
  /** Share that is hidden, of each window or of the grid. */
  readonly ratio: number;
  /** M windows of K × K patches; the whole grid is masked without them. */
  readonly windows?: { readonly K: number; readonly M: number };
  /** With the picture at low resolution, so many times smaller. */
  readonly factor?: number;
  /** With a code of a tokenizer for each patch, of so many. */
  readonly vocabulary?: number;
}

/** picture uint8 [N, H, W, 3]; with `windows` int32 [N, M, 2] and masks uint8 [N, M, K²], else masks [N, n]; lr with a factor, codes int32 [N, n] with a vocabulary. */
export function noiseBatch({ N, side, patch, ratio, windows, factor, vocabulary }: NoiseShape): HostBatch {
  const g = side / patch;
  const random = new Random(2, 'noise', 'bench');
  const lr = factor === undefined ? {} : { lr: noisePicture('lr', N, Math.round(side / factor)) };
  const picture = noisePicture('picture', N, side);
  if (windows === undefined) {
    const masks = sampleMasks(N, g * g, hiddenOnGrid(g * g, ratio), random);
    const codes = vocabulary === undefined ? {} : { codes: noiseCodes(N, g * g, vocabulary) };
    return { picture, ...lr, masks: { dtype: 'uint8', shape: [N, g * g], data: masks }, ...codes };
  }
  const { K, M } = windows;
  const places = Array.from({ length: N }, () => Array.from(sampleWindows(g, K, M, random))).flat();
  const masks = sampleMasks(N * M, K * K, hiddenInWindow(K, ratio), random);
  return {
    picture,
    ...lr,
    windows: { dtype: 'int32', shape: [N, M, 2], data: Int32Array.from(places) },
    masks: { dtype: 'uint8', shape: [N, M, K * K], data: masks },
  };
}

function noiseCodes(N: number, n: number, vocabulary: number): HostTensor {
  const random = new Random(2, 'codes', 'bench');
  return { dtype: 'int32', shape: [N, n], data: Int32Array.from({ length: N * n }, () => random.integer(vocabulary)) };
}

function noisePicture(field: string, N: number, side: number): HostTensor {
  const random = new Random(2, field, 'bench');
  const data = Uint8Array.from({ length: N * side * side * 3 }, () => random.integer(256));
  return { dtype: 'uint8', shape: [N, side, side, 3], data };
}
