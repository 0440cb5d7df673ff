import type { HostBatch } from '../../src/models/model.ts';
import type { Spec } from '../../src/vision/spec.ts';
import { noiseBatch } from '../peers/noise.ts';

/** One model to be compared: as ours is built (`options`, `spec`), as the Python one is (`config`), and what both are given. */
export interface ParityCase {
  readonly what: string;
  readonly model: string;
  readonly size: 'nano' | 'tiny';
  readonly options: object;
  readonly spec: Spec;
  readonly config: object;
  readonly batch: HostBatch;
}

/** Pictures and patches of a size: 8 × 8 patches of nano, 6 × 6 of tiny, so that a gradient on the slowest backend takes seconds. */
const sides = { nano: { side: 64, patch: 8, K: 5 }, tiny: { side: 96, patch: 16, K: 4 } } as const;
const decoders = { nano: [64, 2, 2], tiny: [256, 4, 8] } as const;
const N = 2;

function lomarCase(size: 'nano' | 'tiny', target: string, rpeScaled: boolean): ParityCase {
  const { side, patch, K } = sides[size];
  const windows = { K, M: 2 };
  return {
    what: `lomar ${size} ${target}${rpeScaled ? ' scaled' : ''}`,
    model: 'lomar',
    size,
    options: { size, target, rpeScaled },
    spec: { fields: {}, size: [side, side], grid: { patch, side: side / patch }, windows },
    config: { size, patch, K, target, rpeScaled },
    batch: noiseBatch({ N, side, patch, ratio: 0.6, windows }),
  };
}

/** An arm of LoMaR: other options of it, `config` the same in Python's words. */
function armCase(what: string, options: object, config: object, factor?: number): ParityCase {
  const plain = lomarCase('nano', 'pixels', false);
  const { side, patch, K } = sides.nano;
  const model = factor === undefined ? 'lomar' : 'lomar-srmae';
  const windows = { K, M: 2 };
  return {
    ...plain,
    what: `${model} nano ${what}`,
    model,
    options: { size: 'nano', target: 'pixels', ...options },
    config: { ...plain.config, ...config },
    batch: noiseBatch({ N, side, patch, ratio: 0.6, windows, ...(factor !== undefined && { factor }) }),
  };
}

/** Several cls tokens. */
function clsCase({ what, options, config, ...rest }: ParityCase, clsTokens: number): ParityCase {
  return {
    ...rest,
    what: `${what} ${clsTokens} cls tokens`,
    options: { ...options, clsTokens },
    config: { ...config, clsTokens },
  };
}

const absolute = { positions: 'absolute' };
const narrow = { width: 32, depth: 2, heads: 2 };

/** MAE and SRMAE: the whole grid masked, and a decoder. */
function wholeCase(model: string, size: 'nano' | 'tiny', target: string, factor?: number): ParityCase {
  const { side, patch } = sides[size];
  const [decoderWidth, decoderDepth, decoderHeads] = decoders[size];
  return {
    what: `${model} ${size} ${target}`,
    model,
    size,
    options: { size, target, decoderWidth, decoderDepth, decoderHeads },
    spec: { fields: {}, size: [side, side], grid: { patch, side: side / patch } },
    config: { size, patch, decoder: decoders[size], target },
    batch: noiseBatch({ N, side, patch, ratio: 0.75, ...(factor !== undefined && { factor }) }),
  };
}

function srmaeCase(size: 'nano' | 'tiny', target: string, superResolution: string, factor: number): ParityCase {
  const whole = wholeCase('srmae', size, target, factor);
  return {
    ...whole,
    what: `${whole.what} ${superResolution} ×${factor}`,
    options: { ...whole.options, superResolution },
    config: { ...whole.config, superResolution },
  };
}

export const parityCases: readonly ParityCase[] = [
  lomarCase('nano', 'pixels', false),
  lomarCase('nano', 'patchNorm', true),
  lomarCase('tiny', 'patchNorm', false),
  wholeCase('mae', 'nano', 'pixels'),
  wholeCase('mae', 'tiny', 'patchNorm'),
  srmaeCase('nano', 'pixels', 'hpb', 4),
  srmaeCase('nano', 'patchNorm', 'residual', 3),
  srmaeCase('nano', 'pixels', 'none', 2),
  srmaeCase('tiny', 'pixels', 'hpb', 4),
  armCase('absolute', absolute, { absolute: true }),
  armCase('decoder', { decoder: {} }, { decoder: decoders.nano }),
  armCase('decoder, absolute', { decoder: narrow, ...absolute }, { decoder: [32, 2, 2], absolute: true }),
  armCase('mask tokens from block 2', { maskTokensFrom: 2 }, { maskTokensFrom: 2 }),
  armCase(
    'mask tokens from block 3, absolute',
    { maskTokensFrom: 3, ...absolute },
    { maskTokensFrom: 3, absolute: true },
  ),
  armCase('×4', {}, { lowResolution: 'none' }, 4),
  armCase('×4 decoder, hpb', { decoder: narrow }, { lowResolution: 'hpb', decoder: [32, 2, 2] }, 4),
  clsCase(wholeCase('mae', 'nano', 'patchNorm'), 3),
  clsCase(srmaeCase('nano', 'pixels', 'residual', 4), 2),
];
