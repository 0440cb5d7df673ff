import { basename } from 'node:path';
import type { Trained } from '../../inference/trained.ts';
import type { HostBatch } from '../../models/model.ts';
import { Random } from '../../random.ts';
import { maskDrawing } from '../../stages/mask.ts';
import type { OpenModel } from '../../train/worker/open-model.ts';
import { sampleWindows } from '../../vision/windows.ts';
import type { Photo } from './photos.ts';

/** Opens a trained model in this thread, on the backend that the machine has. @throws TRAINED_CHANGED, and what `openModel` throws. */
export async function openFigureModel(
  { where, digest, model: { name, options, spec, module } }: Trained,
  note: (text: string) => void,
): Promise<OpenModel> {
  // Only here, so that what only looks at arguments never loads tfjs.
  const { openTrained } = await import('../../inference/serve.ts');
  const model = { name, options, spec, ...(module !== undefined && { module }) };
  return openTrained({ where, digest, model: { model, backend: 'auto', device: 'auto', precision: 'float32' } }, note);
}

/** A window's corner, in patches from the picture's. */
export interface Corner {
  readonly topPatch: number;
  readonly leftPatch: number;
}

/** The window that figures show of a photograph, one of K × K patches on a grid of side g: drawn with seed 0 for the file's name, wherever that lies. */
export function windowOf(path: string, g: number, K: number): Corner {
  const [topPatch, leftPatch] = sampleWindows(g, K, 1, new Random(0, 'windows', basename(path)));
  return { topPatch: topPatch!, leftPatch: leftPatch! };
}

/**
 * The mask of a photograph, uint8 [side²], `hidden` of its patches 1, hidden as in the training: single patches, of which what few hide is hidden by more, or blocks, which may be fewer where
 * the training had fewer (`exact: false`). Drawn as the window is. @param of what the grid is.
 */
export function maskOf(
  path: string,
  { side, hidden, of }: { readonly side: number; readonly hidden: number; readonly of: 'window' | 'picture' },
  { masks }: Pick<Trained, 'masks'>,
): Uint8Array {
  return maskDrawing(hidden, masks?.blocks, of)(1, side, new Random(0, 'mask', basename(path)));
}

/** A photograph as a micro-batch of its own, masked in one window, or in the whole grid where there is none. */
export function fieldsOf({ pixels, lr }: Photo, mask: Uint8Array, window: Corner | undefined): HostBatch {
  const picture = ({ width, height, data }: Photo['pixels']) =>
    ({ dtype: 'uint8', shape: [1, height, width, 3], data }) as const;
  const shape = window === undefined ? [1, mask.length] : [1, 1, mask.length];
  return {
    picture: picture(pixels),
    masks: { dtype: 'uint8', shape, data: mask },
    ...(lr && { lr: picture(lr) }),
    ...(window && {
      windows: { dtype: 'int32', shape: [1, 1, 2], data: Int32Array.of(window.topPatch, window.leftPatch) },
    }),
  };
}
