import type { HostBatch, RandomSource } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { chanceOf } from '../../src/train/random-source.ts';
import { hiddenInWindow, hiddenOnGrid } from '../../src/vision/masks.ts';
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
  /** Another text that answers: Python's by that name, in the place of the model's. */
  readonly peer?: string;
  /** Of a model that draws in every step. */
  readonly chance?: RandomSource;
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

/** BEiT on the whole grid, or in LoMaR's windows, with codes of a vocabulary at random. */
function beitCase(size: 'nano' | 'tiny', inWindows: boolean, peer?: string): ParityCase {
  const { side, patch, K } = sides[size];
  const [grid, vocabulary] = [side / patch, 32];
  const windows = { K, M: 2 };
  const random = new Random(2, 'codes', 'bench');
  const codes = Int32Array.from({ length: N * grid * grid }, () => random.integer(vocabulary));
  const batch = noiseBatch({ N, side, patch, ratio: 0.4, ...(inWindows && { windows }) });
  const of = inWindows ? K * K : grid * grid;
  const hidden = inWindows ? hiddenInWindow(K, 0.4) : hiddenOnGrid(grid * grid, 0.4);
  return {
    what: `${inWindows ? 'lomar-beit' : 'beit'} ${size}${peer === undefined ? '' : ', by the package transformers'}`,
    model: inWindows ? 'lomar-beit' : 'beit',
    size,
    options: { size },
    spec: {
      fields: { codes: { dtype: 'int32', shape: [grid * grid] } },
      size: [side, side],
      grid: { patch, side: grid },
      vocabulary,
      hidden,
      ...(inWindows && { windows }),
    },
    config: { size, patch, K: Math.sqrt(of), vocabulary, target: 'codes' },
    batch: { ...batch, codes: { dtype: 'int32', shape: [N, grid * grid], data: codes } },
    ...(peer !== undefined && { peer }),
  };
}

/** The tokenizer on pictures of half the side, as BEiT shows them to it. */
function tokenizerCase(loss: string, hard: boolean): ParityCase {
  const { side } = sides.nano;
  const [temperature, kl] = [0.7, 0.3];
  const fixed = (value: number) => ({ from: value, to: value, steps: 0 });
  const { picture } = noiseBatch({ N, side: side / 2, patch: 4, ratio: 0.5 });
  return {
    what: `tokenizer nano ${loss}${hard ? ' hard' : ''}`,
    model: 'tokenizer',
    size: 'nano',
    options: { size: 'nano', loss, hard, temperature: fixed(temperature), kl: fixed(kl) },
    spec: { fields: {}, size: [side / 2, side / 2] },
    config: { size: 'nano', patch: 4, loss, hard, temperature, kl, target: 'pixels' },
    batch: { picture: picture! },
    chance: chanceOf({ keys: ['a', 'b'], positions: [0, 1] }, { seed: 7, step: 0, count: 2 }),
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
  tokenizerCase('mse', false),
  tokenizerCase('smoothL1', true),
  beitCase('nano', false),
  beitCase('nano', false, 'beit_transformers'),
  beitCase('tiny', false),
  beitCase('nano', true),
  beitCase('tiny', true),
];
