import type { HostBatch, HostTensor } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { hiddenOnGrid, sampleMasks } from '../../src/vision/masks.ts';
import type { Spec } from '../../src/vision/spec.ts';
import { sampleWindows } from '../../src/vision/windows.ts';

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
const N = 2;

function picture(field: string, side: number): HostTensor {
  const random = new Random(2, field, 'parity');
  const data = Uint8Array.from({ length: N * side * side * 3 }, () => random.integer(256));
  return { dtype: 'uint8', shape: [N, side, side, 3], data };
}

function lomarCase(size: 'nano' | 'tiny', target: string, rpeScaled: boolean): ParityCase {
  const { side, patch, K } = sides[size];
  const M = 2;
  const random = new Random(2, 'windows', 'parity');
  const windows = Array.from({ length: N }, () => Array.from(sampleWindows(side / patch, K, M, random))).flat();
  const masks = sampleMasks(N * M, K * K, Math.floor(0.6 * K * K), random);
  return {
    what: `lomar ${size} ${target}${rpeScaled ? ' scaled' : ''}`,
    model: 'lomar',
    size,
    options: { size, target, rpeScaled },
    spec: { fields: {}, size: [side, side], grid: { patch, side: side / patch }, windows: { K, M } },
    config: { size, patch, K, target, rpeScaled },
    batch: {
      picture: picture('picture', side),
      windows: { dtype: 'int32', shape: [N, M, 2], data: Int32Array.from(windows) },
      masks: { dtype: 'uint8', shape: [N, M, K * K], data: masks },
    },
  };
}

const decoders = { nano: [64, 2, 2], tiny: [256, 4, 8] } as const;

/** What MAE and SRMAE have in common: the whole grid masked, and a decoder. */
function wholeCase(model: string, size: 'nano' | 'tiny', target: string): ParityCase {
  const { side, patch } = sides[size];
  const [decoderWidth, decoderDepth, decoderHeads] = decoders[size];
  const n = (side / patch) ** 2;
  const masks = sampleMasks(N, n, hiddenOnGrid(n, 0.75), new Random(2, 'masks', 'parity'));
  return {
    what: `${model} ${size} ${target}`,
    model,
    size,
    options: { size, target, decoderWidth, decoderDepth, decoderHeads },
    spec: { fields: {}, size: [side, side], grid: { patch, side: side / patch } },
    config: { size, patch, decoder: decoders[size], target },
    batch: { picture: picture('picture', side), masks: { dtype: 'uint8', shape: [N, n], data: masks } },
  };
}

function srmaeCase(size: 'nano' | 'tiny', target: string, superResolution: string, factor: number): ParityCase {
  const whole = wholeCase('srmae', size, target);
  return {
    ...whole,
    what: `${whole.what} ${superResolution} ×${factor}`,
    options: { ...whole.options, superResolution },
    config: { ...whole.config, superResolution },
    batch: { ...whole.batch, lr: picture('lr', Math.round(sides[size].side / factor)) },
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
];
