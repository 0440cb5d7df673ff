import type { Spec } from '../../src/vision/spec.ts';
import type { NoiseShape } from '../peers/noise.ts';

export const models = ['lomar', 'mae', 'srmae'] as const;
export const sizes = ['tiny', 'small'] as const;
export const microBatches = ['4', '16', '64'] as const;

/** One training to be timed on both sides, by the papers' settings at 224 px: as ours is built, as the Python one is, and the micro-batch. */
export interface Plan {
  readonly model: (typeof models)[number];
  readonly size: (typeof sizes)[number];
  readonly N: number;
  readonly options: object;
  readonly spec: Spec;
  readonly config: object;
  readonly noise: NoiseShape;
}

const [side, patch] = [224, 16];
const decoder = [512, 8, 16] as const;

export function planOf(model: Plan['model'], size: Plan['size'], N: number): Plan {
  const windows = { K: 7, M: 4 };
  const grid = { patch, side: side / patch };
  const target = model === 'srmae' ? 'pixels' : 'patchNorm';
  const common = { model, size, N, options: { size, target } };
  if (model === 'lomar') {
    return {
      ...common,
      spec: { fields: {}, size: [side, side], grid, windows },
      config: { size, patch, target, ...windows, ratio: 0.8, rpeScaled: false },
      noise: { N, side, patch, ratio: 0.8, windows },
    };
  }
  const factor = model === 'srmae' ? { factor: 4 } : {};
  return {
    ...common,
    spec: { fields: {}, size: [side, side], grid },
    config: { size, patch, target, decoder, superResolution: 'hpb', ratio: 0.75, ...factor },
    noise: { N, side, patch, ratio: 0.75, ...factor },
  };
}
