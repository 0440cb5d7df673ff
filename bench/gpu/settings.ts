import type { Precision } from '../../src/backends/torch/precision.ts';
import { models as defined } from '../../src/models/index.ts';
import type { EncoderSize } from '../../src/models/layers/encoder.options.ts';
import type { HostBatch } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { hiddenOnGrid } from '../../src/vision/masks.ts';
import { noiseBatch } from '../peers/noise.ts';
import { type Geometry, type Plan, paper, planOf } from '../train-step/plans.ts';
import { type Given, openTraining, type Training } from '../train-step/training.ts';

/** Every precision that the backend has, in the order of their importance: bfloat16 is how such models are trained. */
export const precisions: readonly Precision[] = ['bfloat16', 'tf32', 'float32'];

/** Small enough for a processor. */
const tinyGeometry: Geometry = { side: 32, patch: 8, windows: { K: 3, M: 2 }, decoder: [32, 1, 2] };

export function kitPlan(model: Plan['model'], size: EncoderSize, N: number, tiny: boolean): Plan {
  return planOf(model, size, N, tiny ? tinyGeometry : paper);
}

/** FLOP of a training step for one picture: three forward passes of two for each multiply-add, as `describe` counts them. */
export function flopOf({ model, options, spec, noise }: Plan): number {
  const n = (spec.grid?.side ?? 0) ** 2;
  const hidden = noise.windows === undefined ? { hidden: hiddenOnGrid(n, noise.ratio) } : {};
  const definition = defined.find(({ name }) => name === model);
  const cost = definition?.cost?.(definition.options.parse(options) as never, { ...spec, ...hidden });
  if (cost === undefined) throw new Error(`${model} does not say what it costs.`);
  return 6 * cost.macs;
}

/** A training on noise whose parameters and pictures are drawn quickly, for their values do not matter: some are drawn and repeated. */
export function openNoise(plan: Plan, how: Pick<Given, 'launch' | 'replay'> = {}): Promise<Training> {
  const random = (parameter: string) => new Repeating(parameter);
  return openTraining(plan, { ...how, random, batch: repeatedNoise(plan) });
}

const drawnPictures = 4;

function repeatedNoise({ noise }: Plan): HostBatch {
  const few = noiseBatch({ ...noise, N: Math.min(noise.N, drawnPictures) });
  return Object.fromEntries(
    Object.entries(few).map(([name, { dtype, shape, data }]) => {
      const rest = shape.slice(1);
      const size = rest.reduce((a, b) => a * b, 1);
      const Numbers = data.constructor as new (length: number) => typeof data;
      const all = new Numbers(noise.N * size);
      for (let at = 0; at < all.length; at += data.length) all.set(data.subarray(0, all.length - at) as never, at);
      return [name, { dtype, shape: [noise.N, ...rest], data: all }];
    }),
  ) as HostBatch;
}

const words = (() => {
  const random = new Random(0, 'words', 'bench');
  return Uint32Array.from({ length: 4099 }, () => random.word());
})();

/** The same words again and again. */
class Repeating extends Random {
  #at = 0;

  constructor(parameter: string) {
    super(0, parameter, 'bench');
  }

  override word(): number {
    return words[this.#at++ % words.length]!;
  }
}
