import type { EncoderSize } from '../../src/models/layers/encoder.options.ts';
import type { Spec } from '../../src/vision/spec.ts';
import type { NoiseShape } from '../peers/noise.ts';

export const models = ['lomar', 'mae', 'srmae'] as const;
export const sizes = ['tiny', 'small'] as const;
export const microBatches = ['4', '16', '64'] as const;

/** One training to be timed on both sides: as ours is built, as the Python one is, and the micro-batch. */
export interface Plan {
  /** BEiT is timed beside ours alone: PyTorch's side has none. */
  readonly model: (typeof models)[number] | 'beit';
  readonly size: EncoderSize;
  readonly N: number;
  readonly options: object;
  readonly spec: Spec;
  readonly config: object;
  readonly noise: NoiseShape;
}

/** What a training sees, and MAE's and SRMAE's decoder: width, depth, heads. Sides in pixels, K in patches. */
export interface Geometry {
  readonly side: number;
  readonly patch: number;
  readonly windows: { readonly K: number; readonly M: number };
  readonly decoder: readonly [width: number, depth: number, heads: number];
}

/** The papers' settings. */
export const paper: Geometry = { side: 224, patch: 16, windows: { K: 7, M: 4 }, decoder: [512, 8, 16] };

/** 75 of 196 patches. */
const beitRatio = 0.38;

export function planOf(
  model: Plan['model'],
  size: EncoderSize,
  N: number,
  { side, patch, windows, decoder }: Geometry = paper,
): Plan {
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
  if (model === 'beit') {
    const vocabulary = 8192;
    return {
      ...common,
      options: { size },
      spec: { fields: {}, size: [side, side], grid, vocabulary },
      config: { size, patch, vocabulary, ratio: beitRatio },
      noise: { N, side, patch, ratio: beitRatio, vocabulary },
    };
  }
  const factor = model === 'srmae' ? { factor: 4 } : {};
  const [decoderWidth, decoderDepth, decoderHeads] = decoder;
  return {
    ...common,
    options: { ...common.options, decoderWidth, decoderDepth, decoderHeads },
    spec: { fields: {}, size: [side, side], grid },
    config: { size, patch, target, decoder, superResolution: 'hpb', ratio: 0.75, ...factor },
    noise: { N, side, patch, ratio: 0.75, ...factor },
  };
}
