import type { HostBatch, HostTensor } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { sampleMasks } from '../../src/vision/masks.ts';
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

export const parityCases: readonly ParityCase[] = [
  lomarCase('nano', 'pixels', false),
  lomarCase('nano', 'patchNorm', true),
  lomarCase('tiny', 'patchNorm', false),
];
